//! A payment run being watched: server-sent events that tell how far it is.
//!
//! An event's identifier is a digest of the counters it tells, so that it means the same on every server and after every
//! start: whoever comes back with the last one hears of it only when something differs, or the run has ended.

mod rate;

use std::convert::Infallible;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::stream;
use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::Key;
use payment_runs_engine::run::RunStatus;
use payment_runs_stubs::ops::watch_payment_run::{self, Headers};
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::ops::{Progress, ProgressEvent};
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use self::rate::Rates;
use super::{no_run, progress};
use crate::app::App;
use crate::auth::Standing;
use crate::call::Call;
use crate::failure::store_failure;

/// The shortest time between two events of one watcher, but for the last event, which is never late: two in a second are
/// enough for people, and more would only be read by machines that should read the progress itself.
const EVENT_GAP: SignedDuration = SignedDuration::from_millis(500);
/// How long nothing is said at most: a comment keeps proxies from closing the connection.
const HEARTBEAT: SignedDuration = SignedDuration::from_secs(15);
/// How long one call watches at most. Whoever goes on calls again, and proves again who it is.
const WATCH_MAX: SignedDuration = SignedDuration::from_hours(1);
/// Seconds after which a watcher who found no place may try again.
const RETRY_AFTER_S: u64 = 5;

/// Begins to watch a run.
pub(super) async fn watch(call: &Call<'_>, key: &str, headers: Headers) -> Result<Body, Rejection> {
    let ledger = &call.app.ports.ledger;
    let found = ledger.find_run(call.scope(), &Key::new(key)).await.map_err(|error| store_failure(&error))?;
    let run = found.ok_or_else(|| no_run(key))?;
    let place = call.app.watchers.clone().try_acquire_owned().map_err(|_| {
        Rejection::new(Category::Temporary, "too many payment runs are being watched")
            .retry_after_s(RETRY_AFTER_S)
    })?;
    let now = call.app.now();
    let watcher = Watcher {
        app: call.app.clone(),
        standing: Standing::of(call, &watch_payment_run::OPERATION).await?,
        scope: call.scope().clone(),
        run: Key::new(run.id.to_string()),
        _place: place,
        last_id: headers.last_event_id,
        is_open: false,
        has_ended: false,
        event_at: None,
        said_at: now,
        until: later(now, WATCH_MAX),
        rates: Rates::default(),
    };
    Ok(Body::from_stream(stream::unfold(watcher, Watcher::next)))
}

/// One who watches.
struct Watcher {
    app: App,
    standing: Standing,
    scope: Scope,
    run: Key,
    _place: OwnedSemaphorePermit,
    /// What the watcher knows.
    last_id: Option<String>,
    is_open: bool,
    has_ended: bool,
    /// When the last event was sent.
    event_at: Option<Timestamp>,
    /// When anything was sent last.
    said_at: Timestamp,
    until: Timestamp,
    rates: Rates,
}

/// What a look at the run leads to.
enum Seen {
    /// There is something to tell.
    News(String),
    /// There is nothing to tell now.
    Nothing,
    /// There will never be anything to tell.
    End,
}

impl Watcher {
    /// The next piece of the answer: an event or a comment.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.has_ended {
            return None;
        }
        if !self.is_open {
            // It tells the client, and every proxy between, that the answer has begun.
            self.is_open = true;
            return Some(self.say(": watching\n\n".to_owned()));
        }
        loop {
            let app = self.app.clone();
            // Made before the look, so that nothing that happens right after it is missed.
            let changed = app.ports.ledger.runs_changed();
            let now = app.now();
            if app.stopping.is_set() || now >= self.until || self.standing.check().await.is_err() {
                return None;
            }
            match self.look(now).await {
                Seen::News(event) => return Some(self.say(event)),
                Seen::End => return None,
                Seen::Nothing if now >= later(self.said_at, HEARTBEAT) => {
                    return Some(self.say(": nothing new\n\n".to_owned()));
                }
                Seen::Nothing => {}
            }
            let wake_at = self.event_at.map_or_else(|| later(now, EVENT_GAP), |at| later(at, EVENT_GAP));
            let wake_at = if wake_at > now { wake_at } else { later(now, EVENT_GAP) };
            tokio::select! {
                biased;
                () = app.stopping.wait() => return None,
                () = changed => {}
                () = app.ports.clock.sleep_until(wake_at) => {}
            }
        }
    }

    fn say(mut self, text: String) -> (Result<Bytes, Infallible>, Self) {
        self.said_at = self.app.now();
        (Ok(Bytes::from(text)), self)
    }

    /// Looks at the run, and puts into words what the watcher does not know yet.
    async fn look(&mut self, now: Timestamp) -> Seen {
        let ledger = self.app.ports.ledger.clone();
        if self.event_at.is_some_and(|at| now < later(at, EVENT_GAP)) {
            // Too soon for an event, unless it is the last one.
            match ledger.find_run(&self.scope, &self.run).await {
                Ok(Some(run)) if !has_ended(run.status) => return Seen::Nothing,
                Ok(Some(_)) => {}
                // It was deleted, or the store fails: the client asks again.
                Ok(None) | Err(_) => return Seen::End,
            }
        }
        let Ok(Some(known)) = ledger.run_progress(&self.scope, &self.run).await else { return Seen::End };
        let told = progress::write(&known);
        self.rates.note(now, &told);
        let id = id_of(&told);
        self.has_ended = has_ended(known.run.status);
        // The end is told again to whoever knows it: an `EventSource` that is told nothing connects again for ever.
        if !self.has_ended && self.last_id.as_ref() == Some(&id) {
            return Seen::Nothing;
        }
        let name = if self.has_ended { "end" } else { "progress" };
        let event = self.rates.event(told, known.selection_complete);
        let Ok(data) = serde_json::to_string::<ProgressEvent>(&event) else { return Seen::End };
        let text = format!("id: {id}\nevent: {name}\ndata: {data}\n\n");
        self.last_id = Some(id);
        self.event_at = Some(now);
        Seen::News(text)
    }
}

/// Whether a run goes no further.
fn has_ended(status: RunStatus) -> bool {
    match status {
        RunStatus::Pending | RunStatus::Processing => false,
        RunStatus::Completed | RunStatus::Error | RunStatus::Canceled => true,
    }
}

/// A digest of everything that an event tells of a run's state.
fn id_of(told: &Progress) -> String {
    /// Bytes of the digest that are kept: two states of one run never meet in them.
    const BYTES: usize = 12;
    let text = serde_json::to_vec(told).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&Sha256::digest(&text)[..BYTES])
}

/// A time some while after another; the end of the calendar when it would lie beyond.
fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
