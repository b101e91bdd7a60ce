//! Who may call: clients, tokens, entities and settings.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::account::GatewayConfig;
use crate::ids::{EntityId, EntityKey, OrganizationId, UserId};
use crate::settings::Settings;

/// What a client may do beyond reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// Create, change and delete payment runs.
    ManagePaymentRuns,
    /// Charge payment methods. Without it a run collects nothing, whatever it asks for.
    ProcessElectronicPayment,
    /// Administer clients, entities and settings.
    Administer,
}

/// A client of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Client identifier.
    pub id: String,
    /// Hash of the secret in the PHC string format.
    pub secret_hash: String,
    /// The user it acts as.
    pub user: UserId,
    /// The entities it may act in.
    pub entities: Vec<(EntityKey, EntityId)>,
    /// The organizations it may see; `None` means all.
    pub organizations: Option<Vec<OrganizationId>>,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// Whether it may ask for tokens.
    pub is_active: bool,
}

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The client as it is now, not as it was when the token was made.
    pub client: Client,
    /// When the token ends (UTC).
    pub expires_at: Timestamp,
}

/// Clients, tokens and settings.
#[async_trait]
pub trait Access: Send + Sync {
    /// The client, if there is one.
    async fn find_client(&self, id: &str) -> Result<Option<Client>, StoreError>;
    /// Creates the client or replaces it.
    async fn put_client(&self, client: Client) -> Result<(), StoreError>;
    /// Whether there is any client yet.
    async fn has_clients(&self) -> Result<bool, StoreError>;
    /// Stores the digest of a token.
    async fn put_token(
        &self,
        digest: [u8; 32],
        client: &str,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;
    /// What the token stands for, if it is known and not expired.
    async fn find_session(&self, digest: [u8; 32], now: Timestamp) -> Result<Option<Session>, StoreError>;
    /// The first entity, made at the first start with this public identifier.
    async fn ensure_entity(&self, key: EntityKey, id: EntityId, name: &str) -> Result<(), StoreError>;
    /// What the entity has configured.
    async fn settings(&self, entity: EntityKey) -> Result<Settings, StoreError>;
    /// Replaces what the entity has configured.
    async fn put_settings(&self, entity: EntityKey, settings: Settings) -> Result<(), StoreError>;
    /// The secret of this name: the stored one, else the candidate, which is stored.
    async fn ensure_secret(&self, name: &str, candidate: [u8; 32]) -> Result<[u8; 32], StoreError>;
    /// Organizations of the entity, as (identifier, name).
    async fn organizations(&self, entity: EntityKey) -> Result<Vec<(OrganizationId, String)>, StoreError>;
    /// Creates the organization or renames it.
    async fn put_organization(
        &self,
        entity: EntityKey,
        id: OrganizationId,
        name: &str,
    ) -> Result<(), StoreError>;
    /// Creates the gateway or replaces it.
    async fn put_gateway(&self, entity: EntityKey, gateway: GatewayConfig) -> Result<(), StoreError>;
    /// Every gateway of the entity, by name.
    async fn gateways(&self, entity: EntityKey) -> Result<Vec<GatewayConfig>, StoreError>;
}
