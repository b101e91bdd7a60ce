//! From the headers of a request to who calls and in which entity.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{EntityId, EntityKey, OrganizationId, UserId};
use payment_runs_engine::ports::{Client, Permission, StoreError};

use super::token::token_digest;
use crate::app::App;

/// Names the entity to act in.
const ENTITY_HEADER: &str = "zuora-entity-ids";
/// Names the organizations to act in.
const ORGANIZATIONS_HEADER: &str = "zuora-org-ids";

/// Who calls, in which entity, and what they may do.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The client's identifier.
    pub(crate) client: String,
    /// The user it acts as.
    pub(crate) user: UserId,
    /// What it may see and change.
    pub(crate) scope: Scope,
    /// The entities it may act in, of which the request is in one.
    pub(crate) entities: Vec<(EntityKey, EntityId)>,
    /// What it may do.
    pub(crate) permissions: Vec<Permission>,
}

impl Caller {
    /// Whether the caller has the permission.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthFailure {
    /// There is no bearer token, or it is unknown or has ended.
    #[error("Authentication error")]
    Unauthenticated,
    /// The token is good for several entities, and the request names none.
    #[error("the token is valid for several entities: name one in the header Zuora-Entity-Ids")]
    EntityNeeded,
    /// The entity is not among the client's.
    #[error("the client has no access to this entity")]
    ForeignEntity,
    /// An organization is not among the client's.
    #[error("the client has no access to the organization `{0}`")]
    ForeignOrganization(String),
    /// The store could not be asked.
    #[error("the session could not be read")]
    Store(#[from] StoreError),
}

/// Finds out who calls.
pub(crate) async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Caller, AuthFailure> {
    let token = bearer(headers).ok_or(AuthFailure::Unauthenticated)?;
    let session = app.ports.access.find_session(token_digest(token), app.real_now()).await?;
    let client = session.map(|session| session.client).filter(|client| client.is_active);
    let client = client.ok_or(AuthFailure::Unauthenticated)?;
    let scope = scope_of(&client, headers)?;
    if let Some(named) = scope.organizations.as_ref().filter(|_| names_organizations(headers)) {
        // A client may have organizations of other entities, too, or all: what it names must be one of this entity.
        let known = app.ports.access.organizations(scope.entity).await?;
        if let Some(foreign) = named.iter().find(|id| known.iter().all(|(known, _)| known != *id)) {
            return Err(AuthFailure::ForeignOrganization(foreign.to_string()));
        }
    }
    let Client { id, user, entities, permissions, .. } = client;
    Ok(Caller { client: id, user, scope, entities, permissions })
}

pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// The entity and organizations of a request: the headers may narrow what the client has, never widen it.
pub(super) fn scope_of(client: &Client, headers: &HeaderMap) -> Result<Scope, AuthFailure> {
    let named = headers.get(ENTITY_HEADER).map(|value| value.to_str().unwrap_or_default().trim());
    let entity = match (named, client.entities.as_slice()) {
        (None, [(only, _)]) => *only,
        (None, []) => return Err(AuthFailure::ForeignEntity),
        (None, _) => return Err(AuthFailure::EntityNeeded),
        (Some(named), entities) => {
            let id: EntityId = named.parse().map_err(|_| AuthFailure::ForeignEntity)?;
            let found = entities.iter().find(|(_, public)| *public == id);
            found.ok_or(AuthFailure::ForeignEntity)?.0
        }
    };
    let named = named_organizations(client, headers)?;
    // A header that names nothing narrows nothing: an empty list would be read as no limit elsewhere.
    let organizations = if named.is_empty() { client.organizations.clone() } else { Some(named) };
    Ok(Scope { entity, organizations })
}

/// What the header says, with its gaps left out. A name that is no text is none of the client's.
fn names_of(headers: &HeaderMap) -> Vec<Cow<'_, str>> {
    let Some(list) = headers.get(ORGANIZATIONS_HEADER) else { return Vec::new() };
    let names = list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    names.filter(|name| !name.is_empty()).map(String::from_utf8_lossy).collect()
}

fn names_organizations(headers: &HeaderMap) -> bool {
    !names_of(headers).is_empty()
}

fn named_organizations(client: &Client, headers: &HeaderMap) -> Result<Vec<OrganizationId>, AuthFailure> {
    let names = names_of(headers);
    names
        .iter()
        .map(|name| {
            let foreign = || AuthFailure::ForeignOrganization(name.chars().take(64).collect());
            let id: OrganizationId = name.parse().map_err(|_| foreign())?;
            let open = client.organizations.as_ref().is_none_or(|allowed| allowed.contains(&id));
            if open { Ok(id) } else { Err(foreign()) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use http::HeaderValue;

    use super::*;

    fn client(entities: &[(i32, u128)], organizations: Option<&[u128]>) -> Client {
        Client {
            id: "client".into(),
            secret_hash: String::new(),
            user: UserId::from_u128(1),
            entities: entities.iter().map(|(key, id)| (EntityKey(*key), EntityId::from_u128(*id))).collect(),
            organizations: organizations
                .map(|ids| ids.iter().map(|id| OrganizationId::from_u128(*id)).collect()),
            permissions: vec![],
            is_active: true,
        }
    }

    fn headers(pairs: &[(&'static str, String)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn one_entity_needs_no_header_and_several_do() {
        let none = HeaderMap::new();
        assert_eq!(scope_of(&client(&[(7, 1)], None), &none).unwrap().entity, EntityKey(7));
        let several = client(&[(7, 1), (8, 2)], None);
        assert!(matches!(scope_of(&several, &none), Err(AuthFailure::EntityNeeded)));
        let named = headers(&[(ENTITY_HEADER, EntityId::from_u128(2).to_string())]);
        assert_eq!(scope_of(&several, &named).unwrap().entity, EntityKey(8));
        let foreign = headers(&[(ENTITY_HEADER, EntityId::from_u128(3).to_string())]);
        assert!(matches!(scope_of(&several, &foreign), Err(AuthFailure::ForeignEntity)));
    }

    #[test]
    fn organizations_are_narrowed_never_widened() {
        let limited = client(&[(1, 1)], Some(&[5, 6]));
        let own = headers(&[(ORGANIZATIONS_HEADER, OrganizationId::from_u128(6).to_string())]);
        let scope = scope_of(&limited, &own).unwrap();
        assert_eq!(scope.organizations, Some(vec![OrganizationId::from_u128(6)]));
        let foreign = headers(&[(ORGANIZATIONS_HEADER, OrganizationId::from_u128(9).to_string())]);
        assert!(matches!(scope_of(&limited, &foreign), Err(AuthFailure::ForeignOrganization(_))));
        assert_eq!(scope_of(&limited, &HeaderMap::new()).unwrap().organizations.unwrap().len(), 2);
        for nothing in ["", ",", " , ,"] {
            let nothing = headers(&[(ORGANIZATIONS_HEADER, nothing.to_owned())]);
            assert_eq!(scope_of(&limited, &nothing).unwrap().organizations.unwrap().len(), 2);
            assert_eq!(scope_of(&client(&[(1, 1)], None), &nothing).unwrap().organizations, None);
        }
        let mut spoilt = HeaderMap::new();
        spoilt.insert(ORGANIZATIONS_HEADER, HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(matches!(scope_of(&limited, &spoilt), Err(AuthFailure::ForeignOrganization(_))));
    }

    #[test]
    fn a_bearer_token_is_needed() {
        assert_eq!(bearer(&headers(&[("authorization", "Bearer abc".into())])), Some("abc"));
        assert_eq!(bearer(&headers(&[("authorization", "bearer abc".into())])), Some("abc"));
        for wrong in ["abc", "Basic abc", "Bearer", "Bearer  "] {
            assert_eq!(bearer(&headers(&[("authorization", wrong.into())])), None, "{wrong}");
        }
    }
}
