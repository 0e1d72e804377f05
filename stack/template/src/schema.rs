//! What CloudFormation's types have: their properties, and the attributes of `Fn::GetAtt`. A name
//! that is a slip of one of these is refused, as AWS would; any other unknown name is a notice,
//! because AWS adds some every week.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// One line a type: its name, its properties, its attributes. Source: CloudFormation's resource
/// schemas (`properties` and `readOnlyProperties`) and the SAM schema, as of cfn-lint 1.58, for the
/// services that serverless templates use.
const TYPES: &str = include_str!("schema.txt");

/// A type.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) properties: BTreeSet<&'static str>,
    pub(crate) attributes: BTreeSet<&'static str>,
}

static KNOWN: LazyLock<BTreeMap<&'static str, Type>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let mut parts = line.split('|');
        let name = parts.next()?;
        let mut words = || parts.next().unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
        Some((name, Type { properties: words(), attributes: words() }))
    };
    TYPES.lines().filter_map(line).collect()
});

/// A type by its name; `None` if it is of another service.
pub(crate) fn find(name: &str) -> Option<&'static Type> {
    KNOWN.get(name)
}

/// Why a type is unknown, or `None` if the list has it.
pub(crate) fn unknown_type(name: &str) -> Option<Unknown> {
    (!KNOWN.contains_key(name)).then(|| unknown(name, KNOWN.keys().copied()))
}

/// What an unknown name is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// A slip of a name that exists.
    Slip(&'static str),
    /// Something else.
    Other,
}

/// What a name is that is not among these.
pub(crate) fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> Unknown {
    let distance = |known: &'static str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let nearest = known.map(|known| (distance(known), known)).min();
    // One letter in five may be wrong, and two at most.
    nearest.filter(|(distance, _)| *distance <= (name.len() / 5).clamp(1, 2)).map_or(Unknown::Other, |(_, known)| Unknown::Slip(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_properties_and_attributes() {
        let queue = find("AWS::SQS::Queue").unwrap();
        assert!(queue.properties.contains("VisibilityTimeout") && queue.attributes.contains("QueueName"), "{queue:?}");
        assert!(!queue.properties.contains("Arn"));
        assert!(find("AWS::Serverless::Function").unwrap().properties.contains("CodeUri"));
        assert!(find("AWS::EC2::VPC").is_none());
        assert!(KNOWN.len() > 200);
    }

    #[test]
    fn a_slip_is_told_from_something_new() {
        let properties = || find("AWS::Lambda::Function").unwrap().properties.iter().copied();
        for (name, expected) in [
            ("Timout", Unknown::Slip("Timeout")),
            ("timeout", Unknown::Slip("Timeout")),
            ("MemmorySize", Unknown::Slip("MemorySize")),
            ("Enviroment", Unknown::Slip("Environment")),
            ("QuantumSettings", Unknown::Other),
            ("Colour", Unknown::Other),
        ] {
            assert_eq!(unknown(name, properties()), expected, "{name}");
        }
        assert_eq!(unknown_type("AWS::Lamda::Function"), Some(Unknown::Slip("AWS::Lambda::Function")));
        assert_eq!(unknown_type("AWS::EC2::Instance"), Some(Unknown::Other));
        assert_eq!(unknown_type("AWS::SQS::Queue"), None);
    }
}
