//! Requests that a caller does not wait for: accepted with 202, kept in a durable queue, and carried out once by whichever
//! process takes them.

mod accept;
mod worker;

pub(crate) use accept::accept;
pub use worker::work_off_async_requests;

use jiff::SignedDuration;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{EntityKey, OrganizationId, UserId};
use payment_runs_engine::ports::Permission;
use serde::{Deserialize, Serialize};

use crate::auth::Caller;

/// Requests that may wait at the same time; more are refused until some are done.
const WAITING_MAX: u32 = 10_000;

/// How long an answer can be read, and for how long a request that was begun is known to be the same one.
const ANSWER_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is needed to carry a request out later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queued {
    /// The HTTP method.
    pub(crate) method: String,
    /// The path and the query.
    pub(crate) path: String,
    /// The JSON body, if it has one.
    pub(crate) body: Option<String>,
    /// Who made it.
    caller: QueuedCaller,
}

impl Queued {
    /// What its maker could see and change when it was accepted.
    pub(crate) fn scope(&self) -> Scope {
        self.caller.scope()
    }
}

/// Who made a request, with what they were allowed when it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct QueuedCaller {
    client: String,
    user: UserId,
    entity: EntityKey,
    organizations: Option<Vec<OrganizationId>>,
    permissions: Vec<Permission>,
}

impl QueuedCaller {
    fn of(caller: &Caller) -> Self {
        Self {
            client: caller.client.clone(),
            user: caller.user,
            entity: caller.scope.entity,
            organizations: caller.scope.organizations.clone(),
            permissions: caller.permissions.clone(),
        }
    }

    fn scope(&self) -> Scope {
        Scope { entity: self.entity, organizations: self.organizations.clone() }
    }

    fn into_caller(self) -> Caller {
        let scope = self.scope();
        // No queued operation looks beyond the entity of its request.
        let entities = Vec::new();
        Caller { client: self.client, user: self.user, scope, entities, permissions: self.permissions }
    }
}
