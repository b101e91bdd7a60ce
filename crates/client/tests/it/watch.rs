//! A payment run that is watched over many connections.

use crate::support::{Answer, Server, json};
use futures_util::TryStreamExt as _;
use payment_runs_client::types::ops::ProgressEvent;
use payment_runs_client::{Error, Event, EventError};

/// What the server opens every stream with.
const OPENING: &str = ": watching\n\n";
/// The stream of a run that waits.
const WAITING: &str = ": watching\n\n: nothing new\n\n";
/// More than the connections without a sign of life after which the stream is given up.
const MANY: usize = 12;

fn stream(body: &str) -> Answer {
    Answer { headers: vec![("content-type", "text/event-stream".to_owned())], ..json(200, body) }
}

/// An event as the server tells it.
fn told(id: &str, name: &str, status: &str) -> Answer {
    let data = format!(
        r#"{{"progress":{{"payment_run_id":"1","payment_run_number":"PR-00000001","status":"{status}","stopping":false,
        "documents_total":0,"documents_planned":0,"documents_collected":0,"documents_skipped":0,
        "payments_processed":0,"payments_errors":0,"payments_in_doubt":0,"amount_collected":[],
        "chunks_total":0,"chunks_done":0,"started_at":null,"completed_at":null,"error_message":null}},
        "documents_per_second":0,"payments_per_second":0,"seconds_left":null}}"#
    );
    let data = data.replace('\n', "");
    stream(&format!("{OPENING}id: {id}\nevent: {name}\ndata: {data}\n\n"))
}

async fn watch(server: &Server) -> Result<Vec<Event<ProgressEvent>>, Error> {
    server.connect().ops().watch_payment_run().key("1").stream().try_collect().await
}

fn silent_connections(watched: &Result<Vec<Event<ProgressEvent>>, Error>) -> Option<u32> {
    match watched {
        Err(Error::Events(EventError::Silent { connections })) => Some(*connections),
        _ => None,
    }
}

#[tokio::test]
async fn a_run_that_waits_is_watched_to_its_end() {
    let waiting = (0..MANY).map(|_| stream(WAITING));
    let begins = std::iter::once(told("a", "progress", "pending"));
    let server = Server::start(begins.chain(waiting).chain([told("b", "end", "completed")])).await;
    let events = watch(&server).await.unwrap();
    let names: Vec<_> = events.iter().map(|event| event.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["progress", "end"]);
    let asked = server.asked();
    assert_eq!(asked.len(), MANY + 2);
    assert_eq!(asked[0].header("last-event-id"), None);
    assert!(asked[1..].iter().all(|asked| asked.header("last-event-id") == Some("a")));
}

#[tokio::test]
async fn connections_without_a_byte_end_the_stream() {
    let server = Server::start((0..MANY).map(|_| stream(""))).await;
    assert_eq!(silent_connections(&watch(&server).await), Some(10));
    assert_eq!(server.asked().len(), 10);
}

/// So does a server answer that stops.
#[tokio::test]
async fn connections_that_are_opened_and_closed_end_the_stream() {
    let server = Server::start((0..MANY).map(|_| stream(OPENING))).await;
    assert_eq!(silent_connections(&watch(&server).await), Some(10));
    assert_eq!(server.asked().len(), 10);
}
