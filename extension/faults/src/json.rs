//! Reads JSON from front to back without building a tree: every value is known by its byte range,
//! and values that are not needed are skipped.

use std::borrow::Cow;
use std::ops::Range;

/// Events that are nested deeper are not read.
pub const DEEPEST: usize = 128;

/// Why reading stopped before the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The text ends within a value.
    Ends,
    /// It is not JSON (RFC 8259), or nested too deep.
    Broken,
    /// The caller needs no more.
    Enough,
}

/// A position in a text.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `text`.
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The text of these bytes.
    pub fn text(&self, place: Range<usize>) -> &'a str {
        self.text.get(place).unwrap_or_default()
    }

    /// The first byte of the next value.
    ///
    /// # Errors
    /// At the end of the text.
    pub fn peek(&mut self) -> Result<u8, Stop> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(Stop::Ends),
            }
        }
    }

    /// Reads the next value with `inside`, and returns its range.
    ///
    /// # Errors
    /// See [`Stop`].
    pub fn value(&mut self, inside: impl FnOnce(&mut Self) -> Result<(), Stop>) -> Result<Range<usize>, Stop> {
        self.peek()?;
        let from = self.at;
        inside(self)?;
        Ok(from..self.at)
    }

    /// Skips the next value, and returns its range.
    ///
    /// # Errors
    /// See [`Stop`].
    pub fn skip(&mut self) -> Result<Range<usize>, Stop> {
        self.value(Self::pass)
    }

    /// Skips a value of any kind, without recursion.
    fn pass(&mut self) -> Result<(), Stop> {
        let outside = self.depth;
        // The open containers as bits, the innermost last: 1 for an object, 0 for an array.
        let mut open: u128 = 0;
        loop {
            match self.peek()? {
                first @ (b'{' | b'[') => {
                    let is_object = first == b'{';
                    self.enter()?;
                    open = open << 1 | u128::from(is_object);
                    if self.peek()? != if is_object { b'}' } else { b']' } {
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                b'"' => self.string().map(|_| ())?,
                b't' => self.literal("true")?,
                b'f' => self.literal("false")?,
                b'n' => self.literal("null")?,
                _ => self.number()?,
            }
            while self.depth > outside {
                let is_object = open & 1 == 1;
                match self.peek()? {
                    b',' => break,
                    b'}' if is_object => self.close(),
                    b']' if !is_object => self.close(),
                    _ => return Err(Stop::Broken),
                }
                open >>= 1;
            }
            if self.depth == outside {
                return Ok(());
            }
            self.at += 1;
            if open & 1 == 1 {
                self.name()?;
            }
        }
    }

    fn enter(&mut self) -> Result<(), Stop> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST { Err(Stop::Broken) } else { Ok(()) }
    }

    const fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    /// Reads the name of a member and the colon after it, and returns the range of the name.
    fn name(&mut self) -> Result<Range<usize>, Stop> {
        if self.peek()? != b'"' {
            return Err(Stop::Broken);
        }
        let name = self.string()?;
        if self.peek()? != b':' {
            return Err(Stop::Broken);
        }
        self.at += 1;
        Ok(name)
    }

    /// Reads an object: `member` gets the range of each name, including quotes, and must skip the
    /// value.
    ///
    /// # Errors
    /// See [`Stop`].
    pub fn object(&mut self, mut member: impl FnMut(&mut Self, Range<usize>) -> Result<(), Stop>) -> Result<(), Stop> {
        self.list(b'}', |reader, _| {
            let name = reader.name()?;
            member(reader, name)
        })
    }

    /// Reads an array: `element` gets the index of each one, from 0, and must skip it.
    ///
    /// # Errors
    /// See [`Stop`].
    pub fn array(&mut self, element: impl FnMut(&mut Self, usize) -> Result<(), Stop>) -> Result<(), Stop> {
        self.list(b']', element)
    }

    fn list(&mut self, end: u8, mut one: impl FnMut(&mut Self, usize) -> Result<(), Stop>) -> Result<(), Stop> {
        self.enter()?;
        let mut count = 0;
        let mut more = self.peek()? != end;
        while more {
            one(self, count)?;
            count += 1;
            more = match self.peek()? {
                b',' => true,
                byte if byte == end => false,
                _ => return Err(Stop::Broken),
            };
            if more {
                self.at += 1;
            }
        }
        self.close();
        Ok(())
    }

    /// Whether the reader is inside an object or an array.
    pub const fn is_inside(&self) -> bool {
        self.depth > 0
    }

    /// Whether only whitespace is left.
    pub fn is_at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    fn string(&mut self) -> Result<Range<usize>, Stop> {
        let (bytes, from) = (self.text.as_bytes(), self.at);
        let mut at = from + 1;
        loop {
            at += plain(bytes.get(at..).unwrap_or_default());
            match bytes.get(at).ok_or(Stop::Ends)? {
                b'"' => break,
                b'\\' => at += escape(bytes.get(at + 1..).unwrap_or_default())?,
                _ => return Err(Stop::Broken),
            }
        }
        self.at = at + 1;
        Ok(from..self.at)
    }

    fn literal(&mut self, word: &str) -> Result<(), Stop> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let here = rest.get(..word.len()).unwrap_or(rest);
        if !word.as_bytes().starts_with(here) {
            return Err(Stop::Broken);
        }
        self.at += here.len();
        if here.len() < word.len() { Err(Stop::Ends) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), Stop> {
        self.take(|byte| byte == b'-');
        if self.take(|byte| byte == b'0') == 0 {
            self.digits()?;
        }
        if self.take(|byte| byte == b'.') == 1 {
            self.digits()?;
        }
        if self.take(|byte| matches!(byte, b'e' | b'E')) == 1 {
            self.take(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        // Within a container, more digits may follow.
        if self.depth > 0 && self.at == self.text.len() { Err(Stop::Ends) } else { Ok(()) }
    }

    fn digits(&mut self) -> Result<(), Stop> {
        if self.take(|byte| byte.is_ascii_digit()) == 0 {
            return Err(if self.at == self.text.len() { Stop::Ends } else { Stop::Broken });
        }
        while self.take(|byte| byte.is_ascii_digit()) > 0 {}
        Ok(())
    }

    /// Takes the next byte if it is wanted; returns how many were taken.
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let taken = usize::from(self.text.as_bytes().get(self.at).is_some_and(|byte| wanted(*byte)));
        self.at += taken;
        taken
    }
}

/// The number of bytes at the front that are not a quote, a backslash or a control character; eight
/// at a time, like serde_json.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (eights, rest) = bytes.as_chunks::<8>();
    for (at, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let found = (below(word, 0x20) | is(word, b'"') | is(word, b'\\')) & (ONES << 7);
        if found != 0 {
            return 8 * at + found.trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
    bytes.len() - rest.len() + end.unwrap_or(rest.len())
}

/// The length of an escape, where `rest` follows the backslash.
fn escape(rest: &[u8]) -> Result<usize, Stop> {
    match rest.first().ok_or(Stop::Ends)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(2),
        b'u' => {
            let digits = rest.get(1..).unwrap_or_default();
            let digits = digits.get(..4).unwrap_or(digits);
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return Err(Stop::Broken);
            }
            if digits.len() < 4 { Err(Stop::Ends) } else { Ok(6) }
        }
        _ => Err(Stop::Broken),
    }
}

/// The content of a JSON string; `None` if it is not a string, or has half of a surrogate pair.
pub fn said(string: &str) -> Option<Cow<'_, str>> {
    let inner = string.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(string).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn is_json(text: &str) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().is_ok() && reader.is_at_end()
    }

    #[test]
    fn json_is_skipped_and_anything_else_is_refused() {
        for text in [
            "0",
            "-1.5e+3",
            "[]",
            "{}",
            r#"{"a":[1,{"b":"\u0041\n"}],"c":null}"#,
            " [ true , false ] ",
            r#""\ud800""#,
            "1e999",
            "\"ü\u{7f}\"",
        ] {
            assert!(is_json(text), "{text}");
        }
        for text in [
            "",
            " ",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "1e",
            "nul",
            "nulL",
            "[1,]",
            "[1 2]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{a:1}"#,
            "'a'",
            r#""\x""#,
            r#""\u12G4""#,
            "\"\n\"",
            "\"a",
            "[1]]",
            "\u{feff}1",
            "/**/1",
            "NaN",
            "{\"a\":1,}",
        ] {
            assert!(!is_json(text), "{text}");
        }
        for (deep, fine) in [(DEEPEST, true), (DEEPEST + 1, false), (1 << 20, false)] {
            assert_eq!(is_json(&("[".repeat(deep) + &"]".repeat(deep))), fine, "{deep}");
        }
    }

    #[test]
    fn a_text_that_ends_early_is_not_yet_broken() {
        let text = r#"{"a":[1,-2.5e+3,{"b":"\u0041\\x"}],"c":null,"d":true}"#;
        for end in 0..text.len() {
            assert_eq!(Reader::new(&text[..end]).skip(), Err(Stop::Ends), "{}", &text[..end]);
        }
    }

    #[test]
    fn the_range_of_a_value_is_right() {
        let text = r#" { "a" : [ 1 , 22 ] , "\u0062": "x" } "#;
        let (mut reader, mut found) = (Reader::new(text), Vec::new());
        reader.peek().unwrap();
        reader
            .object(|reader, name| {
                let value = reader.skip()?;
                found.push((said(reader.text(name)).unwrap(), reader.text(value)));
                Ok(())
            })
            .unwrap();
        assert_eq!(found, [(Cow::Borrowed("a"), "[ 1 , 22 ]"), (Cow::Borrowed("b"), "\"x\"")]);
        assert!(reader.is_at_end());
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json(text in r#"[\[\]{}:, "\\au0-9.eE+truefalsnl-]{0,24}"#) {
            // For numbers out of range and half surrogate pairs, only the grammar counts here.
            let theirs = serde_json::from_str::<Value>(&text);
            let says = theirs.as_ref().err().map(ToString::to_string).unwrap_or_default();
            let is_of_meaning = ["out of range", "surrogate", "hex escape"].iter().any(|word| says.contains(word));
            prop_assert!(is_json(&text) == theirs.is_ok() || is_of_meaning, "{} {}", text, says);
        }

        #[test]
        fn the_end_of_a_string_is_right(text in ".{0,40}", tail in ".{0,10}") {
            let json = serde_json::to_string(&text).unwrap();
            let whole = format!("{json}{tail}");
            prop_assert_eq!(Reader::new(&whole).skip(), Ok(0..json.len()));
            prop_assert_eq!(said(&json).unwrap(), text);
        }
    }
}
