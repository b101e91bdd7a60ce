//! Checks that garde lacks.

use std::collections::BTreeMap;

use garde::Error;

use crate::{Decimal, KeyPattern};

/// One end of a range of decimals.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    value: Decimal,
    exclusive: bool,
}

/// A bound that itself lies inside; units and places as in [`Decimal::from_minor_units`].
pub fn inclusive(units: i64, places: u32) -> Option<Bound> {
    let value = Decimal::from_minor_units(units, places).ok()?;
    Some(Bound { value, exclusive: false })
}

/// A bound that itself lies outside.
pub fn exclusive(units: i64, places: u32) -> Option<Bound> {
    Some(Bound { exclusive: true, ..inclusive(units, places)? })
}

/// A field that may hold a decimal.
pub trait MaybeDecimal {
    /// The decimal, if there is one.
    fn decimal(&self) -> Option<Decimal>;
}

impl MaybeDecimal for Decimal {
    fn decimal(&self) -> Option<Decimal> {
        Some(*self)
    }
}

impl<T: MaybeDecimal> MaybeDecimal for Option<T> {
    fn decimal(&self) -> Option<Decimal> {
        self.as_ref()?.decimal()
    }
}

/// Checks the bounds of a decimal. For `#[garde(custom(…))]`.
pub fn decimal<T: MaybeDecimal>(
    min: Option<Bound>,
    max: Option<Bound>,
) -> impl FnOnce(&T, &()) -> garde::Result {
    move |field, ()| {
        let Some(value) = field.decimal() else { return Ok(()) };
        match (min, max) {
            (Some(min), _) if value < min.value => Err(Error::new(format!("lower than {}", min.value))),
            (Some(min), _) if min.exclusive && value == min.value => {
                Err(Error::new(format!("not greater than {}", min.value)))
            }
            (_, Some(max)) if value > max.value => Err(Error::new(format!("greater than {}", max.value))),
            (_, Some(max)) if max.exclusive && value == max.value => {
                Err(Error::new(format!("not lower than {}", max.value)))
            }
            _ => Ok(()),
        }
    }
}

/// Checks the names of custom fields. For `#[garde(custom(…))]`.
pub fn keys<T>(pattern: &'static KeyPattern) -> impl FnOnce(&BTreeMap<String, T>, &()) -> garde::Result {
    move |fields, ()| match fields.keys().find(|name| !pattern.accepts(name)) {
        Some(name) => Err(Error::new(format!("unknown field `{name}`"))),
        None => Ok(()),
    }
}

/// The error for text that is in no list.
pub(crate) fn unknown_value<'a>(known: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = known.collect();
    Error::new(format!("must be one of {}", known.join(", ")))
}
