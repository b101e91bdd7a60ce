//! Cursors of searches. A cursor carries its search, so that a caller may go on with the cursor alone; a caller who repeats
//! the conditions or the order must repeat them as they were.

use payment_runs_engine::account::Scope;
use payment_runs_engine::search::{Condition, Position, Sort};
use serde::{Deserialize, Serialize};

use super::Dialect;
use crate::cursor;

/// A search, and where its next page begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The conditions.
    pub(super) conditions: Vec<Condition>,
    /// The order.
    pub(super) sort: Vec<Sort>,
    /// After this position.
    pub(super) after: Position,
}

impl Place {
    /// The place as an opaque, signed text.
    pub(super) fn sign(&self, key: &[u8; 32], dialect: &Dialect, scope: &Scope) -> Option<String> {
        let bytes = serde_json::to_vec(self).ok()?;
        Some(cursor::sign(key, &list(dialect, &entity(scope), &organizations(scope)), &bytes))
    }

    /// The place that a text stands for; `None` when the text was altered, or belongs to another surface or scope.
    pub(super) fn read(key: &[u8; 32], dialect: &Dialect, scope: &Scope, text: &str) -> Option<Self> {
        let bytes = cursor::read(key, &list(dialect, &entity(scope), &organizations(scope)), text)?;
        serde_json::from_slice(&bytes).ok()
    }
}

fn list<'a>(dialect: &Dialect, entity: &'a [u8], organizations: &'a [u8]) -> [&'a [u8]; 3] {
    [dialect.surface.as_bytes(), entity, organizations]
}

fn entity(scope: &Scope) -> [u8; 4] {
    scope.entity.0.to_be_bytes()
}

/// The organizations in an order of their own; all of an entity differs from none.
fn organizations(scope: &Scope) -> Vec<u8> {
    let Some(organizations) = &scope.organizations else { return b"all".to_vec() };
    let mut sorted = organizations.clone();
    sorted.sort_unstable();
    sorted.into_iter().flat_map(payment_runs_engine::ids::OrganizationId::to_bytes).collect()
}
