//! Accounts, payment gateways as configured, and who changed what when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, EntityKey, GatewayId, OrganizationId, PaymentMethodId, UserId};
use crate::money::Currency;

/// Who created and last changed an object, and when (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: UserId,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who last changed it.
    pub updated_by: UserId,
}

impl Stamps {
    /// The stamps of an object created now.
    pub const fn new(at: Timestamp, by: UserId) -> Self {
        Self { created_at: at, created_by: by, updated_at: at, updated_by: by }
    }
}

/// The part of the data that a request may see and change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The entity.
    pub entity: EntityKey,
    /// The organizations; `None` means all of the entity.
    pub organizations: Option<Vec<OrganizationId>>,
}

impl Scope {
    /// The whole of one entity.
    pub const fn entity(entity: EntityKey) -> Self {
        Self { entity, organizations: None }
    }

    /// Whether everything that the other scope reaches lies in this one.
    pub fn covers(&self, other: &Self) -> bool {
        self.entity == other.entity
            && organizations_cover(self.organizations.as_deref(), other.organizations.as_deref())
    }
}

/// Whether some organizations are among others; `None` means all, of which no list is as much.
pub fn organizations_cover(outer: Option<&[OrganizationId]>, inner: Option<&[OrganizationId]>) -> bool {
    match (outer, inner) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => inner.iter().all(|one| outer.contains(one)),
    }
}

/// Whether an account takes part in payment runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccountStatus {
    /// It has no invoices yet.
    Draft,
    /// It is billed and charged.
    Active,
    /// It is closed.
    Canceled,
}

/// A customer account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Identifier.
    pub id: AccountId,
    /// Number, unique in the entity.
    pub number: String,
    /// Name.
    pub name: String,
    /// The account's own currency; its documents may have others.
    pub currency: Currency,
    /// Whether runs charge this account without being asked.
    pub auto_pay: bool,
    /// The batch's alias, such as `Batch1`.
    pub batch: Option<String>,
    /// Bill cycle day, 1 to 31, where 31 is the end of the month; 0 when never set.
    pub bill_cycle_day: u8,
    /// The account's own gateway; without one the entity's default is used.
    pub gateway: Option<GatewayId>,
    /// The default payment method.
    pub default_payment_method: Option<PaymentMethodId>,
    /// Status.
    pub status: AccountStatus,
    /// The organization it belongs to.
    pub organization: Option<OrganizationId>,
    /// Credit balance in minor units of the account's currency.
    pub credit_balance_minor: i64,
    /// Who and when.
    pub stamps: Stamps,
}

/// A payment gateway as the entity has configured it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayConfig {
    /// Identifier.
    pub id: GatewayId,
    /// Name, unique in the entity; accounts name their gateway by it.
    pub name: String,
    /// The protocol it speaks, such as `stripe`.
    pub kind: String,
    /// An inactive gateway is never charged.
    pub is_active: bool,
    /// Whether accounts without a gateway of their own use it.
    pub is_default: bool,
}

/// When a failed payment method may be charged again. Off unless configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RetryRule {
    /// No more attempts after this many failures in a row.
    pub max_consecutive_failures: Option<u32>,
    /// No attempt within this many hours of the last failure.
    pub retry_window_hours: Option<u32>,
}
