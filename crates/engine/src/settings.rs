//! What an entity has configured.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::account::RetryRule;
use crate::money::Currency;
use crate::refusal::{Field, Refusal};

/// What the database of time zones of a host has beside the zones of the world: files that mean another zone on another
/// host, and names for no zone.
const NO_ZONES: [&str; 4] = ["localtime", "posixrules", "Factory", "Etc/Unknown"];

/// Folders of that database that hold its zones once more, under names of their own.
const ZONE_COPIES: [&str; 2] = ["posix/", "right/"];

/// The time zone of an IANA name, in any spelling of upper and lower case; the zone knows the name as it is spelled. `None`
/// for any other text.
pub fn zone_named(name: &str) -> Option<TimeZone> {
    let zone = TimeZone::get(name).ok()?;
    let spelled = zone.iana_name()?;
    let is_none = NO_ZONES.iter().any(|none| none.eq_ignore_ascii_case(spelled));
    let is_copy = ZONE_COPIES
        .iter()
        .any(|folder| spelled.get(..folder.len()).is_some_and(|start| start.eq_ignore_ascii_case(folder)));
    if is_none || is_copy { None } else { Some(zone) }
}

/// Settings of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// IANA name of the time zone in which zoneless times are read and written.
    pub time_zone: String,
    /// When failed payment methods are tried again; off unless configured.
    pub retry_rule: RetryRule,
    /// Whether credit memos and unapplied payments exist; where they do, credit balance does not.
    pub invoice_settlement: bool,
    /// The currencies in which something new is made, in alphabetical order; `None` means all.
    #[serde(default)]
    pub currencies: Option<Vec<Currency>>,
}

impl Settings {
    /// Whether something new may be made in the currency. What exists in another one stays, and is collected.
    pub fn allows(&self, currency: Currency) -> bool {
        self.currencies.as_ref().is_none_or(|currencies| currencies.contains(&currency))
    }

    /// Why nothing new may be made in the currency, if so.
    pub fn check_currency(&self, currency: Currency) -> Option<Refusal> {
        if self.allows(currency) {
            return None;
        }
        let codes: Vec<&str> = self.currencies.iter().flatten().map(Currency::code).collect();
        let message = format!("must be one of the entity's currencies: {}", codes.join(", "));
        Some(Refusal::Invalid { field: Field::Currency, message })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            retry_rule: RetryRule::default(),
            invoice_settlement: true,
            currencies: None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn zones_are_those_of_the_world() {
        for name in
            ["UTC", "Europe/Paris", "Etc/GMT+5", "EST5EDT", "Europe/Kiev", "America/Argentina/Ushuaia"]
        {
            assert_eq!(zone_named(name).unwrap().iana_name(), Some(name));
        }
        assert_eq!(zone_named("europe/PARIS").unwrap().iana_name(), Some("Europe/Paris"));
        for text in [
            "localtime",
            "LocalTime",
            "posixrules",
            "Factory",
            "factory",
            "Etc/Unknown",
            "posix/UTC",
            "right/UTC",
            "Posix/Europe/Paris",
            "../zoneinfo/UTC",
            "/usr/share/zoneinfo/UTC",
            "./UTC",
            "Europe/../UTC",
            "Europe",
            "+02:00",
            "CET-1CEST",
            "",
            " UTC",
            "UTC\0",
            "zone.tab",
            "leapseconds",
            "Mars/Olympus",
        ] {
            assert!(zone_named(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn only_the_entitys_currencies_are_allowed() {
        let euro = Currency::from_code("EUR").unwrap();
        let yen = Currency::from_code("JPY").unwrap();
        assert_eq!(Settings::default().check_currency(yen), None, "all are, unless some are named");
        let settings = Settings { currencies: Some(vec![euro, Currency::USD]), ..Settings::default() };
        assert_eq!(settings.check_currency(euro), None);
        let message = "must be one of the entity's currencies: EUR, USD".to_owned();
        assert_eq!(settings.check_currency(yen), Some(Refusal::Invalid { field: Field::Currency, message }));
    }

    #[test]
    fn settings_that_were_stored_before_there_were_currencies_can_be_read() {
        let mut stored = serde_json::to_value(Settings::default()).unwrap();
        stored.as_object_mut().unwrap().remove("currencies");
        assert_eq!(serde_json::from_value::<Settings>(stored).unwrap(), Settings::default());
    }
}
