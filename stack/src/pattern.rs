//! Patterns: which records, events or messages a receiver wants. Pure; a pattern that is not
//! understood is refused, never guessed. Sources: EventBridge user guide, "Comparison operators";
//! Lambda, "Control which events Lambda sends to your function"; SNS, "String value matching". What
//! the last two do not specify works as in EventBridge.

use std::net::IpAddr;

use serde_json::{Map, Value};

/// Who reads the pattern, which decides what it may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// An event source mapping.
    Mapping,
    /// A rule of an event bus.
    Bus,
    /// A subscription of a topic.
    Topic,
}

impl Dialect {
    /// The operators on a value.
    const fn operators(self) -> &'static [&'static str] {
        match self {
            Self::Mapping => &["prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists"],
            Self::Topic => &["prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "cidr"],
            Self::Bus => &["prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "cidr", "wildcard"],
        }
    }

    /// The operators within `anything-but`.
    const fn within_anything_but(self) -> &'static [&'static str] {
        match self {
            Self::Mapping | Self::Topic => &["prefix", "suffix", "equals-ignore-case"],
            Self::Bus => &["prefix", "suffix", "equals-ignore-case", "wildcard"],
        }
    }
}

/// The patterns of one receiver, of which one must match; without patterns everything matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Vec<Object>);

/// The conditions on an object: every field, and one of each `$or`.
#[derive(Debug, Clone, PartialEq)]
struct Object {
    fields: Vec<(String, Test)>,
    either: Vec<Vec<Object>>,
}

/// The conditions on a field.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    Within(Object),
    AnyOf(Vec<Condition>),
}

/// The conditions on a value.
#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Is(Value),
    Prefix(String),
    PrefixInAnyCase(String),
    Suffix(String),
    SuffixInAnyCase(String),
    InAnyCase(String),
    NoneOf(Vec<Condition>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
    /// The texts between the wildcards, in order.
    Wildcard(Vec<String>),
    Within(Network),
}

/// A block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Filter {
    /// Reads the patterns of a mapping.
    ///
    /// # Errors
    /// What is not understood in one of them, and where.
    pub fn read(patterns: &[Value]) -> Result<Self, String> {
        patterns.iter().map(|pattern| Object::read(pattern, "pattern", Dialect::Mapping)).collect::<Result<_, _>>().map(Self)
    }

    /// Reads one pattern.
    ///
    /// # Errors
    /// What is not understood, and where.
    pub fn of(pattern: &Value, dialect: Dialect) -> Result<Self, String> {
        Object::read(pattern, "pattern", dialect).map(|pattern| Self(vec![pattern]))
    }

    /// True if there is no pattern.
    pub fn takes_all(&self) -> bool {
        self.0.is_empty()
    }

    /// True if the receiver wants the record.
    pub fn takes(&self, record: &Value) -> bool {
        self.takes_all() || self.0.iter().any(|pattern| pattern.matches(record.as_object()))
    }
}

impl Object {
    fn read(pattern: &Value, at: &str, dialect: Dialect) -> Result<Self, String> {
        let Some(pattern) = pattern.as_object().filter(|pattern| !pattern.is_empty()) else {
            return Err(format!("`{at}`: found `{pattern}`, expected an object that asks something"));
        };
        let (mut fields, mut either) = (Vec::new(), Vec::new());
        for (name, value) in pattern {
            let at = format!("{at}.{name}");
            match value {
                Value::Array(patterns) if name == "$or" => {
                    if patterns.len() < 2 {
                        return Err(format!("`{at}`: found {} pattern, expected two or more", patterns.len()));
                    }
                    either.push(patterns.iter().map(|one| Self::read(one, &at, dialect)).collect::<Result<_, _>>()?);
                }
                Value::Array(conditions) if !conditions.is_empty() => {
                    let conditions = conditions.iter().map(|one| Condition::read(one, &at, dialect)).collect::<Result<_, _>>()?;
                    fields.push((name.clone(), Test::AnyOf(conditions)));
                }
                Value::Object(_) if name != "$or" => fields.push((name.clone(), Test::Within(Self::read(value, &at, dialect)?))),
                other => return Err(format!("`{at}`: found `{other}`, expected an array of what the value may be")),
            }
        }
        Ok(Self { fields, either })
    }

    /// `None` is a missing object, which can only match conditions of absence.
    fn matches(&self, event: Option<&Map<String, Value>>) -> bool {
        let fields = self.fields.iter().all(|(name, test)| test.matches(event.and_then(|event| event.get(name))));
        fields && self.either.iter().all(|patterns| patterns.iter().any(|pattern| pattern.matches(event)))
    }
}

impl Test {
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Within(object), None) => object.matches(None),
            (Self::Within(object), Some(Value::Object(event))) => object.matches(Some(event)),
            (Self::Within(_), Some(Value::Array(values))) => values.iter().any(|value| self.matches(Some(value))),
            (Self::Within(_), Some(_)) => false,
            (Self::AnyOf(conditions), value) => {
                let mut leaves = Vec::new();
                collect_leaves(value, &mut leaves);
                if leaves.is_empty() {
                    conditions.contains(&Condition::Exists(false))
                } else {
                    leaves.iter().any(|leaf| conditions.iter().any(|condition| condition.matches(leaf)))
                }
            }
        }
    }
}

/// The values that conditions check: the value itself, or the elements of an array; never an
/// object.
fn collect_leaves<'a>(value: Option<&'a Value>, leaves: &mut Vec<&'a Value>) {
    match value {
        None | Some(Value::Object(_)) => {}
        Some(Value::Array(values)) => values.iter().for_each(|value| collect_leaves(Some(value), leaves)),
        Some(leaf) => leaves.push(leaf),
    }
}

impl Condition {
    fn read(condition: &Value, at: &str, dialect: Dialect) -> Result<Self, String> {
        let Some(operator) = condition.as_object() else {
            let plain = !condition.is_array();
            return plain.then(|| Self::Is(condition.clone())).ok_or_else(|| format!("`{at}`: found an array within an array"));
        };
        let mut entries = operator.iter();
        let (Some((name, value)), None) = (entries.next(), entries.next()) else {
            return Err(format!("`{at}`: found `{condition}`, expected one operator"));
        };
        let at = format!("{at}.{name}");
        let operators = dialect.operators();
        if !operators.contains(&name.as_str()) {
            return Err(format!("`{at}`: there is no such operator; there are: {}", operators.join(", ")));
        }
        Self::operator(name, value, &at, dialect)
    }

    /// The condition of an operator that the dialect has.
    fn operator(name: &str, value: &Value, at: &str, dialect: Dialect) -> Result<Self, String> {
        match name {
            "prefix" => Self::affix(value, at, Self::Prefix, Self::PrefixInAnyCase),
            "suffix" => Self::affix(value, at, Self::Suffix, Self::SuffixInAnyCase),
            "equals-ignore-case" => text(value, at).map(Self::InAnyCase),
            "anything-but" => Self::anything_but(value, at, dialect).map(Self::NoneOf),
            "numeric" => numeric(value, at).map(Self::Numeric),
            "cidr" => {
                Network::read(value).map(Self::Within).ok_or_else(|| format!("`{at}`: found `{value}`, expected for example `10.0.0.0/24`"))
            }
            "wildcard" => wildcard(value, at).map(Self::Wildcard),
            _ => value.as_bool().map(Self::Exists).ok_or_else(|| format!("`{at}`: found `{value}`, expected `true` or `false`")),
        }
    }

    fn affix(value: &Value, at: &str, exact: fn(String) -> Self, in_any_case: fn(String) -> Self) -> Result<Self, String> {
        match value.get("equals-ignore-case") {
            Some(inner) if value.as_object().is_some_and(|value| value.len() == 1) => text(inner, at).map(|text| in_any_case(lower(&text))),
            _ => text(value, at).map(exact),
        }
    }

    /// One value, several, or an operator with one or several texts.
    fn anything_but(value: &Value, at: &str, dialect: Dialect) -> Result<Vec<Self>, String> {
        let one_or_more = |value: &Value| match value {
            Value::Array(values) if !values.is_empty() => Ok(values.clone()),
            Value::Array(_) => Err(format!("`{at}`: found an empty array")),
            one => Ok(vec![one.clone()]),
        };
        let Some(operator) = value.as_object() else {
            let values = one_or_more(value)?;
            let plain = values.iter().all(|value| value.is_string() || value.is_number());
            return plain
                .then(|| values.into_iter().map(Self::Is).collect())
                .ok_or_else(|| format!("`{at}`: found `{value}`, expected texts or numbers"));
        };
        let mut conditions = Vec::new();
        for (name, value) in operator {
            let operators = dialect.within_anything_but();
            if !operators.contains(&name.as_str()) {
                return Err(format!("`{at}.{name}`: there is no such operator here; there are: {}", operators.join(", ")));
            }
            for value in one_or_more(value)? {
                conditions.push(Self::operator(name, &value, &format!("{at}.{name}"), dialect)?);
            }
        }
        if conditions.is_empty() { Err(format!("`{at}`: found an empty object")) } else { Ok(conditions) }
    }

    fn matches(&self, value: &Value) -> bool {
        let text = |holds: &dyn Fn(&str) -> bool| value.as_str().is_some_and(holds);
        match self {
            Self::Is(wanted) => value == wanted,
            Self::Prefix(wanted) => text(&|text| text.starts_with(wanted)),
            Self::PrefixInAnyCase(wanted) => text(&|text| lower(text).starts_with(wanted)),
            Self::Suffix(wanted) => text(&|text| text.ends_with(wanted)),
            Self::SuffixInAnyCase(wanted) => text(&|text| lower(text).ends_with(wanted)),
            Self::InAnyCase(wanted) => text(&|text| lower(text) == lower(wanted)),
            Self::NoneOf(conditions) => !conditions.iter().any(|condition| condition.matches(value)),
            Self::Numeric(bounds) => {
                value.as_f64().is_some_and(|number| bounds.iter().all(|(comparison, bound)| comparison.holds(number, *bound)))
            }
            Self::Exists(wanted) => *wanted,
            Self::Wildcard(pieces) => text(&|text| has_pieces(text, pieces)),
            Self::Within(network) => text(&|text| text.parse().is_ok_and(|address| network.has(address))),
        }
    }
}

impl Network {
    fn read(value: &Value) -> Option<Self> {
        let (address, bits) = value.as_str()?.split_once('/')?;
        let network = Self { address: address.parse().ok()?, bits: bits.parse().ok()? };
        (network.bits <= if network.address.is_ipv4() { 32 } else { 128 }).then_some(network)
    }

    fn has(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(of), IpAddr::V4(address)) => (of.to_bits() ^ address.to_bits()).leading_zeros() >= self.bits,
            (IpAddr::V6(of), IpAddr::V6(address)) => (of.to_bits() ^ address.to_bits()).leading_zeros() >= self.bits,
            _ => false,
        }
    }
}

/// The texts between the stars; a star or a backslash after a backslash means itself. Two stars in a row are not
/// allowed. Source: EventBridge user guide, "Matching using wildcards".
fn wildcard(value: &Value, at: &str) -> Result<Vec<String>, String> {
    let (text, mut pieces, mut last) = (text(value, at)?, vec![String::new()], None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '*' if last == Some('*') => return Err(format!("`{at}`: found two wildcards in a row")),
            '*' => pieces.push(String::new()),
            letter => {
                let escaped = if letter == '\\' { letters.next().filter(|it| matches!(it, '*' | '\\')) } else { Some(letter) };
                let escaped = escaped.ok_or_else(|| format!("`{at}`: found a backslash before neither a star nor a backslash"))?;
                pieces.last_mut().map(|piece| piece.push(escaped)).unwrap_or_default();
            }
        }
        last = Some(letter);
    }
    Ok(pieces)
}

/// Whether `text` is the pieces in order, with anything between them.
fn has_pieces(text: &str, pieces: &[String]) -> bool {
    let (Some((first, rest)), last) = (pieces.split_first(), pieces.last()) else { return false };
    let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
    let Some((_, between)) = rest.split_last() else { return left.is_empty() };
    for piece in between {
        let Some((_, after)) = left.split_once(piece.as_str()) else { return false };
        left = after;
    }
    last.is_some_and(|last| left.ends_with(last.as_str()))
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::AtMost => number <= bound,
            Self::Greater => number > bound,
            Self::AtLeast => number >= bound,
        }
    }
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

fn text(value: &Value, at: &str) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("`{at}`: found `{value}`, expected a text"))
}

fn numeric(value: &Value, at: &str) -> Result<Vec<(Comparison, f64)>, String> {
    let wrong = || format!("`{at}`: found `{value}`, expected for example `[\">\", 0, \"<=\", 5]`");
    let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if !matches!(parts.len(), 2 | 4) {
        return Err(wrong());
    }
    let pairs = parts.chunks_exact(2).map(|pair| {
        let [comparison, bound] = pair else { return None };
        let comparison = match comparison.as_str()? {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            ">" => Comparison::Greater,
            ">=" => Comparison::AtLeast,
            _ => return None,
        };
        Some((comparison, bound.as_f64()?))
    });
    pairs.collect::<Option<_>>().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_passes_if_a_pattern_matches() {
        let service = json!({ "userIdentity": { "type": ["Service"], "principalId": ["dynamodb.amazonaws.com"] } });
        let expired = json!({ "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" }, "eventName": "REMOVE" });
        let by_hand = json!({ "eventName": "REMOVE" });
        let a = |value: Value| json!({ "a": value });
        let either = json!({ "$or": [{ "a": [1] }, { "b": { "c": [2] } }] });
        let cases = [
            (service.clone(), expired.clone(), true),
            (service.clone(), by_hand.clone(), false),
            (service, json!({ "userIdentity": { "type": "Service" } }), false),
            (a(json!(["x", "y"])), a(json!("y")), true),
            (a(json!(["x", "y"])), a(json!("Y")), false),
            (a(json!(["x"])), a(json!(["w", "x"])), true),
            (a(json!([3])), a(json!(3)), true),
            (a(json!([3])), a(json!("3")), false),
            (a(json!([null])), a(json!(null)), true),
            (a(json!([null])), json!({}), false),
            (a(json!([""])), a(json!("")), true),
            (a(json!([{ "prefix": "us-" }])), a(json!("us-east-1")), true),
            (a(json!([{ "prefix": "us-" }])), a(json!("eu-us-")), false),
            (a(json!([{ "prefix": { "equals-ignore-case": "US-" } }])), a(json!("us-east-1")), true),
            (a(json!([{ "suffix": ".png" }])), a(json!("x.png")), true),
            (a(json!([{ "suffix": ".png" }])), a(json!("x.PNG")), false),
            (a(json!([{ "suffix": { "equals-ignore-case": ".png" } }])), a(json!("x.PNG")), true),
            (a(json!([{ "equals-ignore-case": "Jane" }])), a(json!("jANE")), true),
            (a(json!([{ "anything-but": ["x", "y"] }])), a(json!("z")), true),
            (a(json!([{ "anything-but": ["x", "y"] }])), a(json!("x")), false),
            (a(json!([{ "anything-but": 5 }])), a(json!(6)), true),
            (a(json!([{ "anything-but": "x" }])), json!({}), false),
            (a(json!([{ "anything-but": { "prefix": ["x", "y"] } }])), a(json!("yes")), false),
            (a(json!([{ "anything-but": { "suffix": "s" } }])), a(json!("no")), true),
            (a(json!([{ "numeric": ["=", 5] }])), a(json!(5.0)), true),
            (a(json!([{ "numeric": [">", 0, "<=", 5] }])), a(json!(5)), true),
            (a(json!([{ "numeric": [">", 0, "<", 5] }])), a(json!(5)), false),
            (a(json!([{ "numeric": [">=", 0] }])), a(json!("1")), false),
            (a(json!([{ "exists": true }])), a(json!(0)), true),
            (a(json!([{ "exists": true }])), json!({}), false),
            (a(json!([{ "exists": false }])), json!({}), true),
            (a(json!([{ "exists": false }])), a(json!(null)), false),
            (a(json!({ "b": [{ "exists": false }] })), json!({}), true),
            (a(json!({ "b": [{ "exists": false }] })), a(json!("no object")), false),
            (a(json!({ "b": ["x"] })), a(json!([{ "b": "w" }, { "b": "x" }])), true),
            (either.clone(), json!({ "b": { "c": 2 } }), true),
            (either.clone(), json!({ "a": 1 }), true),
            (either, json!({ "a": 2 }), false),
            (json!({ "a": [1], "$or": [{ "b": [2] }, { "b": [3] }] }), json!({ "a": 0, "b": 2 }), false),
        ];
        for (pattern, record, taken) in cases {
            let filter = Filter::read(std::slice::from_ref(&pattern)).unwrap();
            assert_eq!(filter.takes(&record), taken, "{pattern} of {record}");
        }
    }

    #[test]
    fn a_bus_and_a_topic_have_operators_of_their_own() {
        let a = |value: Value| json!({ "a": value });
        let cases = [
            (Dialect::Bus, json!([{ "wildcard": "dir/*.png" }]), "dir/x/y.png", true),
            (Dialect::Bus, json!([{ "wildcard": "dir/*.png" }]), "dir/x.pngs", false),
            (Dialect::Bus, json!([{ "wildcard": "*a*b*" }]), "xxaxxbxx", true),
            (Dialect::Bus, json!([{ "wildcard": "*a*b*" }]), "ba", false),
            (Dialect::Bus, json!([{ "wildcard": "ab*ba" }]), "aba", false),
            (Dialect::Bus, json!([{ "wildcard": "plain" }]), "plain", true),
            (Dialect::Bus, json!([{ "wildcard": "plain" }]), "plainer", false),
            (Dialect::Bus, json!([{ "wildcard": r"a\*b" }]), "a*b", true),
            (Dialect::Bus, json!([{ "wildcard": r"a\*b" }]), "axb", false),
            (Dialect::Bus, json!([{ "anything-but": { "wildcard": "*/lib/*" } }]), "a/lib/b", false),
            (Dialect::Bus, json!([{ "anything-but": { "wildcard": ["*/lib/*"] } }]), "a/bin/b", true),
            (Dialect::Bus, json!([{ "cidr": "10.0.0.0/24" }]), "10.0.0.255", true),
            (Dialect::Bus, json!([{ "cidr": "10.0.0.0/24" }]), "10.0.1.0", false),
            (Dialect::Topic, json!([{ "cidr": "0.0.0.0/0" }]), "no address", false),
            (Dialect::Topic, json!([{ "cidr": "2001:db8::/32" }]), "2001:db8:1::1", true),
        ];
        for (dialect, condition, value, taken) in cases {
            let pattern = a(condition);
            assert_eq!(Filter::of(&pattern, dialect).unwrap().takes(&a(json!(value))), taken, "{pattern} of {value}");
        }
        for (dialect, condition) in [
            (Dialect::Topic, json!({ "wildcard": "*" })),
            (Dialect::Mapping, json!({ "cidr": "10.0.0.0/24" })),
            (Dialect::Bus, json!({ "wildcard": "a**b" })),
            (Dialect::Bus, json!({ "wildcard": r"a\b" })),
            (Dialect::Bus, json!({ "cidr": "10.0.0.0/33" })),
            (Dialect::Bus, json!({ "cidr": "10.0.0.0" })),
            (Dialect::Topic, json!({ "anything-but": { "wildcard": "*" } })),
        ] {
            assert!(Filter::of(&a(json!([condition.clone()])), dialect).is_err(), "{condition}");
        }
    }

    #[test]
    fn one_matching_pattern_is_enough_and_without_patterns_everything_passes() {
        let two = Filter::read(&[json!({ "a": [1] }), json!({ "b": [2] })]).unwrap();
        for (record, taken) in [(json!({ "b": 2 }), true), (json!({ "a": 1, "b": 3 }), true), (json!({ "a": 2 }), false)] {
            assert_eq!(two.takes(&record), taken, "{record}");
        }
        assert!(Filter::read(&[]).unwrap().takes(&json!({ "a": 7 })));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let cases = [
            (json!({}), "`pattern`"),
            (json!("x"), "`pattern`"),
            (json!({ "a": "x" }), "`pattern.a`"),
            (json!({ "a": [] }), "`pattern.a`"),
            (json!({ "a": {} }), "`pattern.a`"),
            (json!({ "a": [["x"]] }), "`pattern.a`"),
            (json!({ "a": { "b": [{ "wildcard": "*" }] } }), "`pattern.a.b.wildcard`"),
            (json!({ "a": [{ "prefix": 5 }] }), "`pattern.a.prefix`"),
            (json!({ "a": [{ "prefix": "x", "suffix": "y" }] }), "`pattern.a`"),
            (json!({ "a": [{ "exists": "yes" }] }), "`pattern.a.exists`"),
            (json!({ "a": [{ "numeric": [">"] }] }), "`pattern.a.numeric`"),
            (json!({ "a": [{ "numeric": ["~", 5] }] }), "`pattern.a.numeric`"),
            (json!({ "a": [{ "anything-but": [] }] }), "`pattern.a.anything-but`"),
            (json!({ "a": [{ "anything-but": { "numeric": ["=", 1] } }] }), "`pattern.a.anything-but.numeric`"),
            (json!({ "$or": [{ "a": [1] }] }), "`pattern.$or`"),
            (json!({ "$or": { "a": [1] } }), "`pattern.$or`"),
        ];
        for (pattern, place) in cases {
            let why = Filter::read(std::slice::from_ref(&pattern)).unwrap_err();
            assert!(why.starts_with(&format!("{place}:")), "{pattern}: {why}");
        }
    }
}
