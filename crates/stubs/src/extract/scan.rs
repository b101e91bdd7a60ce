//! The shape of a JSON text, looked at before anything is made of it: what a parser would make of a hostile text of a few megabytes
//! takes gigabytes. The text is read once and nothing of it is copied. Whether it is well-formed is for the parser to say.

use std::fmt::Write as _;
use std::ops::Range;

use crate::{Category, FAULTS_MAX, Fault, Location};

/// Objects and arrays within each other. The documents describe a handful.
pub(crate) const DEPTH_MAX: usize = 64;

/// Fields of one object. The largest object of the documents has a hundred; the rest are custom fields.
pub(crate) const FIELDS_MAX: usize = 1_000;

/// Elements of one array: as many as the longest array of the documents may have.
pub(crate) const ELEMENTS_MAX: usize = 50_000;

/// What all values weigh together; a unit is some eighty bytes of memory. 50,000 records of 25 fields fit.
const WEIGHT_MAX: usize = 3_000_000;

/// What a value of each kind weighs.
const SCALAR_WEIGHT: usize = 1;
const FIELD_WEIGHT: usize = 1;
const ARRAY_WEIGHT: usize = 4;
const OBJECT_WEIGHT: usize = 8;

/// Significant digits that a float holds of any decimal number.
const DIGITS_SAFE: usize = 15;

/// An object or array whose end has not come yet.
struct Open {
    is_object: bool,
    /// Fields or elements before the one at hand.
    passed: usize,
    /// The name of the field at hand, with its quotes.
    name: Range<usize>,
    /// What comes next in an object is a name.
    wants_name: bool,
}

/// The way through a text.
struct Scan<'j> {
    json: &'j [u8],
    open: Vec<Open>,
    weight: usize,
    inexact: Vec<Fault>,
}

/// Reads a text within the bounds. Gives a fault for each number that would not be held as it is written, up to one more than
/// [`FAULTS_MAX`]; or the fault of a text that exceeds a bound, which must not be parsed.
pub(crate) fn scan(json: &[u8]) -> Result<Vec<Fault>, Fault> {
    let mut scan = Scan { json, open: Vec::new(), weight: 0, inexact: Vec::new() };
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at = match byte {
            b'"' => scan.text(at)?,
            b'{' | b'[' => scan.enter(at)?,
            b'}' | b']' => {
                scan.open.pop();
                at + 1
            }
            b',' => scan.pass(at)?,
            b'-' | b'0'..=b'9' => scan.number(at)?,
            b't' | b'f' | b'n' => scan.word(at)?,
            _ => at + 1,
        };
    }
    Ok(scan.inexact)
}

/// Where a text that begins here ends, behind its closing quote.
pub(super) fn text_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

impl Scan<'_> {
    /// A name or a text.
    fn text(&mut self, at: usize) -> Result<usize, Fault> {
        let end = text_end(self.json, at);
        match self.open.last_mut() {
            Some(open) if open.wants_name => {
                (open.name, open.wants_name) = (at..end, false);
                if open.passed >= FIELDS_MAX {
                    open.name = 0..0;
                    return Err(self.fault(format!("must have at most {FIELDS_MAX} fields")));
                }
                self.weigh(FIELD_WEIGHT)?;
            }
            _ => self.weigh(SCALAR_WEIGHT)?,
        }
        Ok(end)
    }

    fn enter(&mut self, at: usize) -> Result<usize, Fault> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.fault(format!("has more than {DEPTH_MAX} levels within each other")));
        }
        let is_object = self.json.get(at) == Some(&b'{');
        self.weigh(if is_object { OBJECT_WEIGHT } else { ARRAY_WEIGHT })?;
        self.open.push(Open { is_object, passed: 0, name: 0..0, wants_name: is_object });
        Ok(at + 1)
    }

    /// Goes on to the next field or element.
    fn pass(&mut self, at: usize) -> Result<usize, Fault> {
        let Some(open) = self.open.last_mut() else { return Ok(at + 1) };
        open.passed += 1;
        open.wants_name = open.is_object;
        if !open.is_object && open.passed >= ELEMENTS_MAX {
            self.open.pop();
            return Err(self.fault(format!("must have at most {ELEMENTS_MAX} elements")));
        }
        Ok(at + 1)
    }

    fn word(&mut self, at: usize) -> Result<usize, Fault> {
        self.weigh(SCALAR_WEIGHT)?;
        let rest = self.json.get(at..).unwrap_or_default();
        Ok(at + rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count())
    }

    fn number(&mut self, at: usize) -> Result<usize, Fault> {
        self.weigh(SCALAR_WEIGHT)?;
        let rest = self.json.get(at..).unwrap_or_default();
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().take_while(is_part).count();
        let number = rest.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
        if !is_held_exactly(number) && self.inexact.len() <= FAULTS_MAX {
            let fault = self.fault("has more digits than can be held exactly".to_owned());
            self.inexact.push(fault);
        }
        Ok(at + length)
    }

    fn weigh(&mut self, weight: usize) -> Result<(), Fault> {
        self.weight += weight;
        if self.weight <= WEIGHT_MAX {
            return Ok(());
        }
        let message = "the body holds more values than the server reads at once".to_owned();
        Err(Fault {
            location: Location::Body,
            field: String::new(),
            message,
            category: Category::BodyTooLarge,
        })
    }

    /// A fault of the value at hand.
    fn fault(&self, message: String) -> Fault {
        Fault { location: Location::Body, field: self.path(), message, category: Category::InvalidValue }
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            // A text can always be written to.
            let _ = match self.json.get(open.name.clone()) {
                _ if !open.is_object => write!(path, "[{}]", open.passed),
                Some(name) if !name.is_empty() => {
                    let name: String = serde_json::from_slice(name).unwrap_or_default();
                    write!(path, "{}{name}", if path.is_empty() { "" } else { "." })
                }
                _ => Ok(()),
            };
        }
        path
    }
}

/// Whether a number reads back as it is written: as an integer of 64 bits, or as the float nearest to it.
fn is_held_exactly(number: &str) -> bool {
    // Most numbers are short.
    if number.len() <= DIGITS_SAFE && !number.contains(['e', 'E']) {
        return true;
    }
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    // What is no number is refused as such.
    let Ok(float) = number.parse::<f64>() else { return true };
    float.is_finite() && digits(number) == digits(&format!("{float:e}"))
}

/// The significant digits of a decimal number, and the power of ten of the first of them; nothing of zero.
fn digits(number: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat().chars().filter(char::is_ascii_digit).collect();
    let leading = all.find(|digit| digit != '0')?;
    let whole_digits = whole.bytes().filter(u8::is_ascii_digit).count();
    let place = i64::try_from(whole_digits).ok()? - i64::try_from(leading).ok()?;
    // An exponent that is out of range makes a number that no float is equal to.
    let place = place.saturating_add(exponent.parse().unwrap_or(i64::MAX));
    Some((all[leading..].trim_end_matches('0').to_owned(), place))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn refused(json: &str) -> (String, String) {
        let fault = scan(json.as_bytes()).unwrap_err();
        (fault.field, fault.message)
    }

    #[test]
    fn bounds_are_named_where_they_are_exceeded() {
        let elements = |count: usize| format!(r#"{{"a":{{"b":[{}1]}}}}"#, "1,".repeat(count - 1));
        assert_eq!(scan(elements(ELEMENTS_MAX).as_bytes()), Ok(vec![]));
        let refusal = (String::from("a.b"), String::from("must have at most 50000 elements"));
        assert_eq!(refused(&elements(ELEMENTS_MAX + 1)), refusal);

        let fields = |count: usize| {
            let fields: Vec<String> = (0..count).map(|at| format!(r#""{at}":{{"x":1}}"#)).collect();
            format!(r#"{{"a":[0,{{{}}}]}}"#, fields.join(","))
        };
        assert_eq!(scan(fields(FIELDS_MAX).as_bytes()), Ok(vec![]));
        let refusal = (String::from("a[1]"), String::from("must have at most 1000 fields"));
        assert_eq!(refused(&fields(FIELDS_MAX + 1)), refusal);

        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(scan(deep(DEPTH_MAX).as_bytes()), Ok(vec![]));
        assert!(refused(&deep(DEPTH_MAX + 1)).1.contains("levels"));
    }

    #[test]
    fn many_small_values_weigh_too_much() {
        let list = format!("[{}1]", "1,".repeat(ELEMENTS_MAX - 1));
        let many = format!("[{list}{}]", format!(",{list}").repeat(60));
        assert_eq!(scan(many.as_bytes()).unwrap_err().category, Category::BodyTooLarge);
        let few = format!("[{list}{}]", format!(",{list}").repeat(50));
        assert_eq!(scan(few.as_bytes()), Ok(vec![]));
        let objects = format!("[{}1]", "[{},{},{},{},{},{},{},{},{},{}],".repeat(40_000));
        assert_eq!(scan(objects.as_bytes()).unwrap_err().category, Category::BodyTooLarge);
    }

    #[test]
    fn marks_within_texts_are_no_marks() {
        let json = format!(r#"{{"{}":"{}\"{{[,","b":"\\"}}"#, "[".repeat(2 * DEPTH_MAX), ",".repeat(60_000));
        assert_eq!(scan(json.as_bytes()), Ok(vec![]));
        for cut in [r#"{"a"#, r#"{"a\"#, r#"{"a":-"#, "]", "}}", ",", "\"\\", ""] {
            assert_eq!(scan(cut.as_bytes()), Ok(vec![]), "{cut}");
        }
    }

    #[test]
    fn numbers_are_held_exactly_or_named() {
        let exact = [
            "0",
            "-0",
            "1",
            "100.00",
            "1e2",
            "1E+2",
            "0.1",
            "12.5e-1",
            "9223372036854775807",
            "18446744073709551615",
            "-9223372036854775808",
            "0.30000000000000004",
            "1e300",
            "1.0000000000000000000000",
            "0e-400",
            "100000000000000000000",
            "5e-324",
            "0.1e-320",
            "0.000",
        ];
        for number in exact {
            assert!(is_held_exactly(number), "{number}");
        }
        let inexact = [
            "1e-400",
            "5.0000000000000000001",
            "1.0049999999999999999999999",
            "18446744073709551617",
            "1e400",
            "123456789012345678901",
            "-0.12345678901234567890123",
            "1e-99999999999999999999",
            "1e99999999999999999999",
        ];
        for number in inexact {
            assert!(!is_held_exactly(number), "{number}");
        }
        let faults = scan(br#"{"a":[{"b\u0063":1e-400}, 1, 5.0000000000000000001], "d": 2}"#).unwrap();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["a[0].bc", "a[2]"]);
    }

    #[test]
    fn faults_of_numbers_are_bounded() {
        let many = format!("[{}1]", "1e-400,".repeat(10 * FAULTS_MAX));
        assert_eq!(scan(many.as_bytes()).unwrap().len(), FAULTS_MAX + 1);
    }
}
