//! Webhooks: who is told what happened.

use payment_runs_engine::account::Stamps;
use payment_runs_engine::ids::{DeliveryId, WebhookId};
use payment_runs_engine::notify::{self, DeliveryQuery, Replayed, SecretVersion, WebhookChange};
use payment_runs_engine::ports::TargetFault;
use payment_runs_stubs::ops::list_deliveries::Query;
use payment_runs_stubs::{Category, Location, Rejection, RequestContext};
use payment_runs_types::ops::{
    CreateWebhookRequest, Delivery, DeliveryPage, DeliveryState, IssuedWebhook, UpdateWebhookRequest,
    Webhook, WebhookList,
};

use super::clients::{foreign_cursor, refuse_key};
use super::{require_all_organizations, stored, unknown};
use crate::app::App;
use crate::call::Call;
use crate::cursor;
use crate::faults::Faults;
use crate::notification::{kinds_of, wire_event};

/// Deliveries per page unless the caller says otherwise.
const SIZE_DEFAULT: u32 = 30;

/// Deliveries per page at most; the schema refuses more.
const SIZE_MAX: u32 = 99;

/// The states inside and on the wire.
const STATES: &[(notify::DeliveryState, DeliveryState)] = &[
    (notify::DeliveryState::Waiting, DeliveryState::Waiting),
    (notify::DeliveryState::Delivered, DeliveryState::Delivered),
    (notify::DeliveryState::Failed, DeliveryState::Failed),
];

/// A call for the whole entity, since a webhook is told everything in it.
pub(in crate::ops) fn webhooks<'a>(app: &'a App, context: &'a RequestContext) -> Result<Call<'a>, Rejection> {
    let call = Call::new(app, context)?;
    require_all_organizations(&call, "see or change webhooks")?;
    Ok(call)
}

/// Every webhook of the entity.
pub(in crate::ops) async fn list(call: &Call<'_>) -> Result<WebhookList, Rejection> {
    let webhooks = stored(call.app.ports.webhooks.list_webhooks(call.scope().entity).await)?;
    Ok(WebhookList { data: webhooks.into_iter().map(write).collect() })
}

/// One webhook.
pub(in crate::ops) async fn get(call: &Call<'_>, id: &str) -> Result<Webhook, Rejection> {
    find(call, id).await.map(write)
}

async fn find(call: &Call<'_>, id: &str) -> Result<notify::Webhook, Rejection> {
    let Ok(webhook) = id.parse::<WebhookId>() else { return Err(no_webhook(id)) };
    let found = stored(call.app.ports.webhooks.find_webhook(call.scope().entity, webhook).await)?;
    found.ok_or_else(|| no_webhook(id))
}

/// Makes a webhook and tells its secret.
pub(in crate::ops) async fn create(
    call: &Call<'_>,
    body: CreateWebhookRequest,
) -> Result<IssuedWebhook, Rejection> {
    refuse_key(call)?;
    Faults::of_name("description", body.description.as_deref().unwrap_or_default())?;
    let webhook = notify::Webhook {
        url: target(call, &body.url)?,
        id: WebhookId::from_u128(call.app.ports.ids.next_id()),
        description: body.description,
        kinds: kinds_of(&body.events),
        is_active: true,
        secret: SecretVersion { generation: 1, rotated_at: None },
        stamps: Stamps::new(call.app.now(), call.caller.user),
    };
    let made = call.app.ports.webhooks.create_webhook(call.scope().entity, webhook.clone()).await;
    if !stored(made)? {
        let message = "the entity has as many webhooks as it may have";
        return Err(Rejection::new(Category::BusinessRule, message));
    }
    Ok(issue(call, webhook))
}

/// Changes a webhook.
pub(in crate::ops) async fn update(
    call: &Call<'_>,
    id: &str,
    body: UpdateWebhookRequest,
) -> Result<Webhook, Rejection> {
    let webhook = find(call, id).await?;
    if let Some(Some(description)) = &body.description {
        Faults::of_name("description", description)?;
    }
    let change = WebhookChange {
        url: body.url.map(|url| target(call, &url)).transpose()?,
        description: body.description,
        kinds: body.events.map(|events| kinds_of(&events)),
        is_active: body.active,
        rotates: false,
    };
    apply(call, webhook.id, change).await.map(write)
}

/// Gives a webhook another secret and tells it.
pub(in crate::ops) async fn rotate(call: &Call<'_>, id: &str) -> Result<IssuedWebhook, Rejection> {
    refuse_key(call)?;
    let webhook = find(call, id).await?;
    let change = WebhookChange { rotates: true, ..WebhookChange::default() };
    apply(call, webhook.id, change).await.map(|webhook| issue(call, webhook))
}

async fn apply(call: &Call<'_>, id: WebhookId, change: WebhookChange) -> Result<notify::Webhook, Rejection> {
    let (entity, user, now) = (call.scope().entity, call.caller.user, call.app.now());
    let changed = stored(call.app.ports.webhooks.update_webhook(entity, id, change, user, now).await)?;
    changed.ok_or_else(|| no_webhook(&id.to_string()))
}

/// Deletes a webhook with its deliveries.
pub(in crate::ops) async fn delete(call: &Call<'_>, id: &str) -> Result<Webhook, Rejection> {
    let webhook = find(call, id).await?.id;
    let (entity, user, now) = (call.scope().entity, call.caller.user, call.app.now());
    let deleted = stored(call.app.ports.webhooks.delete_webhook(entity, webhook, user, now).await)?;
    deleted.map(write).ok_or_else(|| no_webhook(id))
}

/// One page of a webhook's deliveries, newest first.
pub(in crate::ops) async fn deliveries(
    call: &Call<'_>,
    id: &str,
    query: Query,
) -> Result<DeliveryPage, Rejection> {
    let webhook = find(call, id).await?.id;
    let entity = call.scope().entity;
    let state = query.state.as_ref().map(ToString::to_string).unwrap_or_default();
    let (entity_bytes, webhook_bytes) = (entity.0.to_be_bytes(), webhook.to_bytes());
    let list: [&[u8]; 4] = [b"deliveries", &entity_bytes, &webhook_bytes, state.as_bytes()];
    let key = &call.app.settings.cursor_key;
    let before = query.cursor.as_deref().map(|text| {
        let bytes = cursor::read(key, &list, text);
        let place = bytes.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        place.ok_or_else(foreign_cursor)
    });
    let state = query.state.and_then(|asked| STATES.iter().find(|(_, wire)| *wire == asked));
    let size = query.page_size.and_then(|size| u32::try_from(size).ok()).unwrap_or(SIZE_DEFAULT);
    let size = size.clamp(1, SIZE_MAX);
    let asked = DeliveryQuery {
        state: state.map(|(inside, _)| *inside),
        before: before.transpose()?,
        limit: size + 1,
    };
    let mut found = stored(call.app.ports.webhooks.list_deliveries(entity, webhook, asked).await)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let is_last = found.len() <= size;
    found.truncate(size);
    let end = found.last().filter(|_| !is_last);
    let next_page = end.map(|delivery| cursor::sign(key, &list, &delivery.ordinal.to_be_bytes()));
    let data = found.into_iter().map(write_delivery).collect::<Result<_, _>>()?;
    Ok(DeliveryPage { data, next_page })
}

/// Sends an ended delivery once more.
pub(in crate::ops) async fn replay(
    call: &Call<'_>,
    id: &str,
    delivery_id: &str,
) -> Result<Delivery, Rejection> {
    let webhook = find(call, id).await?.id;
    let missing = || unknown("delivery_id", "delivery", delivery_id);
    let delivery = delivery_id.parse::<DeliveryId>().map_err(|_| missing())?;
    let (entity, user, now) = (call.scope().entity, call.caller.user, call.app.now());
    let refuse = |message: &str| Err(Rejection::new(Category::BusinessRule, message));
    match stored(call.app.ports.webhooks.replay_delivery(entity, webhook, delivery, user, now).await)? {
        Replayed::Done(delivery) => write_delivery(*delivery),
        Replayed::Waiting => refuse("the delivery is waiting to be sent already"),
        Replayed::Full => {
            refuse("too many deliveries of the webhook are waiting: try again when some are sent")
        }
        Replayed::Missing => Err(missing()),
    }
}

/// The URL in its usual form, if notifications may be sent there.
fn target(call: &Call<'_>, url: &str) -> Result<String, Rejection> {
    call.app.ports.webhook_sender.check(url).map_err(|fault: TargetFault| {
        Rejection::at(Category::InvalidValue, Location::Body, "url", fault.to_string())
    })
}

fn issue(call: &Call<'_>, webhook: notify::Webhook) -> IssuedWebhook {
    let secret = call.app.ports.webhook_sender.secret(webhook.id, webhook.secret.generation);
    IssuedWebhook { webhook: write(webhook), secret }
}

fn no_webhook(id: &str) -> Rejection {
    unknown("id", "webhook", id)
}

fn write(webhook: notify::Webhook) -> Webhook {
    Webhook {
        id: webhook.id.to_string(),
        url: webhook.url,
        events: webhook.kinds.into_iter().map(wire_event).collect(),
        description: webhook.description,
        active: webhook.is_active,
        created_at: webhook.stamps.created_at.into(),
        updated_at: webhook.stamps.updated_at.into(),
    }
}

fn write_delivery(delivery: notify::Delivery) -> Result<Delivery, Rejection> {
    let content = serde_json::from_slice(&delivery.body).map_err(|error| {
        tracing::error!(%error, delivery = %delivery.id, "a stored notification cannot be read");
        Rejection::new(Category::Internal, "a stored notification cannot be read")
    })?;
    let state = STATES.iter().find(|(inside, _)| *inside == delivery.state);
    let state = state.map_or_else(|| DeliveryState::Unknown(String::new()), |(_, wire)| wire.clone());
    let delivered_at = delivery.ended_at.filter(|_| state == DeliveryState::Delivered);
    Ok(Delivery {
        id: delivery.id.to_string(),
        event: wire_event(delivery.kind),
        state,
        payment_run_id: delivery.run.map(|run| run.to_string()),
        payment_id: delivery.payment.map(|payment| payment.to_string()),
        content,
        attempts: i32::try_from(delivery.attempts).unwrap_or(i32::MAX),
        last_status: delivery.status.map(i32::from),
        last_error: delivery.error,
        next_attempt_at: delivery.due_at.map(Into::into),
        created_at: delivery.created_at.into(),
        delivered_at: delivered_at.map(Into::into),
    })
}
