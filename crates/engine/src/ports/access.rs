//! Who may call: clients, tokens, entities and settings.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::account::{GatewayConfig, Scope, organizations_cover};
use crate::ids::{EntityId, EntityKey, OrganizationId, UserId};
use crate::settings::Settings;

/// What a client may do. No permission includes another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// See everything but the tokens of payment methods and what is administered.
    Read,
    /// Create and change accounts, payment methods, documents, credits and external payments, also through imports, and see
    /// the tokens of payment methods.
    WriteBillingObjects,
    /// Create, change, stop and delete payment runs and their schedules.
    ManagePaymentRuns,
    /// Charge payment methods. Without it a run collects nothing, whatever it asks for.
    ProcessElectronicPayment,
    /// Administer clients, entities, organizations, settings and webhooks.
    Administer,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::WriteBillingObjects,
        Self::ManagePaymentRuns,
        Self::ProcessElectronicPayment,
        Self::Administer,
    ];
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

impl Client {
    /// Whether it can reach nothing that lies outside: all of its entities are among these, and so are its organizations.
    pub fn is_within(&self, entities: &[EntityKey], organizations: Option<&[OrganizationId]>) -> bool {
        let entities_fit = self.entities.iter().all(|(key, _)| entities.contains(key));
        entities_fit && organizations_cover(organizations, self.organizations.as_deref())
    }

    /// Whether it may act in the whole of the scope.
    pub fn reaches(&self, scope: &Scope) -> bool {
        self.entities.iter().any(|(key, _)| *key == scope.entity)
            && organizations_cover(self.organizations.as_deref(), scope.organizations.as_deref())
    }

    /// Whether the tokens that were made for an earlier state of it still count.
    pub fn keeps_tokens_of(&self, earlier: &Self) -> bool {
        self.is_active && self.secret_hash == earlier.secret_hash
    }
}

/// A change of a client. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientChange {
    /// Hash of the new secret.
    pub secret_hash: Option<String>,
    /// The entities it may act in.
    pub entities: Option<Vec<(EntityKey, EntityId)>>,
    /// The organizations it may see; `Some(None)` means all.
    pub organizations: Option<Option<Vec<OrganizationId>>>,
    /// What it may do.
    pub permissions: Option<Vec<Permission>>,
    /// Whether it may ask for tokens.
    pub is_active: Option<bool>,
}

impl ClientChange {
    /// Whether the tokens that the client has end with the change.
    pub fn ends_tokens(&self) -> bool {
        self.secret_hash.is_some() || self.is_active == Some(false)
    }

    /// The client after the change.
    #[must_use]
    pub fn apply(self, client: Client) -> Client {
        Client {
            secret_hash: self.secret_hash.unwrap_or(client.secret_hash),
            entities: self.entities.unwrap_or(client.entities),
            organizations: self.organizations.unwrap_or(client.organizations),
            permissions: self.permissions.unwrap_or(client.permissions),
            is_active: self.is_active.unwrap_or(client.is_active),
            id: client.id,
            user: client.user,
        }
    }
}

/// Which clients are listed, in the order of their identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientQuery {
    /// They may act in this entity.
    pub entity: EntityKey,
    /// They may act in no other entity than these.
    pub entities: Vec<EntityKey>,
    /// They may see no other organizations than these; `None` means that it does not matter.
    pub organizations: Option<Vec<OrganizationId>>,
    /// Only clients whose identifier is greater.
    pub after: Option<String>,
    /// So many at most.
    pub limit: u32,
}

impl ClientQuery {
    /// Whether the client is in the list, wherever the list starts.
    pub fn admits(&self, client: &Client) -> bool {
        client.entities.iter().any(|(key, _)| *key == self.entity)
            && client.is_within(&self.entities, self.organizations.as_deref())
    }
}

/// Entities that there may be at most: each request of a client with several is checked against its list of them.
pub const ENTITIES_MAX: usize = 100;

/// The name under which [`Access::ensure_secret`] keeps the ledger's identifier: its first 16 bytes. Whoever sets a store up makes
/// it at random; it goes into every copy of the database, so that a restored one charges under the same keys.
pub const LEDGER_ID_NAME: &str = "ledger-id";

/// Organizations in an entity at most, which are listed on one page.
pub const ORGANIZATIONS_MAX: usize = 1_000;

/// An entity: a part of the data that shares nothing with any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The short key.
    pub key: EntityKey,
    /// The public identifier.
    pub id: EntityId,
    /// The name.
    pub name: String,
}

/// An entity to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntity {
    /// The public identifier.
    pub id: EntityId,
    /// The name.
    pub name: String,
    /// The entity whose payment gateways it gets.
    pub like: EntityKey,
    /// The client that may act in it.
    pub client: String,
}

/// What came of something that has a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named<T> {
    /// It is stored.
    Done(T),
    /// Another one has the name.
    Taken,
    /// There are as many as there may be.
    Full,
    /// There is none to be changed.
    Missing,
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
    /// Creates the client, unless there is one of this identifier; says whether it did.
    async fn create_client(&self, client: Client) -> Result<bool, StoreError>;
    /// Changes the client, if there is one, and ends its tokens where the change says so, at once; gives the client as it is
    /// then.
    async fn update_client(&self, id: &str, change: ClientChange) -> Result<Option<Client>, StoreError>;
    /// The clients that the query admits.
    async fn list_clients(&self, query: ClientQuery) -> Result<Vec<Client>, StoreError>;
    /// Whether there is any client yet.
    async fn has_clients(&self) -> Result<bool, StoreError>;
    /// Stores the digest of a token, unless the client was switched off or got another secret since it was read; says
    /// whether it did.
    async fn put_token(
        &self,
        digest: [u8; 32],
        client: &Client,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;
    /// What the token stands for, if it is known and not expired.
    async fn find_session(&self, digest: [u8; 32], now: Timestamp) -> Result<Option<Session>, StoreError>;
    /// The first entity, made at the first start with this public identifier.
    async fn ensure_entity(&self, key: EntityKey, id: EntityId, name: &str) -> Result<(), StoreError>;
    /// Makes an entity with the gateways of another one, and lets the client into it. No two have the same name.
    async fn create_entity(&self, new: NewEntity) -> Result<Named<Entity>, StoreError>;
    /// Every entity, oldest first.
    async fn entities(&self) -> Result<Vec<Entity>, StoreError>;
    /// What the entity has configured.
    async fn settings(&self, entity: EntityKey) -> Result<Settings, StoreError>;
    /// Replaces what the entity has configured.
    async fn put_settings(&self, entity: EntityKey, settings: Settings) -> Result<(), StoreError>;
    /// The secret of this name: the stored one, else the candidate, which is stored. A store charges nothing before it has one
    /// of the name [`LEDGER_ID_NAME`].
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
    /// Creates the organization. No two of an entity have the same name.
    async fn create_organization(
        &self,
        entity: EntityKey,
        id: OrganizationId,
        name: &str,
    ) -> Result<Named<()>, StoreError>;
    /// Renames the organization. No two of an entity have the same name.
    async fn rename_organization(
        &self,
        entity: EntityKey,
        id: OrganizationId,
        name: &str,
    ) -> Result<Named<()>, StoreError>;
    /// Creates the gateway or replaces it.
    async fn put_gateway(&self, entity: EntityKey, gateway: GatewayConfig) -> Result<(), StoreError>;
    /// Every gateway of the entity, by name.
    async fn gateways(&self, entity: EntityKey) -> Result<Vec<GatewayConfig>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(entities: &[i32], organizations: Option<&[u128]>) -> Client {
        Client {
            id: "one".to_owned(),
            secret_hash: "old".to_owned(),
            user: UserId::from_u128(1),
            entities: entities.iter().map(|key| (EntityKey(*key), EntityId::from_u128(7))).collect(),
            organizations: organizations.map(ids),
            permissions: vec![Permission::Administer],
            is_active: true,
        }
    }

    fn ids(numbers: &[u128]) -> Vec<OrganizationId> {
        numbers.iter().map(|number| OrganizationId::from_u128(*number)).collect()
    }

    #[test]
    fn a_client_is_within_what_covers_it() {
        let keys = [EntityKey(1), EntityKey(2)];
        assert!(client(&[1], None).is_within(&keys, None));
        assert!(client(&[2, 1], Some(&[5])).is_within(&keys, None));
        assert!(!client(&[1, 3], None).is_within(&keys, None), "another entity");
        assert!(
            !client(&[1], None).is_within(&keys, Some(&ids(&[5]))),
            "all organizations are more than one"
        );
        assert!(client(&[1], Some(&[5])).is_within(&keys, Some(&ids(&[5, 6]))));
        assert!(!client(&[1], Some(&[5, 7])).is_within(&keys, Some(&ids(&[5, 6]))), "another organization");
    }

    #[test]
    fn a_client_reaches_what_it_may_act_in() {
        let scope = |entity, organizations: Option<&[u128]>| Scope {
            entity: EntityKey(entity),
            organizations: organizations.map(ids),
        };
        let whole = client(&[1, 2], None);
        assert!(whole.reaches(&scope(2, None)) && whole.reaches(&scope(1, Some(&[5]))));
        assert!(!whole.reaches(&scope(3, None)), "another entity");
        let narrow = client(&[1], Some(&[5, 6]));
        assert!(narrow.reaches(&scope(1, Some(&[6]))));
        assert!(!narrow.reaches(&scope(1, None)) && !narrow.reaches(&scope(1, Some(&[6, 7]))));
        assert!(
            scope(1, None).covers(&scope(1, Some(&[5]))) && !scope(1, Some(&[5])).covers(&scope(1, None))
        );
        assert!(!scope(1, None).covers(&scope(2, None)), "another entity");
    }

    #[test]
    fn a_list_of_clients_is_that_of_one_entity() {
        let query = |entity| ClientQuery {
            entity: EntityKey(entity),
            entities: vec![EntityKey(1), EntityKey(2)],
            organizations: None,
            after: None,
            limit: 10,
        };
        assert!(query(1).admits(&client(&[1, 2], None)));
        assert!(!query(2).admits(&client(&[1], None)));
        assert!(!query(1).admits(&client(&[1, 3], None)));
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let before = client(&[1], Some(&[5]));
        assert_eq!(ClientChange::default().apply(before.clone()), before);
        assert!(!ClientChange::default().ends_tokens());
        let wider = ClientChange { organizations: Some(None), ..ClientChange::default() };
        assert_eq!(wider.apply(before.clone()).organizations, None);
        let off = ClientChange { is_active: Some(false), ..ClientChange::default() };
        let rotated = ClientChange { secret_hash: Some("new".to_owned()), ..ClientChange::default() };
        let on = ClientChange { is_active: Some(true), ..ClientChange::default() };
        assert!(off.ends_tokens() && rotated.ends_tokens() && !on.ends_tokens());
        assert_eq!(rotated.apply(before).secret_hash, "new");
    }
}
