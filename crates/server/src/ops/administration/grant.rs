//! What one client may give another: nothing that it does not have itself.

use payment_runs_engine::ids::{EntityId, EntityKey, OrganizationId};
use payment_runs_engine::ports::{Client, Permission};
use payment_runs_stubs::{Category, Location, Rejection};
use payment_runs_types::ops;

use super::stored;
use crate::auth::{read_permissions, write_permissions};
use crate::call::Call;

/// The keys of the entities that the caller may act in, with or without naming them in this request.
pub(super) fn entity_keys(call: &Call<'_>) -> Vec<EntityKey> {
    call.caller.entities.iter().map(|(key, _)| *key).collect()
}

/// Whether the client exists for the caller.
pub(super) fn is_visible(call: &Call<'_>, client: &Client) -> bool {
    client.is_within(&entity_keys(call), call.scope().organizations.as_deref())
}

/// Refuses callers that would change a client which may do more than they may.
pub(super) fn check_power(call: &Call<'_>, client: &Client) -> Result<(), Rejection> {
    if client.permissions.iter().all(|permission| call.caller.may(*permission)) {
        return Ok(());
    }
    Err(Rejection::new(Category::Permission, "the client has a permission that the caller does not have"))
}

/// The permissions to be given.
pub(super) fn permissions(call: &Call<'_>, asked: &[ops::Permission]) -> Result<Vec<Permission>, Rejection> {
    let given = read_permissions(asked);
    let foreign_ones: Vec<Permission> = given.iter().copied().filter(|one| !call.caller.may(*one)).collect();
    match write_permissions(&foreign_ones).next() {
        None => Ok(given),
        Some(word) => Err(foreign("permissions", &format!("the permission '{word}'"))),
    }
}

/// The entities to be given.
pub(super) fn entities(call: &Call<'_>, asked: &[String]) -> Result<Vec<(EntityKey, EntityId)>, Rejection> {
    let mut given = Vec::new();
    for text in asked {
        let id = text.parse::<EntityId>().ok();
        let own = call.caller.entities.iter().find(|(_, own)| Some(*own) == id);
        let own = *own.ok_or_else(|| foreign("entities", &format!("the entity '{text}'")))?;
        if !given.contains(&own) {
            given.push(own);
        }
    }
    Ok(given)
}

/// The organizations to be given, each of which one of the entities must have; `None` means all.
pub(super) async fn organizations(
    call: &Call<'_>,
    entities: &[(EntityKey, EntityId)],
    asked: Option<&[String]>,
) -> Result<Option<Vec<OrganizationId>>, Rejection> {
    let own = call.scope().organizations.as_ref();
    let Some(asked) = asked else {
        return match own {
            None => Ok(None),
            Some(_) => Err(foreign("organizations", "all organizations")),
        };
    };
    let mut known = Vec::new();
    for (entity, _) in entities {
        let listed = stored(call.app.ports.access.organizations(*entity).await)?;
        known.extend(listed.into_iter().map(|(id, _)| id));
    }
    let mut given = Vec::new();
    for text in asked {
        let id = text.parse::<OrganizationId>().ok().filter(|id| known.contains(id));
        let id = id.filter(|id| own.is_none_or(|own| own.contains(id)));
        let id = id.ok_or_else(|| foreign("organizations", &format!("the organization '{text}'")))?;
        if !given.contains(&id) {
            given.push(id);
        }
    }
    Ok(Some(given))
}

fn foreign(field: &'static str, what: &str) -> Rejection {
    let message = format!("{what} cannot be given by a caller that does not have it");
    Rejection::at(Category::Permission, Location::Body, field, message)
}
