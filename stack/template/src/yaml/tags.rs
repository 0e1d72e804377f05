//! The short forms of CloudFormation's functions, such as `!Ref` and `!GetAtt a.b`.

use saphyr_parser::Tag;
use serde_json::{Value, json};

/// The functions that have a short form; besides these `!Ref` and `!Condition`. Source:
/// CloudFormation User Guide, intrinsic function reference and rule-specific functions.
const FUNCTIONS: [&str; 25] = [
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "ForEach",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];

/// What a tag does to its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is the function of this long name.
    Function(String),
    /// `!!str`: the value is text.
    Text,
    /// `!!int`, `!!map` and so on: the value is what it is without the tag.
    Nothing,
}

/// # Errors
/// If CloudFormation knows no such tag. It does not take `!!binary`, `!!omap`, `!!pairs`, `!!set` and
/// `!!timestamp`. Source: CloudFormation User Guide, template formats.
pub(super) fn meaning(tag: &Tag) -> Result<Meaning, String> {
    let name = tag.suffix.as_str();
    match (tag.is_yaml_core_schema(), tag.handle.as_str()) {
        (true, _) => match name {
            "str" => Ok(Meaning::Text),
            "int" | "float" | "bool" | "null" | "map" | "seq" => Ok(Meaning::Nothing),
            other => Err(format!("found the tag `!!{other}`, which CloudFormation does not take")),
        },
        (false, "!") if name == "Ref" || name == "Condition" => Ok(Meaning::Function(name.to_owned())),
        (false, "!") if FUNCTIONS.contains(&name) => Ok(Meaning::Function(format!("Fn::{name}"))),
        (false, handle) => Err(format!("found the tag `{handle}{name}`, there are: !Ref, !Condition, !{}", FUNCTIONS.join(", !"))),
    }
}

/// The long form of a function. `!GetAtt a.b` is the list of both parts.
pub(super) fn long_form(function: &str, argument: Value) -> Value {
    match argument {
        Value::String(text) if function == "Fn::GetAtt" => {
            let parts: Vec<_> = text.splitn(2, '.').collect();
            json!({ function: parts })
        }
        other => json!({ function: other }),
    }
}
