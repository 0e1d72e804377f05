//! The functions of payload templates besides `States.Format`. Source: developer guide, "Intrinsic
//! functions".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use serde_json::{Map, Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::chance::Chance;

/// The most elements of a list that `States.ArrayRange` makes.
const LONGEST_RANGE: i64 = 1000;
/// The most characters that are encoded, decoded or hashed.
const LONGEST_TEXT: usize = 10_000;

/// Any number of arguments.
const ANY: usize = usize::MAX;

macro_rules! functions {
    ($($name:ident, $least:expr, $most:expr, $what:literal;)*) => {
        /// A function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Function {
            $(#[doc = $what] $name,)*
        }

        /// Each with its name, and how many arguments it takes.
        const FUNCTIONS: &[(&str, Function, usize, usize)] = &[$((concat!("States.", stringify!($name)), Function::$name, $least, $most),)*];
    };
}

functions! {
    StringToJson, 1, 1, "The value of a JSON text.";
    JsonToString, 1, 1, "A value as JSON text.";
    Array, 0, ANY, "A list of the arguments.";
    ArrayPartition, 2, 2, "A list cut into lists of a length.";
    ArrayContains, 2, 2, "Whether a list has a value.";
    ArrayRange, 3, 3, "The numbers from the first to the last in steps.";
    ArrayGetItem, 2, 2, "The value at a position.";
    ArrayLength, 1, 1, "How long a list is.";
    ArrayUnique, 1, 1, "A list without what is in it twice.";
    Base64Encode, 1, 1, "A text in base64.";
    Base64Decode, 1, 1, "The text of a base64 text.";
    Hash, 2, 2, "The hash of a value, by the name of an algorithm.";
    JsonMerge, 3, 3, "Two objects as one; the second prevails.";
    MathRandom, 2, 3, "A number between two, the second excluded.";
    MathAdd, 2, 2, "The sum of two whole numbers.";
    StringSplit, 2, 2, "The parts of a text between any of some characters.";
    UUID, 0, 0, "A UUID of version 4.";
}

impl Function {
    /// The function of this name.
    ///
    /// # Errors
    /// If it does not exist; with those that do.
    pub(crate) fn read(name: &str) -> Result<Self, String> {
        let found = FUNCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, function, ..)| *function);
        let all = || FUNCTIONS.iter().map(|(known, ..)| *known).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("found `{name}`, there are: States.Format, {}", all()))
    }

    fn row(self) -> (&'static str, usize, usize) {
        let row = FUNCTIONS.iter().find(|(_, function, ..)| *function == self);
        row.map_or(("", 0, ANY), |(name, _, least, most)| (name, *least, *most))
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// The fewest and the most arguments.
    pub(crate) fn arguments(self) -> (usize, usize) {
        let (_, least, most) = self.row();
        (least, most)
    }

    /// Its value.
    ///
    /// # Errors
    /// If it cannot take these arguments; what it takes.
    pub(crate) fn call(self, arguments: &[Value], chance: &Chance) -> Result<Value, String> {
        let argument = |at: usize| arguments.get(at).unwrap_or(&Value::Null);
        let (first, second) = (argument(0), argument(1));
        Ok(match self {
            Self::StringToJson => serde_json::from_str(text(first)?).map_err(|why| format!("was given a text that is not JSON: {why}"))?,
            Self::JsonToString => Value::String(first.to_string()),
            Self::Array => arguments.to_vec().into(),
            Self::ArrayPartition => partition(list(first)?, whole(second)?)?,
            Self::ArrayContains => list(first)?.contains(second).into(),
            Self::ArrayRange => range(whole(first)?, whole(second)?, whole(argument(2))?)?,
            Self::ArrayGetItem => {
                let (list, index) = (list(first)?, whole(second)?);
                let item = usize::try_from(index).ok().and_then(|index| list.get(index)).cloned();
                item.ok_or_else(|| format!("was given the position {index} in a list of {}", list.len()))?
            }
            Self::ArrayLength => list(first)?.len().into(),
            Self::ArrayUnique => unique(list(first)?),
            Self::Base64Encode => STANDARD.encode(short(first)?).into(),
            Self::Base64Decode => {
                let bytes = STANDARD.decode(short(first)?).map_err(|why| format!("was given a text that is not base64: {why}"))?;
                String::from_utf8(bytes).map_err(|_| "was given base64 that is not UTF-8".to_owned())?.into()
            }
            Self::Hash => hash(first, text(second)?)?.into(),
            Self::JsonMerge => merge(first, second, argument(2))?,
            Self::MathRandom => random(whole(first)?, whole(second)?, arguments.get(2), chance)?.into(),
            Self::MathAdd => whole(first)?.checked_add(whole(second)?).ok_or("was given numbers whose sum is too large")?.into(),
            Self::StringSplit => {
                let (text, between) = (text(first)?, text(second)?);
                text.split(|c: char| between.contains(c)).filter(|part| !part.is_empty()).collect::<Vec<_>>().into()
            }
            Self::UUID => faults::uuid(chance.draw(), chance.draw()).into(),
        })
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("takes a text and was given `{value}`"))
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("takes a list and was given `{value}`"))
}

/// A whole number; one that is not is rounded. Source: developer guide, `States.MathAdd`.
fn whole(value: &Value) -> Result<i64, String> {
    let rounded = || value.as_f64().filter(|number| number.abs() < 9e15).map(|number| number.round() as i64);
    value.as_i64().or_else(rounded).ok_or_else(|| format!("takes a whole number and was given `{value}`"))
}

fn short(value: &Value) -> Result<&str, String> {
    text(value).and_then(|text| {
        let length = text.chars().count();
        if length <= LONGEST_TEXT { Ok(text) } else { Err(format!("takes at most {LONGEST_TEXT} characters and was given {length}")) }
    })
}

fn partition(list: &[Value], size: i64) -> Result<Value, String> {
    let size = usize::try_from(size).ok().filter(|size| *size > 0).ok_or_else(|| format!("takes a length above 0 and was given {size}"))?;
    Ok(list.chunks(size).map(<[Value]>::to_vec).collect::<Vec<_>>().into())
}

fn unique(list: &[Value]) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for one in list {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
    all.into()
}

fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("takes a step other than 0".to_owned());
    }
    let steps = last.checked_sub(first).and_then(|distance| distance.checked_div(step)).ok_or("was given numbers that are too large")?;
    if steps >= LONGEST_RANGE {
        return Err(format!("makes at most {LONGEST_RANGE} numbers and was asked for {}", steps.saturating_add(1)));
    }
    let is_empty = (step > 0 && first > last) || (step < 0 && first < last);
    Ok(if is_empty { json!([]) } else { (0..=steps).map(|n| first + n * step).collect::<Vec<_>>().into() })
}

fn hash(value: &Value, algorithm: &str) -> Result<String, String> {
    let data = match value {
        Value::String(_) => short(value)?.to_owned(),
        other => other.to_string(),
    };
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Ok(match algorithm {
        "MD5" => hexadecimal(&Md5::digest(data)),
        "SHA-1" => hexadecimal(&Sha1::digest(data)),
        "SHA-256" => hexadecimal(&Sha256::digest(data)),
        "SHA-384" => hexadecimal(&Sha384::digest(data)),
        "SHA-512" => hexadecimal(&Sha512::digest(data)),
        other => return Err(format!("was given the algorithm `{other}`, there are: MD5, SHA-1, SHA-256, SHA-384, SHA-512")),
    })
}

fn merge(first: &Value, second: &Value, deep: &Value) -> Result<Value, String> {
    if deep != &Value::Bool(false) {
        return Err("merges only shallowly: its third argument is `false`".to_owned());
    }
    let object = |value: &Value| value.as_object().cloned().ok_or_else(|| format!("takes objects and was given `{value}`"));
    let both: Map<String, Value> = object(first)?.into_iter().chain(object(second)?).collect();
    Ok(Value::Object(both))
}

fn random(from: i64, to: i64, seed: Option<&Value>, chance: &Chance) -> Result<i64, String> {
    let width = to.checked_sub(from).filter(|width| *width > 0).ok_or_else(|| format!("takes a range and was given {from} to {to}"))?;
    let drawn = match seed {
        Some(seed) => Chance::of_seed(whole(seed)?),
        None => chance.draw(),
    };
    let within = drawn.checked_rem(width.cast_unsigned()).unwrap_or(0);
    Ok(from.saturating_add(i64::try_from(within).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(name: &str, arguments: Value) -> Result<Value, String> {
        Function::read(name)?.call(arguments.as_array().unwrap(), &Chance::of("e"))
    }

    #[test]
    fn each_function_does_what_the_guide_says() {
        for (name, arguments, value) in [
            ("States.StringToJson", json!(["{\"a\":[1]}"]), json!({"a": [1]})),
            ("States.JsonToString", json!([{"a": 1}]), json!("{\"a\":1}")),
            ("States.Array", json!([]), json!([])),
            ("States.ArrayPartition", json!([[1, 2, 3, 4, 5], 2]), json!([[1, 2], [3, 4], [5]])),
            ("States.ArrayContains", json!([[1, {"a": 1}], {"a": 1}]), json!(true)),
            ("States.ArrayContains", json!([["1"], 1]), json!(false)),
            ("States.ArrayRange", json!([2, 10, 4]), json!([2, 6, 10])),
            ("States.ArrayRange", json!([3, -3, -2]), json!([3, 1, -1, -3])),
            ("States.ArrayRange", json!([3, 1, 1]), json!([])),
            ("States.ArrayGetItem", json!([["a", "b"], 1]), json!("b")),
            ("States.ArrayLength", json!([[1, 2, 3]]), json!(3)),
            ("States.ArrayUnique", json!([[3, "a", 3, "a", 1]]), json!([3, "a", 1])),
            ("States.Base64Encode", json!(["naïve"]), json!("bmHDr3Zl")),
            ("States.Base64Decode", json!(["bmHDr3Zl"]), json!("naïve")),
            ("States.Hash", json!(["abc", "MD5"]), json!("900150983cd24fb0d6963f7d28e17f72")),
            ("States.Hash", json!(["abc", "SHA-1"]), json!("a9993e364706816aba3e25717850c26c9cd0d89d")),
            ("States.Hash", json!(["abc", "SHA-256"]), json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
            ("States.JsonMerge", json!([{"a": {"x": 1}, "b": 2}, {"a": {"y": 3}}, false]), json!({"a": {"y": 3}, "b": 2})),
            ("States.MathAdd", json!([111, -1]), json!(110)),
            ("States.StringSplit", json!(["one.two,,three", ".,"]), json!(["one", "two", "three"])),
            ("States.StringSplit", json!([", ,", ","]), json!([" "])),
        ] {
            assert_eq!(called(name, arguments.clone()), Ok(value), "{name} {arguments}");
        }
        assert!(called("States.Hash", json!(["abc", "SHA-384"])).unwrap().as_str().unwrap().starts_with("cb00753f45a35e8b"));
        assert!(called("States.Hash", json!(["abc", "SHA-512"])).unwrap().as_str().unwrap().starts_with("ddaf35a193617aba"));
    }

    #[test]
    fn what_a_function_cannot_take_is_an_error() {
        for (name, arguments) in [
            ("States.StringToJson", json!(["{"])),
            ("States.ArrayPartition", json!([[1], 0])),
            ("States.ArrayRange", json!([0, 1000, 1])),
            ("States.ArrayRange", json!([0, 1, 0])),
            ("States.ArrayGetItem", json!([[1], 1])),
            ("States.ArrayGetItem", json!([[1], -1])),
            ("States.ArrayLength", json!(["text"])),
            ("States.Base64Decode", json!(["?"])),
            ("States.Base64Encode", json!(["x".repeat(LONGEST_TEXT + 1)])),
            ("States.Hash", json!(["a", "SHA-3"])),
            ("States.JsonMerge", json!([{}, {}, true])),
            ("States.MathRandom", json!([5, 5])),
            ("States.MathAdd", json!(["1", 1])),
            ("States.MathAdd", json!([i64::MAX, 1])),
        ] {
            assert!(called(name, arguments.clone()).is_err(), "{name} {arguments}");
        }
    }

    #[test]
    fn what_is_random_stays_within_its_bounds_and_a_seed_repeats_it() {
        let chance = Chance::of("e");
        let seen: std::collections::BTreeSet<i64> = (0..200).map(|_| random(1, 4, None, &chance).unwrap()).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(random(0, 1_000_000, Some(&json!(7)), &chance), random(0, 1_000_000, Some(&json!(7)), &chance));
        let uuid = || Function::UUID.call(&[], &chance).unwrap();
        assert_ne!(uuid(), uuid());
    }
}
