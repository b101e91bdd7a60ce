//! How fast a run goes of late, and how long it will take from here.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use payment_runs_types::ops::{Progress, ProgressEvent, RunStatus};

use crate::money::scaled;

/// The time over which rates are measured.
const WINDOW: SignedDuration = SignedDuration::from_secs(10);

/// Looks that are remembered at most: more than fall into the window.
const LOOKS_MAX: usize = 64;

/// Decimal places of a rate.
const RATE_PLACES: u32 = 2;
const RATE_UNIT: i64 = 100;
const SECOND_MS: i64 = 1_000;

/// The counters of a run at one time.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Timestamp,
    documents: i64,
    payments: i64,
}

/// The counters of a run over the last while.
#[derive(Debug, Default)]
pub(super) struct Rates {
    looks: VecDeque<Look>,
}

impl Rates {
    /// Notes where a run stands now.
    pub(super) fn note(&mut self, at: Timestamp, told: &Progress) {
        let payments = told.payments_processed.saturating_add(told.payments_errors);
        let is_old = |look: &Look| at.duration_since(look.at) > WINDOW;
        while self.looks.len() >= LOOKS_MAX || self.looks.get(1).is_some_and(is_old) {
            self.looks.pop_front();
        }
        self.looks.push_back(Look { at, documents: told.documents_planned, payments });
    }

    /// What happened in a second of late, in hundredths; 0 while that is not known.
    fn per_second(&self, count: impl Fn(&Look) -> i64) -> i64 {
        let (Some(first), Some(last)) = (self.looks.front(), self.looks.back()) else { return 0 };
        let took_ms = i64::try_from(last.at.duration_since(first.at).as_millis()).unwrap_or(i64::MAX);
        if took_ms <= 0 {
            return 0;
        }
        let happened = count(last).saturating_sub(count(first)).max(0);
        happened.saturating_mul(RATE_UNIT * SECOND_MS) / took_ms
    }

    /// The event that tells where a run stands. `is_selected`: whether every document is counted in its total.
    pub(super) fn event(&self, progress: Progress, is_selected: bool) -> ProgressEvent {
        let documents = self.per_second(|look| look.documents);
        let payments = self.per_second(|look| look.payments);
        let seconds_left = seconds_left(&progress, is_selected, documents, payments);
        ProgressEvent {
            progress,
            documents_per_second: scaled(documents, RATE_PLACES),
            payments_per_second: scaled(payments, RATE_PLACES),
            seconds_left,
        }
    }
}

/// About how long a run will take from here. Each document that is still to be decided is expected to lead to as many
/// payments as those before it did.
fn seconds_left(told: &Progress, is_selected: bool, documents: i64, payments: i64) -> Option<i64> {
    match told.status {
        RunStatus::Completed | RunStatus::Failed | RunStatus::Canceled => return Some(0),
        RunStatus::Processing if is_selected => {}
        _ => return None,
    }
    let undecided = told.documents_total.saturating_sub(told.documents_planned).max(0);
    let made =
        told.payments_processed.saturating_add(told.payments_errors).saturating_add(told.payments_in_doubt);
    let expected = match told.documents_planned {
        0 => undecided,
        // A stopped run makes no more payments.
        _ if told.stopping => 0,
        planned => divide_up(undecided.saturating_mul(made), planned),
    };
    let unsettled = told.payments_in_doubt.saturating_add(expected);
    match (undecided, unsettled) {
        (0, 0) => Some(0),
        (_, 0) => (documents > 0).then(|| divide_up(undecided.saturating_mul(RATE_UNIT), documents)),
        (_, unsettled) => (payments > 0).then(|| divide_up(unsettled.saturating_mul(RATE_UNIT), payments)),
    }
}

fn divide_up(value: i64, by: i64) -> i64 {
    value.saturating_add(by - 1) / by
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn told(total: i64, planned: i64, settled: i64, in_doubt: i64) -> Progress {
        serde_json::from_value(json!({
            "payment_run_id": "1", "payment_run_number": "PR-1", "status": "processing", "stopping": false,
            "documents_total": total, "documents_planned": planned, "documents_collected": planned,
            "documents_skipped": 0, "payments_processed": settled, "payments_errors": 0,
            "payments_in_doubt": in_doubt, "amount_collected": [], "chunks_total": 1, "chunks_done": 0,
            "started_at": null, "completed_at": null, "error_message": null
        }))
        .unwrap()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    /// Rates and estimate of the last of some looks.
    fn event(looks: &[(i64, Progress)]) -> Value {
        let mut rates = Rates::default();
        for (ms, progress) in looks {
            rates.note(at(*ms), progress);
        }
        let last = looks.last().unwrap().1.clone();
        let event = serde_json::to_value(rates.event(last, true)).unwrap();
        json!([event["documents_per_second"], event["payments_per_second"], event["seconds_left"]])
    }

    #[test]
    fn rates_are_those_of_the_last_while() {
        assert_eq!(event(&[(0, told(100, 0, 0, 0))]), json!([0, 0, null]), "nothing is known yet");
        let two = [(0, told(1_000, 0, 0, 0)), (4_000, told(1_000, 100, 10, 90))];
        assert_eq!(event(&two), json!([25, 2.5, 396]), "990 payments are to come");
        let stalled: Vec<_> = (0..40).map(|second| (second * 500, two[1].1.clone())).collect();
        assert_eq!(event(&stalled), json!([0, 0, null]), "it goes no further");
        let many: Vec<_> = (0..1_000).map(|step| (step * 10, told(9_000, step, step, 0))).collect();
        assert_eq!(event(&many), json!([100, 100, 81]));
        assert_eq!(
            event(&[two[0].clone(), (0, two[1].1.clone())]),
            json!([0, 0, null]),
            "no time has passed"
        );
    }

    #[test]
    fn what_is_left_is_told_when_it_is_known() {
        let left = |progress: Progress, is_selected, documents, payments| {
            seconds_left(&progress, is_selected, documents, payments)
        };
        assert_eq!(left(told(100, 50, 25, 0), true, 0, 500), Some(5), "half as many payments as documents");
        assert_eq!(left(told(100, 50, 25, 0), false, 0, 500), None, "documents are still being found");
        assert_eq!(left(told(100, 50, 0, 0), true, 1_000, 0), Some(5), "nothing is charged");
        assert_eq!(left(told(100, 100, 99, 1), true, 0, 0), None);
        assert_eq!(left(told(100, 100, 100, 0), true, 0, 0), Some(0));
        let stopping = Progress { stopping: true, ..told(100, 50, 40, 10) };
        assert_eq!(left(stopping, true, 0, 200), Some(5), "what is under way");
        let ended = Progress { status: RunStatus::Canceled, ..told(100, 50, 40, 10) };
        assert_eq!(left(ended, false, 0, 0), Some(0));
        let pending = Progress { status: RunStatus::Pending, ..told(0, 0, 0, 0) };
        assert_eq!(left(pending, true, 0, 0), None);
    }
}
