//! What an entity has configured.

use jiff::tz::TimeZone;
use payment_runs_engine::account;
use payment_runs_engine::money::Currency;
use payment_runs_engine::settings;
use payment_runs_stubs::Rejection;
use payment_runs_types::ops::{RetryRule, Settings};

use super::{require_all_organizations, stored};
use crate::call::Call;
use crate::faults::Faults;
use crate::refused::money_words;

/// The settings of the request's entity.
pub(in crate::ops) async fn get(call: &Call<'_>) -> Result<Settings, Rejection> {
    call.settings().await.map(write)
}

/// Replaces the settings of the request's entity.
pub(in crate::ops) async fn put(call: &Call<'_>, body: &Settings) -> Result<Settings, Rejection> {
    require_all_organizations(call, "change the settings of the entity")?;
    let settings = read(body)?;
    stored(call.app.ports.access.put_settings(call.scope().entity, settings.clone()).await)?;
    Ok(write(settings))
}

fn read(body: &Settings) -> Result<settings::Settings, Rejection> {
    let mut faults = Faults::default();
    let zone = settings::zone_named(&body.time_zone);
    // Names are found in any spelling of upper and lower case, and kept as the database of time zones spells them.
    let time_zone = zone.as_ref().and_then(TimeZone::iana_name).unwrap_or_default().to_owned();
    if time_zone.is_empty() {
        faults.invalid("time_zone", "is not the IANA name of a time zone, such as 'Europe/Paris'");
    }
    let currencies = body.currencies.as_deref().map(|codes| read_currencies(codes, &mut faults));
    faults.finish()?;
    // The schema keeps both within their bounds, which are all positive.
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    Ok(settings::Settings {
        time_zone,
        retry_rule: account::RetryRule {
            max_consecutive_failures: count(body.retry_rule.max_consecutive_failures),
            retry_window_hours: count(body.retry_rule.retry_window_hours),
        },
        invoice_settlement: body.invoice_settlement,
        currencies,
    })
}

/// The currencies with these codes, each once, in alphabetical order.
fn read_currencies(codes: &[String], faults: &mut Faults) -> Vec<Currency> {
    let mut currencies = Vec::with_capacity(codes.len());
    for (at, code) in codes.iter().enumerate() {
        match Currency::from_code(code) {
            Ok(currency) => currencies.push(currency),
            Err(error) => faults.invalid(format!("currencies[{at}]"), money_words(&error)),
        }
    }
    currencies.sort_unstable();
    currencies.dedup();
    currencies
}

fn write(settings: settings::Settings) -> Settings {
    let number = |count: Option<u32>| count.map(|count| i32::try_from(count).unwrap_or(i32::MAX));
    let codes = |currencies: Vec<Currency>| currencies.iter().map(|one| one.code().to_owned()).collect();
    Settings {
        time_zone: settings.time_zone,
        retry_rule: RetryRule {
            max_consecutive_failures: number(settings.retry_rule.max_consecutive_failures),
            retry_window_hours: number(settings.retry_rule.retry_window_hours),
        },
        invoice_settlement: settings.invoice_settlement,
        currencies: settings.currencies.map(codes),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn settings(time_zone: &str) -> Settings {
        Settings {
            time_zone: time_zone.to_owned(),
            retry_rule: RetryRule { max_consecutive_failures: Some(3), retry_window_hours: None },
            invoice_settlement: false,
            currencies: Some(vec!["EUR".to_owned(), "USD".to_owned()]),
        }
    }

    #[test]
    fn settings_come_back_as_they_were_given() {
        let given = settings("America/New_York");
        assert_eq!(write(read(&given).unwrap()), given);
        assert_eq!(read(&settings("europe/paris")).unwrap().time_zone, "Europe/Paris");
        assert_eq!(read(&settings("UTC")).unwrap().time_zone, "UTC");
    }

    #[test]
    fn currencies_are_sorted_and_known() {
        let with = |codes: &[&str]| {
            let currencies = Some(codes.iter().map(|code| (*code).to_owned()).collect());
            read(&Settings { currencies, ..settings("UTC") })
        };
        let written = write(with(&["USD", "EUR", "USD"]).unwrap());
        assert_eq!(written.currencies, settings("UTC").currencies);
        let refused = with(&["usd", "EUR", "XQX"]).unwrap_err();
        let fields: Vec<&str> = refused.faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["currencies[0]", "currencies[2]"]);
        let all = read(&Settings { currencies: None, ..settings("UTC") }).unwrap();
        assert_eq!((&all.currencies, write(all.clone()).currencies), (&None, None));
    }

    #[test]
    fn only_known_time_zones_are_taken() {
        for wrong in
            ["Mars/Olympus", "+02:00", "EST5EDT,M3.2.0,M11.1.0", " UTC", "Europe/Paris\0", "localtime"]
        {
            assert_eq!(read(&settings(wrong)).unwrap_err().faults[0].field, "time_zone", "{wrong}");
        }
    }
}
