//! Three JSON parsers: a very strict one, one that accepts as much as it can, and JavaScript's.
//! Which one parses an answer is not known.

use serde_json::{Map, Value};

/// A parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// RFC 8259 and nothing else, not too deep; text is UTF-8.
    Strict,
    /// Comments, trailing commas, single quotes, bare names, a byte order mark, anything after the
    /// value; names in any case, the first of several.
    Lenient,
    /// `JSON.parse`: numbers out of range are infinite, half a surrogate pair is a character, the
    /// last of several members counts.
    JavaScript,
}

impl Reading {
    pub const ALL: [Self; 3] = [Self::Strict, Self::Lenient, Self::JavaScript];

    pub fn read(self, bytes: &[u8]) -> Option<Value> {
        if self == Self::Strict {
            return serde_json::from_slice(bytes).ok();
        }
        let text: Vec<char> = String::from_utf8_lossy(bytes).chars().collect();
        let mut parser = Parser { text: &text, at: 0, is_lenient: self == Self::Lenient };
        let value = parser.value()?;
        parser.blank();
        (self == Self::Lenient || parser.at == text.len()).then_some(value)
    }

    /// The value under a name.
    pub fn member(self, value: &Value, name: &str) -> Option<Value> {
        let is_named = |key: &str| if self == Self::Lenient { key.eq_ignore_ascii_case(name) } else { key == name };
        value.as_object()?.iter().find(|(key, _)| is_named(key)).map(|(_, value)| value.clone())
    }

    /// The value at the end of a path; null if it breaks off.
    pub fn at(self, value: &Value, path: &[&str]) -> Value {
        path.iter().try_fold(value.clone(), |value, name| self.member(&value, name)).unwrap_or_default()
    }

    /// Whether a condition holds with this value.
    pub fn is_true(self, value: &Value) -> bool {
        match value {
            Value::Bool(bool) => *bool,
            _ if self == Self::Strict => false,
            Value::Null => false,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(_) | Value::Object(_) => true,
        }
    }

    /// Whether a text is this word.
    pub fn is(self, value: &Value, word: &str) -> bool {
        value.as_str().is_some_and(|text| if self == Self::Lenient { text.trim().eq_ignore_ascii_case(word) } else { text == word })
    }

    /// A value as a number.
    pub fn number(self, value: &Value) -> Option<f64> {
        match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) if self != Self::Strict => text.trim().parse().ok(),
            _ => None,
        }
    }
}

struct Parser<'a> {
    text: &'a [char],
    at: usize,
    is_lenient: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        self.at += usize::from(is);
        is
    }

    fn blank(&mut self) {
        loop {
            match (self.peek(), self.text.get(self.at + 1)) {
                (Some(' ' | '\t' | '\n' | '\r'), _) => self.at += 1,
                (Some('\u{feff}' | '\u{a0}' | '\u{c}'), _) if self.is_lenient => self.at += 1,
                (Some('/'), Some('/')) | (Some('#'), _) if self.is_lenient => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                (Some('/'), Some('*')) if self.is_lenient => {
                    while self.at < self.text.len() && !self.text[self.at..].starts_with(&['*', '/']) {
                        self.at += 1;
                    }
                    self.at += 2;
                }
                _ => return,
            }
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.blank();
        match self.peek()? {
            '{' => self.object(),
            '[' => self.array(),
            '"' => self.string('"').map(Value::from),
            '\'' if self.is_lenient => self.string('\'').map(Value::from),
            _ => self.word(),
        }
    }

    fn object(&mut self) -> Option<Value> {
        self.at += 1;
        let mut map = Map::new();
        loop {
            self.blank();
            if self.take('}') {
                return Some(Value::Object(map));
            }
            let name = match self.peek()? {
                quote @ ('"' | '\'') if quote == '"' || self.is_lenient => self.string(quote)?,
                _ if self.is_lenient => self.bare()?,
                _ => return None,
            };
            self.blank();
            if !(self.take(':') || (self.is_lenient && self.take('='))) {
                return None;
            }
            let value = self.value()?;
            let is_known = map.keys().any(|key| if self.is_lenient { key.eq_ignore_ascii_case(&name) } else { false });
            if !is_known {
                map.insert(name, value);
            }
            if !self.goes_on('}')? {
                return Some(Value::Object(map));
            }
        }
    }

    fn array(&mut self) -> Option<Value> {
        self.at += 1;
        let mut list = Vec::new();
        loop {
            self.blank();
            if self.take(']') {
                return Some(Value::Array(list));
            }
            list.push(self.value()?);
            if !self.goes_on(']')? {
                return Some(Value::Array(list));
            }
        }
    }

    /// After a member: whether another can follow. For a lenient parser the end of the text closes
    /// everything.
    fn goes_on(&mut self, end: char) -> Option<bool> {
        self.blank();
        if self.take(',') {
            self.blank();
            return if self.peek() == Some(end) && !self.is_lenient { None } else { Some(true) };
        }
        self.take(end).then_some(false)
    }

    fn string(&mut self, quote: char) -> Option<String> {
        self.at += 1;
        let mut units: Vec<u16> = Vec::new();
        loop {
            let c = self.peek()?;
            self.at += 1;
            match c {
                _ if c == quote => return Some(String::from_utf16_lossy(&units)),
                '\\' => {
                    let escaped = self.peek()?;
                    self.at += 1;
                    let plain = match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        '"' | '\\' | '/' => escaped,
                        'u' => {
                            let digits: String = self.text.get(self.at..self.at + 4)?.iter().collect();
                            self.at += 4;
                            units.push(u16::from_str_radix(&digits, 16).ok()?);
                            continue;
                        }
                        _ if self.is_lenient => escaped,
                        _ => return None,
                    };
                    units.extend(plain.encode_utf16(&mut [0; 2]).iter());
                }
                '\0'..='\u{1f}' if !self.is_lenient => return None,
                _ => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn bare(&mut self) -> Option<String> {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || "_-.+$".contains(c)) {
            self.at += 1;
        }
        (self.at > from).then(|| self.text[from..self.at].iter().collect())
    }

    fn word(&mut self) -> Option<Value> {
        let word = self.bare()?;
        let is_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || (self.is_lenient && "+.".contains(c)));
        match word.as_str() {
            "true" => Some(Value::from(true)),
            "false" => Some(Value::from(false)),
            "null" => Some(Value::Null),
            _ if is_number => word.parse::<f64>().ok().map(|number| Value::from(number.clamp(f64::MIN, f64::MAX))),
            _ if self.is_lenient => Some(if word.eq_ignore_ascii_case("true") { true.into() } else { word.into() }),
            _ => None,
        }
    }
}

#[test]
fn the_parsers_differ_as_intended() {
    let reads = |text: &str| Reading::ALL.map(|reading| reading.read(text.as_bytes()).is_some());
    for (text, by) in [
        (r#"{"a":[1,"x\u0041",true,null,-2.5e3]}"#, [true, true, true]),
        (r#"{"a":1,"b":{}} x"#, [false, true, false]),
        (r#"{"a":1,}"#, [false, true, false]),
        ("{a:'b'}", [false, true, false]),
        ("/*x*/{\"a\":1}//", [false, true, false]),
        (r#"{"a":"\ud800"}"#, [false, true, true]),
        (r#"{"a":1e999}"#, [false, true, true]),
        (r#"{"a""#, [false, false, false]),
        ("\u{fffd}\"a\":1}", [false, false, false]),
    ] {
        assert_eq!(reads(text), by, "{text}");
    }
    let deep = "[".repeat(500) + &"]".repeat(500);
    assert_eq!(reads(&deep), [false, true, true]);
    let twice = br#"{"a":1,"a":2}"#;
    let a = Reading::ALL.map(|reading| reading.at(&reading.read(twice).unwrap(), &["a"]).as_f64().unwrap());
    assert_eq!(a, [2.0, 1.0, 2.0]);
}
