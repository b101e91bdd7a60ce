//! From the names in a body to what commands need. A name that leads nowhere is a fault, and a stand-in takes its place,
//! so that the other checks still see that the field was given.

use jiff::Timestamp;
use payment_runs_engine::ids::{BillRunId, GatewayId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::refusal::Noun;
use payment_runs_stubs::Rejection;
use payment_runs_types::DateTime;

use crate::call::Call;
use crate::faults::Faults;
use crate::named;
use crate::time::{Zone, read_instant};

/// Reads the fields of one body.
pub(super) struct Resolver<'a, 'c> {
    call: &'a Call<'c>,
    zone: &'a Zone,
    /// What is wrong so far.
    pub(super) faults: Faults,
}

impl<'a, 'c> Resolver<'a, 'c> {
    /// A resolver that has found nothing yet.
    pub(super) fn new(call: &'a Call<'c>, zone: &'a Zone) -> Self {
        Self { call, zone, faults: Faults::default() }
    }

    /// The gateway with this identifier.
    pub(super) async fn gateway(&mut self, text: &str) -> Result<GatewayId, Rejection> {
        let parsed = text.parse::<GatewayId>().ok();
        let known = self.call.gateways().await?;
        let found = parsed.filter(|id| known.iter().any(|gateway| gateway.id == *id));
        Ok(found.unwrap_or_else(|| {
            self.faults
                .invalid("gateway_id", format!("{} '{text}' does not exist", Noun::PaymentGateway.words()));
            GatewayId::from_u128(0)
        }))
    }

    /// The bill run with this identifier.
    pub(super) fn bill_run(&mut self, text: &str) -> BillRunId {
        named::bill_run(&mut self.faults, "bill_run_id", text)
    }

    /// The currency with this code.
    pub(super) fn currency(&mut self, text: &str) -> Currency {
        named::currency(&mut self.faults, "currency", text)
    }

    /// The bill cycle day, which the contract has checked to be a number of at most two digits.
    pub(super) fn bill_cycle_day(&mut self, text: &str) -> u8 {
        text.parse().unwrap_or_else(|_| {
            self.faults.invalid("bill_cycle_day", "must be a day of the month");
            1
        })
    }

    /// The start of a run with this date: with an offset from UTC, or without one in the entity's time zone.
    pub(super) fn run_at(&mut self, text: &str) -> Timestamp {
        start(self.zone, text).unwrap_or_else(|| {
            self.faults.invalid("payment_run_date", "must be a time such as 2024-08-01 11:00:00Z");
            Timestamp::UNIX_EPOCH
        })
    }
}

fn start(zone: &Zone, text: &str) -> Option<Timestamp> {
    match read_instant(text) {
        Some(at) => zone.hour_start(at),
        None => zone.run_start(text.parse::<DateTime>().ok()?),
    }
}

#[cfg(test)]
mod tests {
    use payment_runs_engine::settings::Settings;

    use super::*;

    #[test]
    fn a_start_is_read_in_every_documented_form() {
        let start = |name: &str, text: &str| {
            let zone = Zone::of(&Settings { time_zone: name.to_owned(), ..Settings::default() });
            start(&zone, text).map(|at| at.to_string())
        };
        for (zone, text, at) in [
            ("UTC", "2024-08-01 11:30:37Z", "2024-08-01T11:00:00Z"),
            ("UTC", "2024-08-01 11:30:37", "2024-08-01T11:00:00Z"),
            ("UTC", "2024-08-02T05:00:00-07:00", "2024-08-02T12:00:00Z"),
            ("UTC", "2024-08-01T11:30:37.25Z", "2024-08-01T11:00:00Z"),
            ("America/Los_Angeles", "2024-08-01 11:30:37", "2024-08-01T18:00:00Z"),
            // The hour is the entity's, where it begins half an hour after one of UTC.
            ("Asia/Kolkata", "2024-08-01 11:45:00Z", "2024-08-01T11:30:00Z"),
            ("Asia/Kolkata", "2024-08-01 11:15:00Z", "2024-08-01T10:30:00Z"),
        ] {
            assert_eq!(start(zone, text).as_deref(), Some(at), "{zone} {text}");
        }
        for text in ["2024-08-01", "2024-02-30 11:00:00", "2024-08-01 25:00:00Z", "soon"] {
            assert_eq!(start("UTC", text), None, "{text}");
        }
    }
}
