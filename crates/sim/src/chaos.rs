//! What goes wrong, when, and the history of what happened.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use crate::bank::Border;
use crate::fault::{Fault, FaultKind, Place};
use crate::pool::{Group, SimClock, lock};
use crate::random::{Random, digest};

/// Lines of history that are kept; a schedule that writes more has gone wrong anyway.
const HISTORY_LINES_MAX: usize = 20_000;

/// Faults of a schedule at most, storms counted once. Afterwards all goes well, so that every schedule must end.
const FAULTS_MAX: u64 = 40;

/// How often a step goes wrong in a storm, in thousandths.
const STORM_PER_MILLE: u64 = 800;

/// How long a storm lasts at most.
const STORM_MAX: Duration = Duration::from_secs(90);

/// The longest that a step is delayed.
const DELAY_MAX: Duration = Duration::from_secs(40);

/// How long a delivery may be under way when its sender has given up: less than payments in doubt are looked up before
/// "never seen" is believed, which is what the protocol asks of a gateway's network.
pub const LATE_MAX: Duration = Duration::from_mins(2);

/// How long after its delivery a slow gateway makes a charge at most: less than the settling time that the protocol waits.
pub const SLOW_MAX: Duration = Duration::from_hours(20);

/// The longest time between two answers of a gateway that behaves.
const LATENCY_MAX: Duration = Duration::from_millis(300);

/// The time that everything takes when times are not random.
const LATENCY_PLAIN: Duration = Duration::from_millis(10);

/// How soon after its start a worker is told to drain.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How far the clock jumps forward at most.
const FORWARD_MAX: Duration = Duration::from_hours(30);

/// How often a worker stands still after it opened a chunk when there is frost, or a caller after a payment was stored, in
/// thousandths.
const FROST_PER_MILLE: u64 = 300;

/// How long it stands still then: until others have taken its work over and believe that nothing was sent.
const FROST_MIN: Duration = Duration::from_mins(45);

/// The longest that it does.
const FROST_MAX: Duration = Duration::from_hours(3);

/// How far into a frost the clock may be set back on purpose: when others have had the time to do the work once more, whoever
/// wakes then must not take an ended lease for a valid one.
const FROST_BACK_AFTER: Duration = Duration::from_hours(1);

/// How often it is, in thousandths.
const FROST_BACK_PER_MILLE: u64 = 700;

/// How often nothing else goes wrong where there is frost, in thousandths: other trouble mostly hides what the frost does.
const FROST_ALONE_PER_MILLE: u64 = 500;

/// How often the gateway cannot be asked for its account when a process starts, in thousandths.
const BLIND_PER_MILLE: u64 = 500;

/// The step that opens a chunk.
pub const OPEN: &str = "open";

/// The step that stores the intent of a single payment.
pub const PAY: &str = "pay";

/// The step that sends a charge.
pub const CHARGE: &str = "charge";

/// Whose step it is, which decides what can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whose {
    /// A worker's, which can die or stand still alone.
    pub is_worker: bool,
    /// A charge, which can be late or come twice.
    pub is_charge: bool,
}

/// How often what goes wrong, in thousandths of the steps.
#[derive(Debug, Clone, Copy)]
struct Rates {
    crash: u64,
    die: u64,
    freeze: u64,
    refused: u64,
    doubt: u64,
    delay: u64,
    wire: u64,
    jump: u64,
    storm: u64,
    border: u64,
}

impl Rates {
    /// Most schedules have some kinds of trouble and not others; all of everything would seldom get far.
    fn draw(random: &mut Random) -> Self {
        let mut rate = |end: u64| if random.happens(400) { 0 } else { random.below(end) };
        Self {
            crash: rate(40),
            die: rate(30),
            freeze: rate(30),
            refused: rate(60),
            doubt: rate(80),
            delay: rate(60),
            wire: rate(80),
            jump: rate(15),
            storm: rate(10),
            border: random.between(20, 200),
        }
    }
}

/// A time in which one kind of step goes wrong in one way most of the time, as when a line or a disk fails.
#[derive(Debug, Clone, Copy)]
struct Storm {
    hits_charges: bool,
    kind: FaultKind,
    until: Timestamp,
}

/// What a schedule asks of the world besides its seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How far the clock may be set back in all. A key is judged by its age, so that this must stay below what is left of
    /// its life when it counts as old.
    pub back: Duration,
    /// How far the clock may be set forward in all. Where no key protects a charge, only the time between look-ups does.
    pub forward: Duration,
    /// Whether the gateway recognises a delivery that comes twice.
    pub has_keys: bool,
    /// What goes wrong at the border with the gateway.
    pub border: Border,
    /// Whether workers often stand still right after they opened a chunk, and callers after a payment was stored, for longer
    /// than others wait for them.
    pub is_frosty: bool,
}

/// What happens to processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The process is dead and starts again after this time, as it was or after a change.
    Crash(Duration, Change),
    /// One worker is dead and another takes its place after this time.
    Die(Group, Duration),
}

/// What is different when a process starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Its database is an older copy.
    Restored,
    /// It is configured with another gateway account.
    Moved,
    /// Its ledger was reconciled with the bank.
    Reconciled,
}

/// Somebody stands still, and the clock is to be set back meanwhile.
#[derive(Debug, Clone, Copy)]
struct Frost {
    /// When it may be, by the true clock.
    from: Timestamp,
    /// When the frost ends, by the true clock.
    until: Timestamp,
    /// How long it lasts in all.
    length: Duration,
}

struct State {
    rates: Rates,
    budget: u64,
    back_left: Duration,
    forward_left: Duration,
    storm: Option<Storm>,
    frost: Option<Frost>,
    /// Whether nothing but frost goes wrong.
    is_quiet: bool,
    ordinals: BTreeMap<&'static str, u64>,
    record: Vec<(Place, Fault)>,
    signals: Vec<Signal>,
    deliveries: u64,
    /// Times that things take; plain ones without it.
    times: Option<Random>,
    history: Option<Vec<String>>,
}

/// The source of everything that goes wrong in one schedule.
pub struct Chaos {
    clock: SimClock,
    start: Timestamp,
    seed: u64,
    limits: Limits,
    /// Exactly what goes wrong, instead of what the seed draws.
    script: Option<BTreeMap<Place, Fault>>,
    state: Mutex<State>,
}

/// How a schedule's chaos is set up.
pub struct Setup {
    /// Decides about every place.
    pub seed: u64,
    /// Exactly what goes wrong, instead of what the seed draws.
    pub script: Option<BTreeMap<Place, Fault>>,
    /// What the schedule asks of the world.
    pub limits: Limits,
    /// Whether things take random times.
    pub random_times: bool,
    /// Whether the history is written down.
    pub keeps_history: bool,
}

impl Chaos {
    /// Draws how bad this schedule is.
    pub fn new(clock: SimClock, setup: Setup) -> Self {
        let mut random = Random::new(setup.seed);
        let rates = Rates::draw(&mut random);
        let budget = random.below(FAULTS_MAX);
        let is_quiet = setup.limits.is_frosty && random.happens(FROST_ALONE_PER_MILLE);
        let state = State {
            rates,
            budget,
            is_quiet,
            back_left: setup.limits.back,
            forward_left: setup.limits.forward,
            storm: None,
            frost: None,
            ordinals: BTreeMap::new(),
            record: Vec::new(),
            signals: Vec::new(),
            deliveries: 0,
            times: setup.random_times.then(|| random.fork()),
            history: setup.keeps_history.then(Vec::new),
        };
        let (start, seed) = (clock.true_now(), setup.seed);
        Self { clock, start, seed, limits: setup.limits, script: setup.script, state: Mutex::new(state) }
    }

    /// What goes wrong at this step, if anything. Clocks have jumped when this returns.
    pub fn fault(&self, step: &'static str, whose: Whose) -> Option<Fault> {
        let fault = self.recorded(step, |state, place| self.draw(state, place, whose))?;
        match fault.kind {
            FaultKind::Forward => self.clock.jump_forward(fault.length()),
            FaultKind::Back => self.clock.jump_back(fault.length()),
            _ => return Some(fault),
        }
        None
    }

    /// When a worker that starts now is told to drain, if it is.
    pub fn drain(&self) -> Option<Duration> {
        let draw = |state: &mut State, place: &Place| {
            let mut random = self.random_of(place);
            let drains = state.budget > 0 && !state.is_quiet && random.happens(300);
            let length = random.pause(Duration::from_millis(1), DRAIN_MAX);
            drains.then(|| {
                state.budget -= 1;
                Fault::new(FaultKind::Drain, length)
            })
        };
        self.recorded("work", draw).map(Fault::length)
    }

    /// Whether the gateway cannot be asked for its account when the process starts now. Only where that matters.
    pub fn starts_blind(&self) -> bool {
        let draw = |_: &mut State, place: &Place| {
            let matters = matches!(self.limits.border, Border::OtherAccount | Border::RestoredLedger);
            let is_blind = matters && self.random_of(place).happens(BLIND_PER_MILLE);
            is_blind.then(|| Fault::new(FaultKind::Refused, Duration::ZERO))
        };
        self.recorded("start", draw).is_some()
    }

    /// The fault at the next place of this step: the script's, or else the one that is drawn.
    fn recorded(
        &self,
        step: &'static str,
        draw: impl FnOnce(&mut State, &Place) -> Option<Fault>,
    ) -> Option<Fault> {
        let fault = {
            let mut state = lock(&self.state);
            let ordinal = state.ordinals.entry(step).or_default();
            let place = Place { step: step.to_owned(), ordinal: *ordinal };
            *ordinal += 1;
            let fault = match &self.script {
                Some(script) => script.get(&place).copied(),
                None => draw(&mut state, &place),
            }?;
            state.record.push((place, fault));
            fault
        };
        self.note(|| format!("  {fault} at {step}"));
        Some(fault)
    }

    fn random_of(&self, place: &Place) -> Random {
        Random::new(self.seed ^ digest(&place.step, place.ordinal))
    }

    /// Decides about a place. The decision depends on the seed and the place alone, and on what was drawn so far only in
    /// that trouble ends some time.
    fn draw(&self, state: &mut State, place: &Place, whose: Whose) -> Option<Fault> {
        if state.budget == 0 {
            return None;
        }
        let mut random = self.random_of(place);
        if self.limits.is_frosty
            && [OPEN, PAY].contains(&place.step.as_str())
            && random.happens(FROST_PER_MILLE)
        {
            return Some(self.frost(state, &mut random));
        }
        if let Some(frost) = self.is_to_be_set_back(state) {
            return Some(set_back(state, frost, &mut random));
        }
        if state.is_quiet {
            return None;
        }
        if let Some(kind) = self.storm(state, whose, &mut random) {
            return Some(measure(state, kind, &mut random));
        }
        // A storm that has just begun may have been the last fault.
        let kind = border_kind(self.limits.border, state.rates.border, whose, &mut random)
            .or_else(|| any_kind(state.rates, whose, &mut random))
            .filter(|_| state.budget > 0)?;
        let is_fair = match kind {
            FaultKind::Twice => self.limits.has_keys,
            FaultKind::Forward => state.forward_left > Duration::from_millis(1),
            FaultKind::Back => state.back_left > Duration::from_millis(1),
            _ => true,
        };
        if !is_fair {
            return None;
        }
        state.budget -= 1;
        if kind == FaultKind::Late && self.limits.border == Border::SlowCharges {
            return Some(Fault::new(kind, random.pause(LATE_MAX, SLOW_MAX)));
        }
        Some(measure(state, kind, &mut random))
    }

    /// Whoever takes this step stands still after it.
    fn frost(&self, state: &mut State, random: &mut Random) -> Fault {
        state.budget -= 1;
        let length = random.pause(FROST_MIN, FROST_MAX);
        let now = self.clock.true_now();
        let after = |by: Duration| now.checked_add(by).unwrap_or(Timestamp::MAX);
        let frost = Frost { from: after(FROST_BACK_AFTER), until: after(length), length };
        if state.frost.is_none_or(|frost| frost.until <= now) {
            state.frost = random.happens(FROST_BACK_PER_MILLE).then_some(frost);
        }
        Fault::new(FaultKind::FreezeAfter, length)
    }

    /// Whether the clock is to be set back at this step, while somebody stands still.
    fn is_to_be_set_back(&self, state: &mut State) -> Option<Frost> {
        let now = self.clock.true_now();
        state.frost.take_if(|frost| {
            (frost.from..frost.until).contains(&now) && state.back_left > Duration::from_millis(1)
        })
    }

    /// What the storm does to this step, if there is one. A storm costs one fault, and ends by itself.
    fn storm(&self, state: &mut State, whose: Whose, random: &mut Random) -> Option<FaultKind> {
        let now = self.clock.true_now();
        if state.storm.is_none() && random.happens(state.rates.storm) {
            state.budget -= 1;
            let kinds = [FaultKind::Refused, FaultKind::DoubtBefore, FaultKind::DoubtAfter, FaultKind::Late];
            let hits_charges = random.happens(700);
            let kind = kinds[random.index(if hits_charges { 4 } else { 3 })];
            let until = now.checked_add(random.pause(Duration::from_secs(1), STORM_MAX)).ok()?;
            state.storm = Some(Storm { hits_charges, kind, until });
        }
        let storm = state.storm?;
        if now >= storm.until {
            state.storm = None;
            return None;
        }
        let is_kin = storm.hits_charges == whose.is_charge;
        (is_kin && random.happens(STORM_PER_MILLE)).then_some(storm.kind)
    }

    /// The process or the worker dies here, or its caller's process does.
    pub async fn die<T>(&self, signal: Signal) -> T {
        lock(&self.state).signals.push(signal);
        pending().await
    }

    /// What has happened to processes since this was last asked.
    pub fn take_signals(&self) -> Vec<Signal> {
        let mut state = lock(&self.state);
        if state.signals.is_empty() { Vec::new() } else { std::mem::take(&mut state.signals) }
    }

    /// A number for a delivery that no other delivery has.
    pub fn next_delivery(&self) -> u64 {
        let mut state = lock(&self.state);
        state.deliveries += 1;
        state.deliveries
    }

    /// The time that an answer takes when nothing goes wrong.
    pub fn latency(&self) -> Duration {
        self.pause(Duration::from_millis(1), LATENCY_MAX)
    }

    /// A time that something takes.
    pub fn pause(&self, shortest: Duration, longest: Duration) -> Duration {
        match &mut lock(&self.state).times {
            Some(random) => random.pause(shortest, longest),
            None => LATENCY_PLAIN.clamp(shortest, longest),
        }
    }

    /// Adds a line to the history, if it is kept.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let mut state = lock(&self.state);
        let Some(history) = state.history.as_mut().filter(|lines| lines.len() < HISTORY_LINES_MAX) else {
            return;
        };
        let millis = self.clock.true_now().duration_since(self.start).as_millis();
        history.push(format!("{:>10}.{:03} s  {}", millis / 1_000, millis % 1_000, line()));
    }

    /// What happened, oldest first; empty unless it was kept.
    pub fn history(&self) -> Vec<String> {
        lock(&self.state).history.clone().unwrap_or_default()
    }

    /// Every fault that happened, with its place.
    pub fn record(&self) -> Vec<(Place, Fault)> {
        lock(&self.state).record.clone()
    }
}

/// Sets the clock back during a frost: mostly so far that it shows an earlier time at the end of the frost than at its beginning.
fn set_back(state: &mut State, frost: Frost, random: &mut Random) -> Fault {
    state.budget -= 1;
    if frost.length >= state.back_left || random.happens(200) {
        return measure(state, FaultKind::Back, random);
    }
    let by = random.pause(frost.length, state.back_left);
    state.back_left -= by;
    Fault::new(FaultKind::Back, by)
}

/// A fault of this kind with its length.
fn measure(state: &mut State, kind: FaultKind, random: &mut Random) -> Fault {
    let tick = Duration::from_millis(1);
    let length = match kind {
        FaultKind::CrashBefore | FaultKind::CrashAfter | FaultKind::Restore | FaultKind::Moved => {
            outage(random)
        }
        FaultKind::DieBefore | FaultKind::DieAfter => random.pause(tick, Duration::from_mins(2)),
        FaultKind::FreezeBefore | FaultKind::FreezeAfter => freeze(random),
        FaultKind::Refused if random.happens(300) => random.pause(LATENCY_MAX, LATE_MAX),
        FaultKind::Refused
        | FaultKind::DoubtBefore
        | FaultKind::DoubtAfter
        | FaultKind::Invalid
        | FaultKind::Conflict
        | FaultKind::WrongAmount
        | FaultKind::ForeignCharge => Duration::ZERO,
        FaultKind::Delay => random.pause(tick, DELAY_MAX),
        FaultKind::Late | FaultKind::Twice => random.pause(tick, LATE_MAX),
        FaultKind::Forward => {
            let by = random.pause(tick, state.forward_left.min(FORWARD_MAX));
            state.forward_left -= by;
            by
        }
        FaultKind::Drain => random.pause(tick, DRAIN_MAX),
        FaultKind::Back => {
            let by = random.pause(tick, state.back_left);
            state.back_left -= by;
            by
        }
    };
    Fault::new(kind, length)
}

/// What goes wrong at a step, if anything does.
fn any_kind(rates: Rates, whose: Whose, random: &mut Random) -> Option<FaultKind> {
    let mut one_of = |before: FaultKind, after: FaultKind| if random.happens(500) { before } else { after };
    let crash = one_of(FaultKind::CrashBefore, FaultKind::CrashAfter);
    let die = one_of(FaultKind::DieBefore, FaultKind::DieAfter);
    let freeze = one_of(FaultKind::FreezeBefore, FaultKind::FreezeAfter);
    let doubt = one_of(FaultKind::DoubtBefore, FaultKind::DoubtAfter);
    let wire = one_of(FaultKind::Late, FaultKind::Twice);
    let jump = one_of(FaultKind::Forward, FaultKind::Back);
    let Whose { is_worker, is_charge } = whose;
    let chances = [
        (rates.crash, crash, true),
        (rates.die, die, is_worker),
        (rates.freeze, freeze, is_worker),
        (rates.refused, FaultKind::Refused, true),
        (rates.doubt, doubt, true),
        (rates.delay, FaultKind::Delay, true),
        (rates.wire, wire, is_charge),
        (rates.jump, jump, true),
    ];
    let happens = |(rate, _, can): &(u64, FaultKind, bool)| random.happens(*rate) && *can;
    chances.into_iter().find(happens).map(|(_, kind, _)| kind)
}

/// What goes wrong at the border at this step, if anything.
fn border_kind(border: Border, per_mille: u64, whose: Whose, random: &mut Random) -> Option<FaultKind> {
    let kind = match border {
        Border::Calm => return None,
        Border::Refusals => FaultKind::Invalid,
        Border::Conflicts => FaultKind::Conflict,
        Border::WrongAnswers if random.happens(500) => FaultKind::WrongAmount,
        Border::WrongAnswers => FaultKind::ForeignCharge,
        Border::SlowCharges => FaultKind::Late,
        Border::RestoredLedger => FaultKind::Restore,
        Border::OtherAccount => FaultKind::Moved,
    };
    let is_restart = matches!(kind, FaultKind::Restore | FaultKind::Moved);
    let per_mille = if is_restart { per_mille / 10 } else { per_mille };
    ((whose.is_charge || is_restart) && random.happens(per_mille)).then_some(kind)
}

/// How long a process is down: moments, minutes, or longer than a bank remembers a key.
fn outage(random: &mut Random) -> Duration {
    let (shortest, longest) = match random.below(10) {
        0..=4 => (Duration::from_millis(1), Duration::from_secs(20)),
        5..=7 => (Duration::from_secs(20), Duration::from_mins(20)),
        _ => (Duration::from_hours(11), Duration::from_hours(40)),
    };
    random.pause(shortest, longest)
}

/// How long a worker stands still: less than its lease, longer, or longer than a bank remembers a key.
fn freeze(random: &mut Random) -> Duration {
    let (shortest, longest) = match random.below(10) {
        0..=2 => (Duration::from_millis(1), Duration::from_secs(8)),
        3..=8 => (Duration::from_secs(8), Duration::from_mins(5)),
        _ => (Duration::from_hours(1), Duration::from_hours(40)),
    };
    random.pause(shortest, longest)
}
