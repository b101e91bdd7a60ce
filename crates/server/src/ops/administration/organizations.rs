//! Organizations of an entity, to which accounts belong.

use payment_runs_engine::ids::OrganizationId;
use payment_runs_stubs::Rejection;
use payment_runs_types::ops::{
    CreateOrganizationRequest, Organization, OrganizationList, UpdateOrganizationRequest,
};

use super::{named, require_all_organizations, stored, unknown};
use crate::call::Call;
use crate::faults::Faults;

/// The organizations that the caller may act in, by name.
pub(in crate::ops) async fn list(call: &Call<'_>) -> Result<OrganizationList, Rejection> {
    let known = stored(call.app.ports.access.organizations(call.scope().entity).await)?;
    let seen = known.into_iter().filter(|(id, _)| is_visible(call, *id));
    Ok(OrganizationList { data: seen.map(|(id, name)| write(id, name)).collect() })
}

/// Makes an organization.
pub(in crate::ops) async fn create(
    call: &Call<'_>,
    body: CreateOrganizationRequest,
) -> Result<Organization, Rejection> {
    require_all_organizations(call, "make organizations")?;
    Faults::of_name("name", &body.name)?;
    let id = OrganizationId::from_u128(call.app.ports.ids.next_id());
    let access = &call.app.ports.access;
    let made = stored(access.create_organization(call.scope().entity, id, &body.name).await)?;
    named(made, || no_organization(&id.to_string()))?;
    Ok(write(id, body.name))
}

/// Gives an organization another name.
pub(in crate::ops) async fn rename(
    call: &Call<'_>,
    key: &str,
    body: UpdateOrganizationRequest,
) -> Result<Organization, Rejection> {
    let id = key.parse::<OrganizationId>().ok().filter(|id| is_visible(call, *id));
    let id = id.ok_or_else(|| no_organization(key))?;
    Faults::of_name("name", &body.name)?;
    let access = &call.app.ports.access;
    let done = stored(access.rename_organization(call.scope().entity, id, &body.name).await)?;
    named(done, || no_organization(key))?;
    Ok(write(id, body.name))
}

fn is_visible(call: &Call<'_>, id: OrganizationId) -> bool {
    call.scope().organizations.as_ref().is_none_or(|own| own.contains(&id))
}

fn no_organization(id: &str) -> Rejection {
    unknown("organization_id", "organization", id)
}

fn write(id: OrganizationId, name: String) -> Organization {
    Organization { organization_id: id.to_string(), name }
}
