//! Reading fields so that absent and `null` stay distinct. For `#[serde(deserialize_with = "…")]`.
//!
//! Integers have the same three in [`whole`](crate::whole).

use serde::{Deserialize, Deserializer};

/// A required field that may be `null`. Naming any function makes serde refuse an absent field.
pub fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// An optional field that must not be `null`; `default` answers for an absent one.
pub fn absent<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An optional field that may be `null`: `Some(None)` is `null`; `default` answers for an absent one.
pub fn either<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde::{Deserialize, Serialize};
    use serde_json::{Value, from_value, json, to_value};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[expect(clippy::option_option, reason = "absent, null and a value are three things")]
    struct Fields {
        #[serde(deserialize_with = "super::required")]
        required: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::absent")]
        absent: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::either")]
        either: Option<Option<bool>>,
    }

    #[test]
    fn absent_and_null_survive_both_ways() {
        for value in [
            json!({"required": null}),
            json!({"required": true, "absent": false}),
            json!({"required": true, "either": null}),
            json!({"required": true, "absent": true, "either": true}),
        ] {
            let fields: Fields = from_value(value.clone()).unwrap();
            assert_eq!(to_value(&fields).unwrap(), value);
        }
    }

    #[test]
    fn what_the_contract_forbids_is_refused() {
        let refused = |value: Value| from_value::<Fields>(value).unwrap_err().to_string();
        assert_eq!(refused(json!({})), "missing field `required`");
        assert_eq!(
            refused(json!({"required": true, "absent": null})),
            "invalid type: null, expected a boolean"
        );
    }
}
