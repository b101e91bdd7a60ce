//! Whether the same key and body are sent again within one call. Pure.
//!
//! Once a delivery ended in doubt, only the key's true answer ends the doubt: a later delivery
//! that was turned away unread, or refused, proves nothing about the earlier one.

use std::time::Duration;

use payment_runs_engine::ports::Outcome;

use super::classify::Classified;

/// Deliveries of one charge within one call, at most.
pub const ATTEMPTS_MAX: u32 = 4;
/// The wait before the second, third and fourth delivery. Up to half of it is taken off, by key,
/// so that charges that failed together do not return together.
const BACK_OFF: [Duration; ATTEMPTS_MAX as usize - 1] =
    [Duration::from_millis(20), Duration::from_millis(100), Duration::from_millis(500)];
/// A longer wait that the gateway asks for is passed on to the caller, who has other work meanwhile.
const RETRY_AFTER_WAIT_MAX: Duration = Duration::from_secs(2);

/// The bounds of one call.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// After this much time no further delivery starts.
    pub timeout: Duration,
    /// How long the gateway remembers a key; zero for one that ignores keys.
    pub key_life: Duration,
}

/// What happened so far within one call.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    made: u32,
    in_doubt: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This is what came of it.
    Done(Outcome),
    /// The same key and body, after a wait.
    SendAgain {
        /// How long.
        wait: Duration,
    },
}

impl Attempts {
    /// Decides after one more delivery, `elapsed` after the first began.
    pub fn next(&mut self, classified: Classified, elapsed: Duration, bounds: Bounds, key: &str) -> Next {
        self.made += 1;
        match classified {
            Classified::Settled(outcome) => Next::Done(outcome),
            Classified::Refused { code, message } if self.in_doubt => {
                self.give_up(format!("refused after a delivery in doubt: {code}: {message}"), None)
            }
            Classified::Refused { code, message } => {
                Next::Done(Outcome::Declined { code, message, reference: None })
            }
            Classified::NotSent { why, retry_after, passing } => {
                let patient = retry_after.is_none_or(|wait| wait <= RETRY_AFTER_WAIT_MAX);
                match self.wait(elapsed, bounds, retry_after, key) {
                    Some(wait) if passing && patient => Next::SendAgain { wait },
                    _ => self.give_up(why, retry_after),
                }
            }
            Classified::InFlight { why } => self.doubt(why, true, elapsed, bounds, key),
            Classified::Unknown { why, passing } => self.doubt(why, passing, elapsed, bounds, key),
        }
    }

    fn doubt(&mut self, why: String, passing: bool, elapsed: Duration, bounds: Bounds, key: &str) -> Next {
        self.in_doubt = true;
        match self.wait(elapsed, bounds, None, key) {
            Some(wait) if passing => Next::SendAgain { wait },
            _ => Next::Done(Outcome::Unknown { why }),
        }
    }

    fn give_up(&self, why: String, retry_after: Option<Duration>) -> Next {
        Next::Done(if self.in_doubt {
            Outcome::Unknown { why }
        } else {
            Outcome::NotSent { why, retry_after }
        })
    }

    /// The wait before the next delivery, if there may be one.
    fn wait(
        &self,
        elapsed: Duration,
        bounds: Bounds,
        retry_after: Option<Duration>,
        key: &str,
    ) -> Option<Duration> {
        let base = *BACK_OFF.get(usize::try_from(self.made).ok()?.checked_sub(1)?)?;
        let jitter = base * jitter_percent(key, self.made) / 200;
        let wait = base.saturating_sub(jitter).max(retry_after.unwrap_or_default());
        let sent_again = elapsed.saturating_add(wait);
        // A key that may be forgotten, or means nothing, must not carry a charge that may have been made.
        let key_holds = !self.in_doubt || sent_again < bounds.key_life / 2;
        (sent_again < bounds.timeout && key_holds).then_some(wait)
    }
}

/// A number from 0 to 100 that differs by key and delivery, and is the same in every replay.
fn jitter_percent(key: &str, made: u32) -> u32 {
    key.bytes().fold(made, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 101
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { timeout: Duration::from_secs(30), key_life: Duration::from_hours(24) };

    fn not_sent() -> Classified {
        Classified::NotSent { why: "w".into(), retry_after: None, passing: true }
    }

    fn unknown() -> Classified {
        Classified::Unknown { why: "w".into(), passing: true }
    }

    fn in_flight() -> Classified {
        Classified::InFlight { why: "w".into() }
    }

    fn refused() -> Classified {
        Classified::Refused { code: "c".into(), message: "m".into() }
    }

    fn approved() -> Classified {
        Classified::Settled(Outcome::Approved { reference: "pi".into() })
    }

    /// Feeds deliveries until one ends the call; says how it ended and how many were made.
    fn run(deliveries: &[Classified], bounds: Bounds) -> (&'static str, usize) {
        let mut attempts = Attempts::default();
        for (made, delivery) in (1..).zip(deliveries) {
            if let Next::Done(outcome) = attempts.next(delivery.clone(), Duration::ZERO, bounds, "k") {
                let name = match outcome {
                    Outcome::Approved { .. } => "approved",
                    Outcome::Declined { .. } => "declined",
                    Outcome::Pending { .. } => "pending",
                    Outcome::NotSent { .. } => "not sent",
                    Outcome::Unknown { .. } => "unknown",
                };
                return (name, made);
            }
        }
        ("sent again", deliveries.len())
    }

    #[test]
    fn a_call_ends_with_the_truth_or_with_doubt() {
        let always = |classified: &Classified| vec![classified.clone(); 9];
        for (deliveries, ending) in [
            (vec![approved()], ("approved", 1)),
            (vec![refused()], ("declined", 1)),
            (vec![unknown(), approved()], ("approved", 2)),
            (vec![not_sent(), in_flight(), approved()], ("approved", 3)),
            (always(&not_sent()), ("not sent", 4)),
            (always(&unknown()), ("unknown", 4)),
            (always(&in_flight()), ("unknown", 4)),
            // The doubt of an earlier delivery stays.
            (vec![unknown(), not_sent(), not_sent(), not_sent()], ("unknown", 4)),
            (vec![unknown(), refused()], ("unknown", 2)),
            (vec![in_flight(), refused()], ("unknown", 2)),
            // What will not pass is not tried again.
            (vec![Classified::Unknown { why: "w".into(), passing: false }], ("unknown", 1)),
            (
                vec![Classified::NotSent { why: "w".into(), retry_after: None, passing: false }],
                ("not sent", 1),
            ),
        ] {
            assert_eq!(run(&deliveries, BOUNDS), ending, "{deliveries:?}");
        }
    }

    #[test]
    fn a_gateway_that_ignores_keys_never_gets_a_doubtful_charge_twice() {
        let bounds = Bounds { key_life: Duration::ZERO, ..BOUNDS };
        assert_eq!(run(&[unknown(), approved()], bounds), ("unknown", 1));
        assert_eq!(run(&[in_flight(), approved()], bounds), ("unknown", 1));
        assert_eq!(run(&[not_sent(), unknown(), approved()], bounds), ("unknown", 2));
        assert_eq!(run(&[not_sent(), approved()], bounds), ("approved", 2));
    }

    #[test]
    fn no_delivery_starts_when_the_time_is_up() {
        for classified in [not_sent(), unknown(), in_flight()] {
            let next = Attempts::default().next(classified, BOUNDS.timeout, BOUNDS, "k");
            assert!(matches!(next, Next::Done(_)), "{next:?}");
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_or_passed_on() {
        let after = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            let classified = Classified::NotSent { why: "w".into(), retry_after, passing: true };
            Attempts::default().next(classified, Duration::ZERO, BOUNDS, "k")
        };
        assert_eq!(after(1), Next::SendAgain { wait: Duration::from_secs(1) });
        let retry_after = Some(Duration::from_mins(1));
        assert_eq!(after(60), Next::Done(Outcome::NotSent { why: "w".into(), retry_after }));
    }

    #[test]
    fn waits_grow_differ_by_key_and_stay_within_their_bounds() {
        for key in ["a", "b", "run-1-item-2-attempt-1"] {
            let mut attempts = Attempts::default();
            for bound in BACK_OFF {
                let next = attempts.next(unknown(), Duration::ZERO, BOUNDS, key);
                assert!(
                    matches!(next, Next::SendAgain { wait } if wait <= bound && wait >= bound / 2),
                    "{next:?}"
                );
            }
        }
    }
}
