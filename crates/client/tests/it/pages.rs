//! Lists as streams.

use crate::support::{Server, json};
use futures_util::TryStreamExt as _;
use payment_runs_client::Error;
use payment_runs_client::types::v1::PaymentRunStatus;

fn v1_page(ids: &[&str], more: bool) -> crate::support::Answer {
    let run = |id: &&str| {
        format!(
            r#"{{"id":"{id}","number":"PR-{id}","status":"Completed","createdById":"u","createdDate":"2024-01-01 00:00:00",
            "updatedById":"u","updatedDate":"2024-01-01 00:00:00"}}"#
        )
    };
    let runs: Vec<String> = ids.iter().map(run).collect();
    let next = if more { r#""nextPage":"/v1/payment-runs?page=2","# } else { "" };
    json(200, &format!(r#"{{"paymentRuns":[{}],{next}"success":true}}"#, runs.join(",")))
}

#[tokio::test]
async fn numbered_pages_are_followed() {
    let server =
        Server::start([v1_page(&["1", "2"], true), v1_page(&[], true), v1_page(&["3"], false)]).await;
    let connection = server.connect();
    let call = connection.v1().list_payment_runs().status(PaymentRunStatus::Completed).page_size(2);
    let runs: Vec<_> = call.stream().try_collect().await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    let targets: Vec<_> = server.asked().iter().map(|asked| asked.target.clone()).collect();
    let target = |page| format!("/v1/payment-runs?page={page}&pageSize=2&status=Completed");
    assert_eq!(targets, [target(1), target(2), target(3)]);
}

#[tokio::test]
async fn full_pages_are_asked_for() {
    let server = Server::start([v1_page(&["1"], false)]).await;
    let connection = server.connect();
    let runs: Vec<_> = connection.v1().payment_runs().try_collect().await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(server.asked()[0].target, "/v1/payment-runs?page=1&pageSize=40");
}

#[tokio::test]
async fn cursors_are_followed() {
    let page =
        |id: &str, next: &str| json(200, &format!(r#"{{"data":[{{"id":"{id}"}}],"next_page":{next}}}"#));
    let server = Server::start([page("1", r#""a=""#), page("2", "null")]).await;
    let connection = server.connect();
    let call = connection.v2().list_payment_runs().filter(vec!["state.EQ:pending".to_owned()]);
    let runs: Vec<_> = call.stream().try_collect().await.unwrap();
    assert_eq!(runs.len(), 2);
    let targets: Vec<_> = server.asked().iter().map(|asked| asked.target.clone()).collect();
    let filter = "filter%5B%5D=state.EQ%3Apending&page_size=99";
    assert_eq!(
        targets,
        [format!("/v2/payment_runs?{filter}"), format!("/v2/payment_runs?cursor=a%3D&{filter}")]
    );
}

#[tokio::test]
async fn object_query_cursors_are_followed() {
    let server = Server::start([
        json(200, r#"{"data":[{"id":"1"}],"nextPage":"c1"}"#),
        json(200, r#"{"data":[{"id":"2"}]}"#),
    ])
    .await;
    let connection = server.connect();
    let runs: Vec<_> = connection.v1().query_payment_runs().stream().try_collect().await.unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(server.asked()[1].target, "/object-query/payment-runs?cursor=c1&pageSize=99");
}

#[tokio::test]
async fn a_cursor_that_repeats_ends_the_list() {
    let page = || json(200, r#"{"data":[{"id":"1"}],"nextPage":"c1"}"#);
    let server = Server::start([page(), page(), page()]).await;
    let connection = server.connect();
    let error = connection.v1().query_payment_runs().stream().try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, Error::Pages(_)), "{error:?}");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_failure_ends_the_stream() {
    let refused = r#"{"success":false,"reasons":[{"code":50000020,"message":"bad page"}]}"#;
    let server = Server::start([v1_page(&["1"], true), json(400, refused)]).await;
    let connection = server.connect();
    let stream = connection.v1().payment_runs();
    let mut stream = std::pin::pin!(stream);
    assert_eq!(stream.try_next().await.unwrap().unwrap().id, "1");
    assert_eq!(stream.try_next().await.unwrap_err().status().unwrap(), 400);
    assert!(stream.try_next().await.unwrap().is_none());
}
