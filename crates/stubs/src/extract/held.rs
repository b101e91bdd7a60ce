//! Texts that must not come to rest, wherever a body holds them.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{Category, FAULTS_MAX, Fault, Location};

/// Numbers from here on are judged like texts. Smaller ones are too short to be anything but a number.
const NUMBER_MIN: u64 = 100_000_000_000;

/// Request extension: which texts no JSON body may hold, in fields that are known or not. A layer in front of the router sets it.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// Whether a field of this name may not hold this text. An element of an array belongs to the field of the array.
    pub refuses: fn(&str, &str) -> bool,
    /// What is said of such a text, which is never repeated.
    pub message: &'static str,
}

impl TextRule {
    /// One fault for each text of well-formed JSON that the rule refuses, at most [`FAULTS_MAX`]. Names of fields are texts, too.
    pub fn faults(&self, json: &[u8]) -> Vec<Fault> {
        let mut walk = Walk { rule: *self, path: String::new(), faults: Vec::new() };
        let mut reader = serde_json::Deserializer::from_slice(json);
        // What is not well-formed is refused as such.
        let is_read =
            reader.deserialize_any(At { walk: &mut walk, name: "" }).is_ok() && reader.end().is_ok();
        if is_read { walk.faults } else { Vec::new() }
    }
}

/// The way through a body.
struct Walk {
    rule: TextRule,
    path: String,
    faults: Vec<Fault>,
}

impl Walk {
    /// Judges a text; says whether it is refused.
    fn judge(&mut self, name: &str, text: &str) -> bool {
        let is_refused = self.faults.len() < FAULTS_MAX && (self.rule.refuses)(name, text);
        if is_refused {
            self.faults.push(Fault {
                location: Location::Body,
                field: self.path.clone(),
                message: self.rule.message.to_owned(),
                category: Category::InvalidValue,
            });
        }
        is_refused
    }

    /// Goes on to a field.
    fn enter(&mut self, name: &str) {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
    }

    /// Goes on to an element.
    fn enter_at(&mut self, index: usize) {
        // A text can always be written to.
        let _ = write!(self.path, "[{index}]");
    }
}

/// A place on the way: what is read there belongs to the field of this name.
struct At<'w, 'n> {
    walk: &'w mut Walk,
    name: &'n str,
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        // Only negative numbers come here.
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if number >= NUMBER_MIN {
            self.walk.judge(self.name, &number.to_string());
        }
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.walk.judge(self.name, text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let length = self.walk.path.len();
        let mut index = 0_usize;
        loop {
            self.walk.enter_at(index);
            let element = elements.next_element_seed(At { walk: &mut *self.walk, name: self.name })?;
            self.walk.path.truncate(length);
            if element.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let length = self.walk.path.len();
        while let Some(name) = fields.next_key::<String>()? {
            // A name that is refused is not told either.
            if !self.walk.judge("", &name) {
                self.walk.enter(&name);
            }
            fields.next_value_seed(At { walk: &mut *self.walk, name: &name })?;
            self.walk.path.truncate(length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: TextRule = TextRule {
        refuses: |name, text| name != "safe" && text.contains("123456789012"),
        message: "is refused",
    };

    #[test]
    fn every_text_is_judged_where_it_stands() {
        let json = br#"{"safe": "123456789012", "a": {"b": [1, ["x", "123456789012"], 123456789012, {"safe": 1}]},
            "c": "\u0031\u00323456789012", "123456789012": null, "d": [true, -123456789012, 1.5, null, "12345678901"]}"#;
        let faults = RULE.faults(json);
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["a.b[1][1]", "a.b[2]", "c", ""]);
        assert!(faults.iter().all(|fault| fault.message == "is refused"));
    }

    #[test]
    fn a_refused_name_is_not_told() {
        let faults = RULE.faults(br#"{"a": {"123456789012": ["123456789012"]}}"#);
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["a", "a[0]"]);
    }

    #[test]
    fn malformed_bodies_and_many_faults_have_bounds() {
        assert!(RULE.faults(br#"["123456789012""#).is_empty());
        let many = format!("[{}1]", r#""123456789012","#.repeat(2 * FAULTS_MAX));
        assert_eq!(RULE.faults(many.as_bytes()).len(), FAULTS_MAX);
    }
}
