//! Seeded faults: what goes wrong, how often, and when in a delivery.
//!
//! A fault is drawn from the seed, the idempotency key and the number of the delivery under that
//! key, and from nothing else: the same seed gives the same faults whatever the order in which
//! requests arrive.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

/// Probabilities are whole millionths, so that a draw needs no floating point.
const CERTAIN_PPM: u32 = 1_000_000;
/// Six decimal places are one millionth.
const PROBABILITY_DECIMALS: usize = 6;
/// An answer is never held back for more than ten minutes.
const VALUE_MAX: u64 = 600_000;

/// A thing that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut; nothing is charged.
    DropBeforeCharge,
    /// The money is charged, then the connection is cut without an answer.
    DropAfterCharge,
    /// The money is charged, then the connection is cut in the middle of the answer.
    CutAnswer,
    /// The money is charged; the answer is 200 with a body that is no JSON.
    GarbledAnswer,
    /// 500 before anything is charged; the key is free for another try.
    Error500,
    /// The money is charged, the answer is 500; another try gets the true answer.
    Error500AfterCharge,
    /// 500 before anything is charged, and the key replays that 500 for as long as it lives.
    Saved500,
    /// The money is charged, the answer is 500, and the key replays that 500 for as long as it lives.
    Saved500AfterCharge,
    /// 429 before anything is charged, with `Retry-After` in seconds.
    RateLimit429,
    /// 429 `lock_timeout` before anything is charged.
    LockTimeout429,
    /// 409 before anything is charged, as if the same key were in flight.
    InFlight409,
    /// The charge is made this many milliseconds later, even if the caller has gone by then.
    LateChargeMs,
    /// The answer is held back for this many milliseconds after the charge.
    DelayMs,
    /// The network delivers the request twice.
    Duplicate,
}

impl Fault {
    /// Whether the money is charged before it strikes.
    pub(super) fn strikes_after_charge(self) -> bool {
        matches!(
            self,
            Self::DropAfterCharge
                | Self::CutAnswer
                | Self::GarbledAnswer
                | Self::Error500AfterCharge
                | Self::Saved500AfterCharge
        )
    }
}

/// How often each fault has struck.
#[derive(Debug)]
pub struct FaultCounts(Vec<AtomicU64>);

impl Default for FaultCounts {
    fn default() -> Self {
        Self(FAULT_FORMS.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl FaultCounts {
    pub(super) fn add(&self, fault: Fault) {
        let counted = FAULT_FORMS.iter().zip(&self.0).find(|(form, _)| form.fault == fault);
        if let Some((_, count)) = counted {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The faults that struck, by name, in the order of [`FAULT_FORMS`].
    pub fn struck(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        FAULT_FORMS.iter().map(|form| form.name).zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}

/// How a fault is written in a specification.
#[derive(Clone, Copy, Debug)]
pub struct FaultForm {
    /// The fault.
    pub fault: Fault,
    /// Its name.
    pub name: &'static str,
    /// Whether it takes a value.
    value: Value,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    /// It takes none.
    None,
    /// It may have one; this holds where none is written.
    Default(u64),
    /// It must have one.
    Needed,
}

const fn form(fault: Fault, name: &'static str) -> FaultForm {
    FaultForm { fault, name, value: Value::None }
}

/// Every fault, in the order in which they are tried.
pub const FAULT_FORMS: &[FaultForm] = &[
    form(Fault::DropBeforeCharge, "drop-before-charge"),
    FaultForm { fault: Fault::RateLimit429, name: "rate-limit-429", value: Value::Default(1) },
    form(Fault::LockTimeout429, "lock-timeout-429"),
    form(Fault::InFlight409, "in-flight-409"),
    form(Fault::Error500, "error-500"),
    form(Fault::Saved500, "saved-500"),
    FaultForm { fault: Fault::LateChargeMs, name: "late-charge-ms", value: Value::Needed },
    form(Fault::DropAfterCharge, "drop-after-charge"),
    form(Fault::CutAnswer, "cut-answer"),
    form(Fault::GarbledAnswer, "garbled-answer"),
    form(Fault::Error500AfterCharge, "error-500-after-charge"),
    form(Fault::Saved500AfterCharge, "saved-500-after-charge"),
    FaultForm { fault: Fault::DelayMs, name: "delay-ms", value: Value::Needed },
    form(Fault::Duplicate, "duplicate"),
];

/// The faults of a simulator.
///
/// Written as a comma-separated list of `name=probability` or `name=value:probability`, for
/// example `drop-after-charge=0.01,rate-limit-429=2:0.05,delay-ms=200:0.1`. A probability lies
/// between 0 and 1 with at most six decimals. The names are those of [`FAULT_FORMS`]; `delay-ms`
/// and `late-charge-ms` need a value in milliseconds, `rate-limit-429` takes one in seconds
/// (1 where none is written).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// One entry per fault that can happen, in the order of [`FAULT_FORMS`].
    rules: Vec<Rule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    order: u64,
    fault: Fault,
    value: u64,
    probability_ppm: u32,
}

/// The faults one delivery meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What happens instead of the charge, or to its answer: at most one.
    pub fault: Option<(Fault, u64)>,
    /// How long the answer is held back, in milliseconds.
    pub delay_ms: u64,
    /// Whether the request is delivered twice.
    pub duplicate: bool,
}

impl Faults {
    /// Whether nothing can go wrong.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The faults of one delivery. `key_seed` stands for the seed and the key together.
    pub fn plan(&self, key_seed: u64, delivery: u32) -> Plan {
        let mut plan = Plan::default();
        for rule in &self.rules {
            let drawn = mix(mix(key_seed, u64::from(delivery)), rule.order) % u64::from(CERTAIN_PPM);
            if drawn >= u64::from(rule.probability_ppm) {
                continue;
            }
            match rule.fault {
                Fault::DelayMs => plan.delay_ms = rule.value,
                Fault::Duplicate => plan.duplicate = true,
                fault if plan.fault.is_none() => plan.fault = Some((fault, rule.value)),
                _ => {}
            }
        }
        plan
    }
}

/// The finaliser of the `SplitMix64` generator: cheap, and every input bit moves every output bit.
fn mix(state: u64, input: u64) -> u64 {
    let mut z = state.wrapping_add(input.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Everything that is wrong with a fault specification.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}", Listed(.mistakes))]
pub struct FaultsError {
    /// Every mistake, in the order of the text.
    pub mistakes: Vec<FaultMistake>,
}

/// One mistake in a fault specification.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FaultMistake {
    /// An entry without `=`.
    #[error("`{entry}` has no `=`; write name=probability or name=value:probability")]
    NoEquals {
        /// The entry as written.
        entry: String,
    },
    /// A name no fault has.
    #[error("`{name}` is no fault; the faults are {}", fault_names())]
    UnknownName {
        /// The name as written.
        name: String,
    },
    /// The same fault twice.
    #[error("`{name}` is given twice")]
    Repeated {
        /// The name as written.
        name: String,
    },
    /// A probability that is no decimal between 0 and 1.
    #[error("`{name}`: `{text}` is no probability between 0 and 1 with at most six decimals")]
    Probability {
        /// The name as written.
        name: String,
        /// The probability as written.
        text: String,
    },
    /// A value that is no whole number in bounds.
    #[error("`{name}`: `{text}` is no whole number between 0 and {VALUE_MAX}")]
    Value {
        /// The name as written.
        name: String,
        /// The value as written.
        text: String,
    },
    /// A fault that needs a value has none.
    #[error("`{name}` needs a value: {name}=value:probability")]
    MissingValue {
        /// The name as written.
        name: String,
    },
    /// A value on a fault that takes none.
    #[error("`{name}` takes no value: {name}=probability")]
    NeedlessValue {
        /// The name as written.
        name: String,
    },
}

struct Listed<'a>(&'a [FaultMistake]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

fn fault_names() -> String {
    FAULT_FORMS.iter().map(|form| form.name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut mistakes = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            match parse_entry(entry) {
                Err(mistake) => mistakes.push(mistake),
                Ok(rule) if rules.iter().any(|other| other.fault == rule.fault) => {
                    let name = entry.split('=').next().unwrap_or_default().trim().to_owned();
                    mistakes.push(FaultMistake::Repeated { name });
                }
                Ok(rule) => rules.push(rule),
            }
        }
        if !mistakes.is_empty() {
            return Err(FaultsError { mistakes });
        }
        rules.retain(|rule| rule.probability_ppm > 0);
        rules.sort_by_key(|rule| rule.order);
        Ok(Self { rules })
    }
}

fn parse_entry(entry: &str) -> Result<Rule, FaultMistake> {
    let (name, rest) =
        entry.split_once('=').ok_or_else(|| FaultMistake::NoEquals { entry: entry.to_owned() })?;
    let name = name.trim();
    let (order, form) = (0_u64..)
        .zip(FAULT_FORMS)
        .find(|(_, form)| form.name == name)
        .ok_or_else(|| FaultMistake::UnknownName { name: name.to_owned() })?;
    let (value, probability) = match (rest.split_once(':'), form.value) {
        (Some(_), Value::None) => return Err(FaultMistake::NeedlessValue { name: name.to_owned() }),
        (Some((value, probability)), _) => (parse_value(name, value.trim())?, probability),
        (None, Value::Needed) => return Err(FaultMistake::MissingValue { name: name.to_owned() }),
        (None, Value::Default(default)) => (default, rest),
        (None, Value::None) => (0, rest),
    };
    let probability_ppm = parse_probability(probability.trim()).ok_or_else(|| FaultMistake::Probability {
        name: name.to_owned(),
        text: probability.trim().to_owned(),
    })?;
    Ok(Rule { order, fault: form.fault, value, probability_ppm })
}

fn parse_value(name: &str, text: &str) -> Result<u64, FaultMistake> {
    text.parse()
        .ok()
        .filter(|value| *value <= VALUE_MAX && text.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(|| FaultMistake::Value { name: name.to_owned(), text: text.to_owned() })
}

fn parse_probability(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || decimals.len() > PROBABILITY_DECIMALS
        || !digits_only(whole)
        || !digits_only(decimals)
    {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let fraction: u32 = format!("{decimals:0<PROBABILITY_DECIMALS$}").parse().ok()?;
    let ppm = whole.checked_mul(CERTAIN_PPM)?.checked_add(fraction)?;
    (ppm <= CERTAIN_PPM).then_some(ppm)
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
