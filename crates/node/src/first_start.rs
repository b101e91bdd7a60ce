//! What a database needs before it can serve: an entity, a client, a gateway and the server's own keys.

use std::sync::Arc;

use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::ids::{EntityId, EntityKey, GatewayId, UserId};
use payment_runs_engine::ports::{Access, Client, Entropy, LEDGER_ID_NAME, Permission, StoreError};
use payment_runs_server::hash_secret;

use crate::config::{Credentials, FirstStart};
use crate::error::NodeError;
use crate::seams::Seams;

/// The name of the first entity.
const ENTITY_NAME: &str = "Main";
/// The name of the gateway that accounts without one of their own use.
const GATEWAY_NAME: &str = "Default";
/// The protocol that gateways of this kind speak.
pub(crate) const STRIPE_KIND: &str = "stripe";
/// The key that signs cursors, as the store names it.
const CURSOR_KEY_NAME: &str = "cursor-key";
/// The key from which the secrets of webhooks are derived, as the store names it.
const WEBHOOK_KEY_NAME: &str = "webhook-key";
/// The public identifier of the first entity, as the store names it. The store keeps it with the entity, too, but does not
/// tell it, and every client that is made later needs it.
const ENTITY_ID_NAME: &str = "first-entity-id";
/// Random bytes of a generated client secret; written in hexadecimal they keep within [`CLIENT_SECRET_CHARS_MAX`].
///
/// [`CLIENT_SECRET_CHARS_MAX`]: crate::config::CLIENT_SECRET_CHARS_MAX
const CLIENT_SECRET_BYTES: usize = 20;

/// What a start found or made.
pub(crate) struct Prepared {
    /// The credentials, when they were made up now: they are not stored and cannot be told again.
    pub(crate) generated: Option<Credentials>,
    /// Signs cursors.
    pub(crate) cursor_key: [u8; 32],
    /// The secrets of webhooks are derived from it.
    pub(crate) webhook_key: [u8; 32],
    /// Every gateway.
    pub(crate) gateways: Vec<GatewayConfig>,
}

/// Makes whatever is missing. At a later start it finds everything and changes nothing, except for the secret of a client
/// whose credentials are given.
pub(crate) async fn prepare(
    access: &Arc<dyn Access>,
    seams: &Seams,
    wanted: &FirstStart,
    credentials: Option<Credentials>,
) -> Result<Prepared, NodeError> {
    let entity = ensure_entity(access.as_ref(), seams, wanted).await.map_err(NodeError::Prepare)?;
    let gateways = ensure_gateway(access.as_ref(), seams, wanted).await.map_err(NodeError::Prepare)?;
    let ensure = async |name| ensure_key(access.as_ref(), seams, name).await.map_err(NodeError::Prepare);
    let (cursor_key, webhook_key) = (ensure(CURSOR_KEY_NAME).await?, ensure(WEBHOOK_KEY_NAME).await?);
    ensure(LEDGER_ID_NAME).await?;
    let generated = match credentials {
        Some(given) if !given.can_log_in() => return Err(NodeError::Credentials),
        Some(given) => {
            put_client(access.as_ref(), seams, wanted, entity, &given).await?;
            None
        }
        None if access.has_clients().await.map_err(NodeError::Prepare)? => None,
        None => {
            let made_up = generate(seams.entropy.as_ref());
            put_client(access.as_ref(), seams, wanted, entity, &made_up).await?;
            Some(made_up)
        }
    };
    Ok(Prepared { generated, cursor_key, webhook_key, gateways })
}

async fn ensure_entity(
    access: &dyn Access,
    seams: &Seams,
    wanted: &FirstStart,
) -> Result<EntityId, StoreError> {
    let candidate = wanted.entity.unwrap_or_else(|| EntityId::from_u128(seams.ids.next_id()));
    let mut bytes = [0_u8; 32];
    let (id, _) = bytes.split_at_mut(16);
    id.copy_from_slice(&candidate.to_bytes());
    let kept = access.ensure_secret(ENTITY_ID_NAME, bytes).await?;
    let id = kept.first_chunk().copied().unwrap_or(candidate.to_bytes());
    let entity = EntityId::from_bytes(id);
    access.ensure_entity(EntityKey::FIRST, entity, ENTITY_NAME).await?;
    Ok(entity)
}

async fn ensure_gateway(
    access: &dyn Access,
    seams: &Seams,
    wanted: &FirstStart,
) -> Result<Vec<GatewayConfig>, StoreError> {
    let found = access.gateways(EntityKey::FIRST).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    let gateway = GatewayConfig {
        id: wanted.gateway.unwrap_or_else(|| GatewayId::from_u128(seams.ids.next_id())),
        name: GATEWAY_NAME.to_owned(),
        kind: STRIPE_KIND.to_owned(),
        is_active: true,
        is_default: true,
    };
    access.put_gateway(EntityKey::FIRST, gateway.clone()).await?;
    Ok(vec![gateway])
}

async fn ensure_key(access: &dyn Access, seams: &Seams, name: &str) -> Result<[u8; 32], StoreError> {
    let mut candidate = [0_u8; 32];
    seams.entropy.fill(&mut candidate);
    access.ensure_secret(name, candidate).await
}

/// Makes the client, or gives the one there is this secret and leaves the rest of it as it was.
async fn put_client(
    access: &dyn Access,
    seams: &Seams,
    wanted: &FirstStart,
    entity: EntityId,
    credentials: &Credentials,
) -> Result<(), NodeError> {
    let secret = credentials.client_secret.clone();
    let entropy = Arc::clone(&seams.entropy);
    // Hashing takes tens of milliseconds of work by design, which would hold up other tasks here.
    let hashed = tokio::task::spawn_blocking(move || hash_secret(&secret, entropy.as_ref())).await;
    let secret_hash = hashed.map_err(NodeError::HashingEnded)?.map_err(NodeError::Client)?;
    let found = access.find_client(&credentials.client_id).await.map_err(NodeError::Prepare)?;
    let client = match found {
        Some(client) => Client { secret_hash, is_active: true, ..client },
        None => Client {
            id: credentials.client_id.clone(),
            secret_hash,
            user: wanted.user.unwrap_or_else(|| UserId::from_u128(seams.ids.next_id())),
            entities: vec![(EntityKey::FIRST, entity)],
            organizations: None,
            permissions: Permission::ALL.to_vec(),
            is_active: true,
        },
    };
    access.put_client(client).await.map_err(NodeError::Prepare)
}

fn generate(entropy: &dyn Entropy) -> Credentials {
    let mut id = [0_u8; 16];
    entropy.fill(&mut id);
    let mut secret = [0_u8; CLIENT_SECRET_BYTES];
    entropy.fill(&mut secret);
    // Client identifiers have the 36 characters of a dashed UUID, as the public documentation says.
    let client_id = uuid::Builder::from_random_bytes(id).into_uuid().to_string();
    Credentials { client_id, client_secret: hex(&secret) }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestEntropy;

    #[test]
    fn generated_credentials_have_their_documented_length_and_differ() {
        let entropy = TestEntropy::seeded(1);
        let (one, two) = (generate(&entropy), generate(&entropy));
        assert_eq!((one.client_id.len(), one.client_secret.len()), (36, 40));
        assert!(one.can_log_in());
        assert_ne!(one.client_id, two.client_id);
        assert_ne!(one.client_secret, two.client_secret);
    }

    #[test]
    fn hexadecimal_has_two_digits_a_byte() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa5]), "000fa5");
    }
}
