//! The headers that say who calls, and where, against whatever may arrive.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use payment_runs_engine::ids::{EntityId, EntityKey, OrganizationId, UserId};
use payment_runs_engine::ports::Client;

use super::session::{bearer, scope_of};
use crate::corpus;

/// How many times as many cases as the configuration says: each takes microseconds.
const EFFORT: u32 = 8;

const WORDS: &[&str] =
    &["Bearer ", "bearer", "Basic ", ",", " ", "00000000-0000-0000-0000-000000000001", "1", "-", "é", "\t"];

fn client(entities: u128, organizations: Option<u128>) -> Client {
    Client {
        id: "client".into(),
        secret_hash: String::new(),
        user: UserId::from_u128(1),
        entities: (1..=entities)
            .map(|id| (EntityKey(i32::try_from(id).unwrap()), EntityId::from_u128(id)))
            .collect(),
        organizations: organizations.map(|count| (1..=count).map(OrganizationId::from_u128).collect()),
        permissions: vec![],
        is_active: true,
    }
}

#[test]
fn tokens_entities_and_organizations() {
    let clients = [client(1, None), client(2, Some(2)), client(1, Some(0))];
    corpus::throw_at("scope-headers", EFFORT, WORDS, |input| {
        let Ok(value) = HeaderValue::from_bytes(input) else { return };
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.clone());
        if let Some(token) = bearer(&headers) {
            assert!(!token.is_empty() && token.trim() == token);
        }
        for name in ["zuora-entity-ids", "zuora-org-ids"] {
            headers.insert(HeaderName::from_static(name), value.clone());
            for client in &clients {
                let Ok(scope) = scope_of(client, &headers) else { continue };
                assert!(client.entities.iter().any(|(key, _)| *key == scope.entity), "a foreign entity");
                if let (Some(allowed), named) = (&client.organizations, scope.organizations) {
                    assert!(named.unwrap().iter().all(|id| allowed.contains(id)), "a foreign organization");
                }
            }
        }
    });
}
