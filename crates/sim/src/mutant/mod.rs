//! Protocols that are wrong on purpose, to prove that the checkers notice.
//!
//! They are wrappers around the ports, and hands in the database between two transactions: the engine and the store are
//! the real ones here, too, and nothing of this is in the program that collects money.

mod late;
mod saboteur;

use std::fmt;
use std::str::FromStr;

use crate::bank::Border;

pub(crate) use late::copy_database;
pub use saboteur::Saboteur;

/// One way to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// Charges are sent before anything about them is stored, under keys that a restart does not make again.
    NoDurableIntent,
    /// Every delivery has a key of its own.
    NewKeyOnRetry,
    /// A charge whose outcome is not known counts as declined.
    ForgetUnknown,
    /// Keys are re-sent however old they are.
    ResendAfterExpiry,
    /// A delivery that was not answered counts as not sent.
    TimeoutIsNotSent,
    /// The balances of documents are written in another transaction than the outcomes that change them.
    OutcomeNotAtomic,
    /// The counters of runs are written in another transaction than the outcomes that they count.
    CountersApart,
    /// A payment does not keep others off its documents until its outcome is recorded.
    HoldNotTaken,
    /// A worker whose work was taken over writes as if it still had it.
    NoFencing,
    /// An outcome is recorded whatever the payment's state is.
    SettleUnguarded,
    /// That a gateway has not seen a charge is believed at once, even while a delivery may be under way.
    BelievedAtOnce,
    /// A payment whose outcome is not known lets go of its documents.
    UnknownReleases,
    /// A run that is stopped forgets the charges that are under way.
    StopForgetsInFlight,
    /// Leases are judged by the time of day alone, which may have been set back.
    TrustsTimeOfDay,
    /// A caller that was held up sends its payment however late it is.
    LateCaller,
    /// A refusal counts as a decline, also after a delivery in doubt.
    RefusalIsDecline,
    /// A key is delivered again although the gateway knows it with another request.
    ConflictIsRepeated,
    /// Whatever charge the gateway reports is believed.
    BelievesAnyCharge,
    /// A stopped run's payment is given up minutes after the gateway was asked first.
    GivesUpEarly,
    /// Charges and questions go to whatever account the gateway has.
    AnyAccount,
    /// That the ledger was restored from an older copy is not noticed.
    RestoreUnnoticed,
    /// A reconciliation lets charges be sent again without taking anything over.
    AdoptsNothing,
    /// What a reconciliation cannot match does not keep others off its account's documents.
    ReleasesUnmatched,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 23] = [
        Self::NoDurableIntent,
        Self::NewKeyOnRetry,
        Self::ForgetUnknown,
        Self::ResendAfterExpiry,
        Self::TimeoutIsNotSent,
        Self::OutcomeNotAtomic,
        Self::CountersApart,
        Self::HoldNotTaken,
        Self::NoFencing,
        Self::SettleUnguarded,
        Self::BelievedAtOnce,
        Self::UnknownReleases,
        Self::StopForgetsInFlight,
        Self::TrustsTimeOfDay,
        Self::LateCaller,
        Self::RefusalIsDecline,
        Self::ConflictIsRepeated,
        Self::BelievesAnyCharge,
        Self::GivesUpEarly,
        Self::AnyAccount,
        Self::RestoreUnnoticed,
        Self::AdoptsNothing,
        Self::ReleasesUnmatched,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoDurableIntent => "no_durable_intent",
            Self::NewKeyOnRetry => "new_key_on_retry",
            Self::ForgetUnknown => "forget_unknown",
            Self::ResendAfterExpiry => "resend_after_expiry",
            Self::TimeoutIsNotSent => "timeout_is_not_sent",
            Self::OutcomeNotAtomic => "outcome_not_atomic",
            Self::CountersApart => "counters_apart",
            Self::HoldNotTaken => "hold_not_taken",
            Self::NoFencing => "no_fencing",
            Self::SettleUnguarded => "settle_unguarded",
            Self::BelievedAtOnce => "believed_at_once",
            Self::UnknownReleases => "unknown_releases",
            Self::StopForgetsInFlight => "stop_forgets_in_flight",
            Self::TrustsTimeOfDay => "trusts_time_of_day",
            Self::LateCaller => "late_caller",
            Self::RefusalIsDecline => "refusal_is_decline",
            Self::ConflictIsRepeated => "conflict_is_repeated",
            Self::BelievesAnyCharge => "believes_any_charge",
            Self::GivesUpEarly => "gives_up_early",
            Self::AnyAccount => "any_account",
            Self::RestoreUnnoticed => "restore_unnoticed",
            Self::AdoptsNothing => "adopts_nothing",
            Self::ReleasesUnmatched => "releases_unmatched",
        }
    }

    /// The trouble at the border that shows it, where it takes a certain one.
    pub fn border(self) -> Option<Border> {
        match self {
            Self::RefusalIsDecline => Some(Border::Refusals),
            Self::ConflictIsRepeated => Some(Border::Conflicts),
            Self::BelievesAnyCharge => Some(Border::WrongAnswers),
            Self::GivesUpEarly => Some(Border::SlowCharges),
            Self::AnyAccount => Some(Border::OtherAccount),
            Self::RestoreUnnoticed | Self::AdoptsNothing | Self::ReleasesUnmatched => {
                Some(Border::RestoredLedger)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no mutant has.
#[derive(Debug, thiserror::Error)]
#[error("there is no mutant `{0}`")]
pub struct UnknownMutant(String);

impl FromStr for Mutant {
    type Err = UnknownMutant;
    fn from_str(text: &str) -> Result<Self, UnknownMutant> {
        let found = Self::ALL.into_iter().find(|mutant| mutant.name() == text);
        found.ok_or_else(|| UnknownMutant(text.to_owned()))
    }
}
