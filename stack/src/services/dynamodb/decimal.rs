//! DynamoDB's numbers, exactly: 38 significant digits, from 1E-130 to 9.9...E+125. Source: Amazon
//! DynamoDB, data types and naming rules.

use std::cmp::Ordering;

/// The most digits of a number.
const MOST_DIGITS: usize = 38;

/// `0.digits` times ten to the `power`, the digits without zeros at either end. No digits mean 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: String,
    power: i32,
}

impl Decimal {
    /// Reads `-12.5e3`.
    ///
    /// # Errors
    /// DynamoDB's message, if it is not a number or one that it does not store.
    pub fn read(text: &str) -> Result<Self, String> {
        let unreadable = || format!("The parameter cannot be converted to a numeric value: {text}");
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| unreadable())?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unreadable());
        }
        let length = i32::try_from(whole.len()).map_err(|_| unreadable())?;
        Self::of(negative, &all, exponent.saturating_add(length))
    }

    /// `0.all` times ten to the `power`.
    fn of(negative: bool, all: &str, power: i32) -> Result<Self, String> {
        let digits = all.trim_start_matches('0');
        let power = power.saturating_sub(i32::try_from(all.len() - digits.len()).unwrap_or(i32::MAX));
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Ok(Self { negative: false, digits: String::new(), power: 0 });
        }
        if digits.len() > MOST_DIGITS {
            return Err("Attempting to store more than 38 significant digits in a Number".to_owned());
        }
        match power {
            ..-129 => Err("Number underflow. Attempting to store a number with magnitude smaller than supported range".to_owned()),
            127.. => Err("Number overflow. Attempting to store a number with magnitude larger than supported range".to_owned()),
            _ => Ok(Self { negative, digits: digits.to_owned(), power }),
        }
    }

    /// Without an exponent, as DynamoDB writes it.
    pub fn plain(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let zeros = |count: usize| "0".repeat(count);
        let length = i32::try_from(self.digits.len()).unwrap_or(i32::MAX);
        let far = |count: i32| usize::try_from(count).unwrap_or(0);
        if self.digits.is_empty() {
            "0".to_owned()
        } else if self.power <= 0 {
            format!("{sign}0.{}{}", zeros(far(-self.power)), self.digits)
        } else if self.power >= length {
            format!("{sign}{}{}", self.digits, zeros(far(self.power - length)))
        } else {
            let (whole, fraction) = self.digits.split_at(far(self.power));
            format!("{sign}{whole}.{fraction}")
        }
    }

    /// How many significant digits it has.
    pub fn significant(&self) -> usize {
        self.digits.len()
    }

    /// The same number with the other sign.
    pub fn negated(mut self) -> Self {
        self.negative = !self.negative && !self.digits.is_empty();
        self
    }

    /// The sum.
    ///
    /// # Errors
    /// DynamoDB's message, if it does not store the sum.
    pub fn plus(&self, other: &Self) -> Result<Self, String> {
        let lowest = self.exponent().min(other.exponent());
        let (a, b) = (self.scaled(lowest), other.scaled(lowest));
        let (negative, sum) = if self.negative == other.negative {
            (self.negative, added(&a, &b))
        } else if larger(&a, &b) {
            (self.negative, taken(&a, &b))
        } else {
            (other.negative, taken(&b, &a))
        };
        let all: String = sum.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
        let power = lowest + i32::try_from(all.len()).unwrap_or(i32::MAX);
        Self::of(negative, &all, power)
    }

    /// The power of ten of its last digit.
    fn exponent(&self) -> i32 {
        self.power - i32::try_from(self.digits.len()).unwrap_or(0)
    }

    /// Its digits as an integer times ten to the `lowest`, the last digit first.
    fn scaled(&self, lowest: i32) -> Vec<u8> {
        let zeros = usize::try_from(self.exponent() - lowest).unwrap_or(0);
        std::iter::repeat_n(0, zeros).chain(self.digits.bytes().rev().map(|byte| byte - b'0')).collect()
    }

    fn size(&self) -> (bool, i32, &str) {
        (!self.digits.is_empty(), self.power, &self.digits)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size().cmp(&other.size()),
            (true, true) => other.size().cmp(&self.size()),
            (negative, _) if negative => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn digit(number: &[u8], at: usize) -> u8 {
    number.get(at).copied().unwrap_or(0)
}

fn larger(a: &[u8], b: &[u8]) -> bool {
    let first = (0..a.len().max(b.len())).rev().find(|at| digit(a, *at) != digit(b, *at));
    first.is_none_or(|at| digit(a, at) > digit(b, at))
}

fn added(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let digits = (0..=a.len().max(b.len())).map(|at| {
        let sum = digit(a, at) + digit(b, at) + carry;
        carry = sum / 10;
        sum % 10
    });
    digits.collect()
}

/// `a` minus `b`, which is not larger.
fn taken(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrowed = 0;
    let digits = (0..a.len().max(b.len())).map(|at| {
        let (from, less) = (digit(a, at), digit(b, at) + borrowed);
        borrowed = u8::from(from < less);
        (from + 10 * borrowed).saturating_sub(less)
    });
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_an_exponent_and_without_needless_zeros() {
        for (text, plain) in [
            ("0012.500", "12.5"),
            ("-1.5E+3", "-1500"),
            ("15e-1", "1.5"),
            ("1e-5", "0.00001"),
            ("-0.0", "0"),
            ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ] {
            assert_eq!(Decimal::read(text).unwrap().plain(), plain, "{text}");
        }
        for text in ["", "twelve", "1e200", "1e-131", "1e", ".", "123456789012345678901234567890123456789", "0x1", "NaN", "1_0"] {
            assert!(Decimal::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sums_are_exact() {
        for (a, b, sum) in [
            ("0.1", "0.2", Some("0.3")),
            ("1", "-1", Some("0")),
            ("5", "-7.5", Some("-2.5")),
            ("-5", "7.5", Some("2.5")),
            ("-1", "-0.01", Some("-1.01")),
            ("999", "1", Some("1000")),
            ("100", "-1", Some("99")),
            ("0", "9007199254740993", Some("9007199254740993")),
            ("1e38", "0.1", None),
        ] {
            let made = Decimal::read(a).unwrap().plus(&Decimal::read(b).unwrap());
            assert_eq!(made.ok().map(|it| it.plain()).as_deref(), sum, "{a} {b}");
        }
        assert_eq!(Decimal::read("-3").unwrap().negated(), Decimal::read("3").unwrap());
    }
}
