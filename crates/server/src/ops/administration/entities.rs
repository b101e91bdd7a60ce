//! Entities: parts of the data that share nothing.

use payment_runs_engine::ids::EntityId;
use payment_runs_engine::ports::{Entity, NewEntity};
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::ops::{self, CreateEntityRequest, EntityList};

use super::{grant, named, require_all_organizations, stored};
use crate::call::Call;
use crate::faults::Faults;

/// The entities that the caller may act in.
pub(in crate::ops) async fn list(call: &Call<'_>) -> Result<EntityList, Rejection> {
    let own = grant::entity_keys(call);
    let entities = stored(call.app.ports.access.entities().await)?;
    let seen = entities.into_iter().filter(|entity| own.contains(&entity.key));
    Ok(EntityList { data: seen.map(write).collect() })
}

/// Makes an entity, and lets the caller into it.
pub(in crate::ops) async fn create(
    call: &Call<'_>,
    body: CreateEntityRequest,
) -> Result<ops::Entity, Rejection> {
    require_all_organizations(call, "make entities")?;
    Faults::of_name("name", &body.name)?;
    let new = NewEntity {
        id: EntityId::from_u128(call.app.ports.ids.next_id()),
        name: body.name,
        like: call.scope().entity,
        client: call.caller.client.clone(),
    };
    let made = stored(call.app.ports.access.create_entity(new).await)?;
    let gone = || Rejection::new(Category::Authentication, "Authentication error");
    named(made, gone).map(write)
}

fn write(entity: Entity) -> ops::Entity {
    ops::Entity { entity_id: entity.id.to_string(), name: entity.name }
}
