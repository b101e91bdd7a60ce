//! What a payment run would do, before anybody creates it.

use jiff::Timestamp;
use jiff::civil::Date;

use super::ledger::DecisionPosition;
use crate::account::Scope;
use crate::command::NewRun;
use crate::ids::{GatewayId, UserId};
use crate::run::{Decision, Tallies};

/// Documents that a preview decides about at most. Each page of a preview is computed anew, so that a larger run would
/// keep a reader of the store for many seconds.
pub const PREVIEW_DOCUMENTS_MAX: u64 = 200_000;

/// A question about a run that does not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviewQuery {
    /// What the caller may see.
    pub scope: Scope,
    /// Who asks.
    pub user: UserId,
    /// When the run would start (UTC).
    pub now: Timestamp,
    /// The run.
    pub run: NewRun,
    /// Documents of a chunk, about, as the workers cut them.
    pub documents_per_chunk: usize,
    /// Documents decided about at most, see [`PREVIEW_DOCUMENTS_MAX`].
    pub documents_max: u64,
    /// Only decisions after this position.
    pub after: Option<DecisionPosition>,
    /// How many decisions at most.
    pub limit: u32,
}

/// What the run would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The last due date that it would collect.
    pub target_date: Date,
    /// Its counters once everything is planned: each payment counts as processing.
    pub tallies: Tallies,
    /// The decisions asked for, in their order.
    pub decisions: Vec<PreviewedDecision>,
}

/// A decision that a run would take. The payment named in it exists nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewedDecision {
    /// Where it would stand in the run.
    pub position: DecisionPosition,
    /// The decision.
    pub decision: Decision,
    /// The gateway that would be charged.
    pub gateway: Option<GatewayId>,
}

/// The answer to a [`PreviewQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Previewed {
    /// The whole plan in numbers, and a page of its decisions.
    Plan(Preview),
    /// The run would decide about more documents, or pass over more of them, than a preview looks at.
    TooLarge,
}
