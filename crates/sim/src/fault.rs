//! Everything that can go wrong at a step, and its name in histories, statistics and scripts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A kind of mishap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The process dies before the step and starts again after this time.
    CrashBefore,
    /// The process dies after the step, before anybody hears of it.
    CrashAfter,
    /// One worker dies before the step while the process goes on; another takes its place after this time.
    DieBefore,
    /// One worker dies after the step, before it hears of it.
    DieAfter,
    /// One worker stands still for this time before the step, as when its machine is paused.
    FreezeBefore,
    /// One worker stands still for this time after the step, before it goes on.
    FreezeAfter,
    /// The step does not happen, and that is known. At the gateway: 429, with this time in `Retry-After` if not zero.
    Refused,
    /// The step does not happen, but nobody can tell. At the gateway: 5xx before the charge.
    DoubtBefore,
    /// The step happens, but nobody can tell. At the gateway: 5xx after the charge, or an answer that is lost.
    DoubtAfter,
    /// The step happens this much later.
    Delay,
    /// The caller is told nothing, and the delivery reaches the gateway this much later.
    Late,
    /// The delivery reaches the gateway now, and once more this much later.
    Twice,
    /// The system's clock jumps forward by this much before the step.
    Forward,
    /// The system's clock jumps back by this much before the step.
    Back,
    /// A worker is told to drain this much after it has started; another takes its place.
    Drain,
    /// The gateway refuses the request (400) and does nothing, whatever an earlier delivery under the same key led to.
    Invalid,
    /// The gateway answers `idempotency_error` and does nothing, although the key is the request's own.
    Conflict,
    /// The gateway takes another amount than it was asked for, and reports that amount.
    WrongAmount,
    /// The gateway charges nothing and reports a charge that belongs to another payment.
    ForeignCharge,
    /// The process dies and starts again from an older copy of its database after this time.
    Restore,
    /// The process dies and is started against another gateway account after this time.
    Moved,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::CrashBefore,
        Self::CrashAfter,
        Self::DieBefore,
        Self::DieAfter,
        Self::FreezeBefore,
        Self::FreezeAfter,
        Self::Refused,
        Self::DoubtBefore,
        Self::DoubtAfter,
        Self::Delay,
        Self::Late,
        Self::Twice,
        Self::Forward,
        Self::Back,
        Self::Drain,
        Self::Invalid,
        Self::Conflict,
        Self::WrongAmount,
        Self::ForeignCharge,
        Self::Restore,
        Self::Moved,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CrashBefore => "crash-before",
            Self::CrashAfter => "crash-after",
            Self::DieBefore => "die-before",
            Self::DieAfter => "die-after",
            Self::FreezeBefore => "freeze-before",
            Self::FreezeAfter => "freeze-after",
            Self::Refused => "refused",
            Self::DoubtBefore => "doubt-before",
            Self::DoubtAfter => "doubt-after",
            Self::Delay => "delay",
            Self::Late => "late",
            Self::Twice => "twice",
            Self::Forward => "forward",
            Self::Back => "back",
            Self::Drain => "drain",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::WrongAmount => "wrong-amount",
            Self::ForeignCharge => "foreign-charge",
            Self::Restore => "restore",
            Self::Moved => "moved",
        }
    }
}

/// One mishap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// For how long, or by how much, where that says anything; in milliseconds.
    pub millis: u64,
}

impl Fault {
    /// One of this length, in whole milliseconds.
    pub fn new(kind: FaultKind, length: Duration) -> Self {
        Self { kind, millis: u64::try_from(length.as_millis()).unwrap_or(u64::MAX) }
    }

    /// How long it lasts.
    pub fn length(self) -> Duration {
        Duration::from_millis(self.millis)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if self.millis == 0 { Ok(()) } else { write!(f, ":{}", self.millis) }
    }
}

/// Text that is no part of a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no part of a script")]
pub struct UnknownPart(pub String);

impl FromStr for Fault {
    type Err = UnknownPart;
    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        let unknown = || UnknownPart(text.to_owned());
        let (name, millis) = text.split_once(':').unwrap_or((text, "0"));
        let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(unknown)?;
        Ok(Self { kind, millis: millis.parse().map_err(|_| unknown())? })
    }
}

/// A place in a schedule: the step and how often it was taken before. It stays the same when faults elsewhere are left
/// out, which is what makes shrinking work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The step's name.
    pub step: String,
    /// How often it was taken before.
    pub ordinal: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.step, self.ordinal)
    }
}

impl FromStr for Place {
    type Err = UnknownPart;
    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        let unknown = || UnknownPart(text.to_owned());
        let (step, ordinal) = text.split_once('#').ok_or_else(unknown)?;
        Ok(Self { step: step.to_owned(), ordinal: ordinal.parse().map_err(|_| unknown())? })
    }
}
