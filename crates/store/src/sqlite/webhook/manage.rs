//! Webhooks: made, changed, listed and deleted by callers.

use std::sync::LazyLock;

use jiff::Timestamp;
use payment_runs_engine::ids::{EntityKey, UserId, WebhookId};
use payment_runs_engine::notify::{NotificationKind, SecretVersion, WEBHOOKS_MAX, Webhook, WebhookChange};
use rusqlite::{Connection, params};

use super::audit;
use crate::sqlite::events::{EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row::read_stamps;
use crate::sqlite::sequence::{Sequence, last};
use crate::sqlite::sql::{BlobId, Columns, all, execute, execute_one, first, insert_sql, opt_time, time};

const COLUMNS: &str = "entity, id, url, description, is_active, run_ended_after, payment_processed_after, \
     payment_declined_after, secret_generation, rotated_at, position, created_at, created_by, updated_at, updated_by";
const SELECTED: &str = "id, url, description, is_active, run_ended_after, payment_processed_after, \
     payment_declined_after, secret_generation, rotated_at, created_at, created_by, updated_at, updated_by";

static INSERT: LazyLock<String> = LazyLock::new(|| insert_sql("webhook", COLUMNS));
static BY_ID: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SELECTED} FROM webhook WHERE entity = ?1 AND id = ?2"));
static LIST: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {SELECTED} FROM webhook WHERE entity = ?1 ORDER BY id LIMIT {WEBHOOKS_MAX}")
});
static ACTIVE: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT entity, position, {SELECTED} FROM webhook WHERE is_active = 1 ORDER BY entity, id")
});
const UPDATE: &str = "UPDATE webhook SET url = ?3, description = ?4, is_active = ?5, run_ended_after = ?6, \
     payment_processed_after = ?7, payment_declined_after = ?8, secret_generation = ?9, rotated_at = ?10, \
     updated_at = ?11, updated_by = ?12 WHERE entity = ?1 AND id = ?2";

/// Since after which event a webhook is told of each kind, in the order of [`NotificationKind::ALL`].
pub(super) type Since = [Option<i64>; 3];

fn read(row: &mut Columns<'_>) -> Result<(Webhook, Since), Failure> {
    let (id, url, description, is_active) = (row.id()?, row.get()?, row.get()?, row.get()?);
    let since: Since = [row.get()?, row.get()?, row.get()?];
    let kinds = NotificationKind::ALL.into_iter().zip(since);
    let kinds = kinds.filter_map(|(kind, after)| after.map(|_| kind)).collect();
    let secret = SecretVersion { generation: row.number()?, rotated_at: row.opt_time()? };
    let stamps = read_stamps(row)?;
    Ok((Webhook { id, url, description, kinds, is_active, secret, stamps }, since))
}

fn find(db: &Connection, entity: EntityKey, id: WebhookId) -> Result<Option<(Webhook, Since)>, Failure> {
    first(db, &BY_ID, params![entity.0, id.to_blob()], read)
}

pub(super) fn by_id(db: &Connection, entity: EntityKey, id: WebhookId) -> Result<Option<Webhook>, Failure> {
    Ok(find(db, entity, id)?.map(|(webhook, _)| webhook))
}

/// Since when the webhook is told of each kind; nothing of one that is not there.
pub(super) fn since(db: &Connection, entity: EntityKey, id: WebhookId) -> Result<Since, Failure> {
    Ok(find(db, entity, id)?.map(|(_, since)| since).unwrap_or_default())
}

pub(super) fn list(db: &Connection, entity: EntityKey) -> Result<Vec<Webhook>, Failure> {
    all(db, &LIST, params![entity.0], |row| read(row).map(|(webhook, _)| webhook))
}

pub(super) fn active(db: &Connection) -> Result<Vec<(EntityKey, Webhook, i64)>, Failure> {
    all(db, &ACTIVE, [], |row| {
        let (entity, position) = (EntityKey(row.get()?), row.get()?);
        read(row).map(|(webhook, _)| (entity, webhook, position))
    })
}

/// The kinds that are told from after this event on, and those that are told already.
fn subscribe(kinds: &[NotificationKind], now: i64, before: Since) -> Since {
    let mut since = Since::default();
    for ((kind, before), since) in NotificationKind::ALL.into_iter().zip(before).zip(&mut since) {
        *since = kinds.contains(&kind).then_some(before.unwrap_or(now));
    }
    since
}

pub(super) fn create(db: &Connection, entity: EntityKey, webhook: &Webhook) -> Result<bool, Failure> {
    let count = "SELECT count(*) FROM webhook WHERE entity = ?1";
    let count = first(db, count, params![entity.0], |row| row.number::<usize>())?.unwrap_or_default();
    if count >= WEBHOOKS_MAX {
        return Ok(false);
    }
    let position = last(db, entity, Sequence::Event)?;
    let [run_ended, processed, declined] = subscribe(&webhook.kinds, position, Since::default());
    let values = params![
        entity.0,
        webhook.id.to_blob(),
        webhook.url,
        webhook.description,
        webhook.is_active,
        run_ended,
        processed,
        declined,
        webhook.secret.generation,
        opt_time(webhook.secret.rotated_at),
        position,
        time(webhook.stamps.created_at),
        webhook.stamps.created_by.to_blob(),
        time(webhook.stamps.updated_at),
        webhook.stamps.updated_by.to_blob(),
    ];
    execute_one(db, &INSERT, values, "create a webhook")?;
    let event = audit(EventKind::WebhookCreated, webhook.stamps.created_by, detail(webhook));
    append(db, entity, webhook.stamps.created_at, &[event])?;
    Ok(true)
}

pub(super) fn update(
    db: &Connection,
    entity: EntityKey,
    id: WebhookId,
    change: &WebhookChange,
    user: UserId,
    now: Timestamp,
) -> Result<Option<Webhook>, Failure> {
    let Some((mut webhook, mut since)) = find(db, entity, id)? else { return Ok(None) };
    if let Some(kinds) = &change.kinds {
        since = subscribe(kinds, last(db, entity, Sequence::Event)?, since);
    }
    if change.rotates {
        let generation = webhook.secret.generation.saturating_add(1);
        webhook.secret = SecretVersion { generation, rotated_at: Some(now) };
    }
    let url = change.url.as_ref().unwrap_or(&webhook.url);
    let description = change.description.as_ref().unwrap_or(&webhook.description);
    let is_active = change.is_active.unwrap_or(webhook.is_active);
    let [run_ended, processed, declined] = since;
    let values = params![
        entity.0,
        id.to_blob(),
        url,
        description,
        is_active,
        run_ended,
        processed,
        declined,
        webhook.secret.generation,
        opt_time(webhook.secret.rotated_at),
        time(now),
        user.to_blob(),
    ];
    execute_one(db, UPDATE, values, "change a webhook")?;
    let changed = by_id(db, entity, id)?;
    if let Some(webhook) = &changed {
        append(db, entity, now, &[audit(EventKind::WebhookUpdated, user, detail(webhook))])?;
    }
    Ok(changed)
}

pub(super) fn delete(
    db: &Connection,
    entity: EntityKey,
    id: WebhookId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<Webhook>, Failure> {
    let Some(webhook) = by_id(db, entity, id)? else { return Ok(None) };
    let values = params![entity.0, id.to_blob()];
    execute(db, "DELETE FROM webhook_delivery WHERE entity = ?1 AND webhook = ?2", values)?;
    execute(db, "DELETE FROM webhook_held WHERE entity = ?1 AND webhook = ?2", values)?;
    execute_one(db, "DELETE FROM webhook WHERE entity = ?1 AND id = ?2", values, "delete a webhook")?;
    append(db, entity, now, &[audit(EventKind::WebhookDeleted, user, detail(&webhook))])?;
    Ok(Some(webhook))
}

/// Which webhook, for the audit trail. The URL may hold a key of its owner's, so only what names the host is kept.
fn detail(webhook: &Webhook) -> String {
    let host = webhook.url.split('/').nth(2).unwrap_or_default();
    format!("webhook {} to {host}", webhook.id)
}
