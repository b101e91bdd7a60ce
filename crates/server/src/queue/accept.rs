//! Accepting a request to be carried out later.

use http::StatusCode;
use payment_runs_engine::ids::Key;
use payment_runs_engine::payment_method::card_number::{CARD_NUMBER_MESSAGE, holds_card_number};
use payment_runs_engine::ports::{AcceptOnce, AsyncRequest, Enqueued, Replay};
use payment_runs_stubs::{Category, Rejection};
use payment_runs_types::v2::AcceptedResponse;
use serde::Serialize;

use super::{Queued, QueuedCaller, WAITING_MAX};
use crate::call::{Call, unexpected_output};
use crate::failure::store_failure;
use crate::layer::{dashed, known_replay, pack, stored_success};

/// Queues the request of a call. Its body, if there is one, was read and found well-formed.
pub(crate) async fn accept<T: Serialize>(
    call: &Call<'_>,
    body: Option<&T>,
) -> Result<AcceptedResponse, Rejection> {
    let (app, context) = (call.app, call.context);
    let id = Key::new(context.request_id.as_str()).as_id().unwrap_or_else(|| app.ports.ids.next_id());
    let answer = AcceptedResponse { request_id: dashed(id) };
    let path = context.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    if holds_card_number(&path) {
        // It would be stored until the request is carried out.
        return Err(Rejection::new(Category::InvalidParameter, format!("the path {CARD_NUMBER_MESSAGE}")));
    }
    let written =
        |_| Rejection::new(Category::Internal, "the request could not be queued: nothing was changed");
    let queued = Queued {
        method: context.method.to_string(),
        path,
        body: body.map(serde_json::to_string).transpose().map_err(written)?,
        caller: QueuedCaller::of(call.caller),
    };
    let request = AsyncRequest {
        id,
        entity: call.scope().entity,
        client: call.caller.client.clone(),
        accepted_at: app.now(),
        body: serde_json::to_vec(&queued).map_err(written)?,
    };
    let accepted = serde_json::to_vec(&answer).map_err(written)?;
    let once = call.ticket().map(|ticket| AcceptOnce {
        key: ticket.key().clone(),
        expires_at: ticket.expires_at(),
        response: pack(&answer.request_id, StatusCode::ACCEPTED, Some("application/json"), &accepted),
    });
    let enqueued = app.ports.async_requests.enqueue_async(request, once, WAITING_MAX).await;
    match enqueued.map_err(|error| store_failure(&error))? {
        Enqueued::Accepted => {
            if let Some(ticket) = call.ticket() {
                ticket.mark_stored();
            }
            app.wake_queue();
            Ok(answer)
        }
        Enqueued::Full => {
            let message = format!("{WAITING_MAX} requests are waiting already: try again later");
            Err(Rejection::new(Category::OverLimit, message).retry_after_s(1))
        }
        Enqueued::Known(Replay::Answered(stored)) => stored_success(&stored),
        Enqueued::Known(replay) => Err(known_replay(replay).err().unwrap_or_else(unexpected_output)),
    }
}
