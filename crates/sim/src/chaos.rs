//! What goes wrong, when, and the history of what happened.

use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::ports::Clock;

use crate::pool::{SimClock, lock};
use crate::random::Random;

/// Lines of history that are kept; a schedule that writes more has gone wrong anyway.
const HISTORY_LINES_MAX: usize = 20_000;

/// Something that goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The process dies before the step.
    CrashBefore,
    /// The process dies after the step, before anybody hears of it.
    CrashAfter,
    /// The step does not happen, and that is known.
    FailBefore,
    /// The step does not happen, but nobody can tell.
    DoubtBefore,
    /// The step happens, but nobody can tell.
    DoubtAfter,
    /// The step happens late.
    Delay(Duration),
}

/// How often what goes wrong, in thousandths of the steps.
#[derive(Debug, Clone, Copy)]
struct Rates {
    crash: u64,
    fail: u64,
    doubt: u64,
    delay: u64,
    storm: u64,
}

/// A time in which one kind of step goes wrong in one way most of the time, as when a line or a disk fails.
#[derive(Debug, Clone, Copy)]
struct Storm {
    hits_charges: bool,
    mishap: Mishap,
    until: Timestamp,
}

/// How often a step goes wrong in a storm, in thousandths.
const STORM_PER_MILLE: u64 = 800;

/// How long a storm lasts at most.
const STORM_MAX: Duration = Duration::from_secs(90);

struct State {
    random: Random,
    rates: Rates,
    /// Mishaps that may still happen. Afterwards all goes well, so that every schedule must come to its end.
    budget: u64,
    storm: Option<Storm>,
    has_crashed: bool,
    history: Vec<String>,
}

impl State {
    /// What the storm does to this step, if there is one. A storm costs one mishap, and ends by itself.
    fn storm(&mut self, step: &str, now: Timestamp) -> Option<Mishap> {
        if self.storm.is_none() && self.random.happens(self.rates.storm) {
            self.budget = self.budget.saturating_sub(1);
            let mishaps = [Mishap::FailBefore, Mishap::DoubtBefore, Mishap::DoubtAfter, Mishap::DoubtAfter];
            let mishap = mishaps[self.random.index(mishaps.len())];
            let until = now.checked_add(self.random.pause(Duration::from_secs(1), STORM_MAX)).ok()?;
            self.storm = Some(Storm { hits_charges: self.random.happens(700), mishap, until });
        }
        let storm = self.storm?;
        if now >= storm.until {
            self.storm = None;
            return None;
        }
        let is_hit = storm.hits_charges == (step == CHARGE) && self.random.happens(STORM_PER_MILLE);
        is_hit.then_some(storm.mishap)
    }
}

/// The name of the step that sends a charge.
pub const CHARGE: &str = "charge";

/// The source of everything that goes wrong in one schedule.
pub struct Chaos {
    clock: SimClock,
    start: Timestamp,
    state: Mutex<State>,
}

impl Chaos {
    /// Draws how bad this schedule is.
    pub fn new(clock: SimClock, mut random: Random) -> Self {
        let rates = Rates {
            crash: random.below(40),
            fail: random.below(60),
            doubt: random.below(80),
            delay: random.below(60),
            storm: random.below(10),
        };
        let budget = random.below(40);
        let start = clock.now();
        let state = State { random, rates, budget, storm: None, has_crashed: false, history: Vec::new() };
        Self { clock, start, state: Mutex::new(state) }
    }

    /// What goes wrong at this step, if anything.
    pub fn mishap(&self, step: &str) -> Option<Mishap> {
        let mut state = lock(&self.state);
        if state.budget == 0 {
            return None;
        }
        if let Some(mishap) = state.storm(step, self.clock.now()) {
            drop(state);
            self.note(|| format!("  {mishap:?} at {step} in a storm"));
            return Some(mishap);
        }
        let rates = state.rates;
        let random = &mut state.random;
        let mishap = if random.happens(rates.crash) {
            if random.happens(500) { Mishap::CrashBefore } else { Mishap::CrashAfter }
        } else if random.happens(rates.fail) {
            Mishap::FailBefore
        } else if random.happens(rates.doubt) {
            if random.happens(300) { Mishap::DoubtBefore } else { Mishap::DoubtAfter }
        } else if random.happens(rates.delay) {
            Mishap::Delay(random.pause(Duration::from_millis(1), Duration::from_secs(40)))
        } else {
            return None;
        };
        state.budget = state.budget.saturating_sub(1);
        drop(state);
        self.note(|| format!("  {mishap:?} at {step}"));
        Some(mishap)
    }

    /// Whether nothing goes wrong any more.
    pub fn is_over(&self) -> bool {
        lock(&self.state).budget == 0
    }

    /// The process dies here.
    pub async fn crash<T>(&self) -> T {
        lock(&self.state).has_crashed = true;
        pending().await
    }

    /// Whether the process has died since this was last asked.
    pub fn take_crash(&self) -> bool {
        std::mem::take(&mut lock(&self.state).has_crashed)
    }

    /// A time that something takes.
    pub fn pause(&self, shortest: Duration, longest: Duration) -> Duration {
        lock(&self.state).random.pause(shortest, longest)
    }

    /// Whether something that happens `per_mille` times in a thousand happens now.
    pub fn happens(&self, per_mille: u64) -> bool {
        lock(&self.state).random.happens(per_mille)
    }

    /// Adds a line to the history.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let seconds = self.clock.now().duration_since(self.start);
        let mut state = lock(&self.state);
        if state.history.len() < HISTORY_LINES_MAX {
            let millis = seconds.as_millis();
            state.history.push(format!("{:>10}.{:03} s  {}", millis / 1_000, millis % 1_000, line()));
        }
    }

    /// What happened, oldest first.
    pub fn history(&self) -> Vec<String> {
        lock(&self.state).history.clone()
    }
}
