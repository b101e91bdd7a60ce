//! Requests through the generated routers: what reaches an operation, and how everything else is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop with a message")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse as _, Response};
use http::{Request, StatusCode};
use payment_runs_stubs::{
    Category, FAULTS_MAX, GrantedScopes, OperationInfo, Rejection, RequestContext, RequestId, TrackId, v1, v2,
};
use payment_runs_types as types;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// An implementation that notes what reached it, and writes refusals as one line a fault.
#[derive(Clone, Default)]
struct Recorder {
    reached: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    fn note(&self, what: String) {
        self.reached.lock().unwrap().push(what);
    }
}

fn refused(operation: &'static OperationInfo, rejection: &Rejection) -> Response {
    let mut text = format!("{} {:?}", operation.id, rejection.category);
    for fault in &rejection.faults {
        write!(text, "\n{:?} {} {:?}: {}", fault.location, fault.field, fault.category, fault.message)
            .unwrap();
    }
    (rejection.status(), text).into_response()
}

impl v1::Api for Recorder {
    fn refuse(
        &self,
        _: &RequestContext,
        operation: &'static OperationInfo,
        rejection: Rejection,
    ) -> Response {
        refused(operation, &rejection)
    }

    async fn create_payment_run(
        &self,
        context: RequestContext,
        headers: v1::create_payment_run::Headers,
        body: types::v1::CreatePaymentRunRequest,
    ) -> Result<v1::create_payment_run::Response, Rejection> {
        self.note(format!("{} {:?} {:?}", context.request_id, context.track_id, headers.zuora_entity_ids));
        self.note(format!("{} records", body.data.map_or(0, |data| data.len())));
        self.note(format!("{} bytes", context.body.map_or(0, |body| body.len())));
        Err(Rejection::business_rule("noted"))
    }

    async fn create_token(
        &self,
        _: RequestContext,
        _: v1::create_token::Headers,
        body: types::v1::CreateTokenRequest,
    ) -> Result<v1::create_token::Response, Rejection> {
        self.note(body.client_id);
        Err(Rejection::business_rule("noted"))
    }
}

impl v2::Api for Recorder {
    fn refuse(
        &self,
        _: &RequestContext,
        operation: &'static OperationInfo,
        rejection: Rejection,
    ) -> Response {
        refused(operation, &rejection)
    }

    async fn list_payment_runs(
        &self,
        _: RequestContext,
        query: v2::list_payment_runs::Query,
        headers: v2::list_payment_runs::Headers,
    ) -> Result<v2::list_payment_runs::Response, Rejection> {
        self.note(format!("sort {:?} page {:?}", query.sort, query.page_size));
        let fields = query.fields.unwrap_or_default();
        self.note(format!("fields {}", fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")));
        self.note(format!("async {:?}", headers.async_));
        let page = types::v2::PaymentRunListResponse { next_page: Some(None), data: Vec::new() };
        Ok(v2::list_payment_runs::Response::Status200(page))
    }

    async fn delete_payment_run(
        &self,
        _: RequestContext,
        path: v2::delete_payment_run::Path,
        _: v2::delete_payment_run::Headers,
    ) -> Result<v2::delete_payment_run::Response, Rejection> {
        self.note(path.id);
        Ok(v2::delete_payment_run::Response::Status204)
    }
}

struct Answer {
    status: StatusCode,
    content_type: Option<String>,
    text: String,
    reached: Vec<String>,
}

async fn send(request: Request<Body>) -> Answer {
    let recorder = Recorder::default();
    let router = Router::new()
        .merge(v1::router(recorder.clone()))
        .merge(v2::router(recorder.clone()))
        .layer(DefaultBodyLimit::max(4 * 1024 * 1024));
    let response = router.oneshot(request).await.unwrap();
    let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let reached = recorder.reached.lock().unwrap().clone();
    Answer { status, content_type, text: String::from_utf8(bytes.to_vec()).unwrap(), reached }
}

/// A request of a caller that may do everything.
fn request(method: &str, target: &str) -> http::request::Builder {
    let granted = GrantedScopes(vec!["read", "manage_payment_runs"]);
    Request::builder().method(method).uri(target).extension(granted)
}

async fn create(body: impl Into<Body>) -> Answer {
    let request = request("POST", "/v1/payment-runs").header("content-type", "application/json");
    send(request.body(body.into()).unwrap()).await
}

/// Expects a refusal before the operation, with these faults in any order.
async fn refuses(request: Request<Body>, status: u16, category: Category, faults: &[&str]) {
    let about = format!("{} {}", request.method(), request.uri());
    let answer = send(request).await;
    let mut lines: Vec<&str> = answer.text.lines().collect();
    let head = lines.remove(0);
    let mut expected = faults.to_vec();
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected, "{about}");
    assert_eq!(answer.status.as_u16(), status, "{about}");
    assert!(head.ends_with(&format!(" {category:?}")), "{about}: {head}");
    assert_eq!(answer.reached, Vec::<String>::new(), "{about}");
}

fn json_request(body: &Value) -> Request<Body> {
    let request = request("POST", "/v1/payment-runs").header("content-type", "application/json");
    request.body(body.to_string().into()).unwrap()
}

#[tokio::test]
async fn a_good_body_reaches_the_operation() {
    let body = json!({"targetDate": "2024-07-28", "data": [{"documentType": "Invoice", "amount": 10.0}]});
    let mut request = json_request(&body);
    request.headers_mut().insert("ZUORA-Entity-Ids", "entity".parse().unwrap());
    request.extensions_mut().insert(RequestId("request".to_owned()));
    request.extensions_mut().insert(TrackId("track".to_owned()));
    let answer = send(request).await;
    assert_eq!(answer.text, "createPaymentRun BusinessRule\nNone  BusinessRule: noted");
    let bytes = format!("{} bytes", body.to_string().len());
    assert_eq!(answer.reached, [r#"request Some("track") Some("entity")"#, "1 records", &bytes]);
}

#[tokio::test]
async fn every_fault_of_a_body_is_listed_with_its_wire_path() {
    let body = json!({
        "batch": "b".repeat(51),
        "billCycleDay": 31,
        "targetDate": "2024-02-30",
        "runDate": null,
        "collectpayment": true,
        "data": [
            {"amount": 1},
            {"amount": -1, "documentType": "Order", "unknown": 1, "Region__c": "kept"},
            {"amount": 12_345_678_901_234.568, "dataItems": [{"amount": "1"}]},
        ],
    });
    let faults = [
        "Body batch InvalidValue: must have at most 50 characters",
        "Body billCycleDay InvalidValue: must be of type string",
        "Body targetDate InvalidValue: must be a date in the format yyyy-mm-dd, from 1900 on",
        "Body runDate InvalidValue: must be of type string",
        "Body collectpayment UnknownField: is not a known field",
        "Body data[1].amount InvalidValue: must be greater than 0",
        "Body data[1].documentType InvalidValue: must be one of Invoice, DebitMemo",
        "Body data[1].unknown UnknownField: is not a known field",
        "Body data[2].amount InvalidValue: has more digits than can be held exactly",
        "Body data[2].dataItems[0].amount InvalidValue: must be of type number",
    ];
    let answer = send(json_request(&body)).await;
    let mut found: Vec<&str> = answer.text.lines().skip(1).collect();
    let mut expected = faults.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn faults_of_headers_and_body_are_told_together() {
    let mut request = json_request(&json!({"batch": 1}));
    request.headers_mut().insert("zuora-track-id", "t".repeat(65).parse().unwrap());
    let faults = [
        "Header Zuora-Track-Id InvalidParameter: must have at most 64 characters",
        "Body batch InvalidValue: must be of type string",
    ];
    refuses(request, 400, Category::InvalidParameter, &faults).await;
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    for (body, fault) in [
        ("", "Body  MalformedJson: the body is empty"),
        ("{", "Body  MalformedJson: the body is no well-formed JSON at line 1 column 1"),
        ("{\"batch\": 1,}", "Body  MalformedJson: the body is no well-formed JSON at line 1 column 13"),
        ("{}{}", "Body  MalformedJson: the body is no well-formed JSON at line 1 column 3"),
        ("\u{1}", "Body  MalformedJson: the body is no well-formed JSON at line 1 column 1"),
        ("[]", "Body  InvalidValue: must be of type object"),
        ("null", "Body  InvalidValue: must be of type object"),
        ("{\"batch\": \"a\", \"batch\": \"b\"}", "Body batch InvalidValue: is given more than once"),
        (
            "{\"data\": [{}, {\"amount\": 1, \"amount\": 2}]}",
            "Body data[1].amount InvalidValue: is given more than once",
        ),
    ] {
        let answer = create(body).await;
        assert_eq!(answer.text.lines().nth(1), Some(fault), "{body}");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.reached, Vec::<String>::new(), "{body}");
    }
    // What is too deep is not parsed, so nobody knows whether it is well-formed.
    let deep = create(format!("{{\"data\": {}", "[".repeat(1000))).await;
    assert_eq!(deep.status, StatusCode::BAD_REQUEST);
    assert!(deep.text.contains("InvalidValue: has more than 64 levels within each other"), "{}", deep.text);
}

#[tokio::test]
async fn the_media_type_of_a_body_is_checked() {
    for (content_type, is_known) in [
        (Some("application/json"), true),
        (Some("Application/JSON; charset=utf-8"), true),
        (Some("application/vnd.payment-runs+json"), true),
        (Some("text/plain"), false),
        (Some("application/x-www-form-urlencoded"), false),
        (Some("application/jsonp"), false),
        (Some("é"), false),
        (None, false),
    ] {
        let mut request = request("POST", "/v1/payment-runs").body(Body::from("{}")).unwrap();
        if let Some(value) = content_type {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            request.headers_mut().insert("content-type", value);
        }
        if is_known {
            assert_eq!(send(request).await.reached.len(), 3, "{content_type:?}");
        } else {
            let fault = "Body  UnsupportedMediaType: the body must be application/json";
            refuses(request, 415, Category::UnsupportedMediaType, &[fault]).await;
        }
    }
}

#[tokio::test]
async fn a_large_body_is_read_and_one_over_the_limit_is_refused() {
    let records = 20_000;
    let record = json!({"documentType": "Invoice", "documentNumber": "INV00000001", "amount": 10.5});
    let body = json!({"data": vec![record.clone(); records]});
    let answer = send(json_request(&body)).await;
    assert_eq!(answer.reached[1], format!("{records} records"));

    let faults = ["Body  BodyTooLarge: the body is larger than the server accepts"];
    let body = json!({"data": vec![record; 5 * records]});
    refuses(json_request(&body), 413, Category::BodyTooLarge, &faults).await;
}

#[tokio::test]
async fn the_list_of_faults_is_bounded() {
    let body = json!({"data": vec![json!({"amount": 0, "standalone": 1}); 30_000]});
    let answer = send(json_request(&body)).await;
    assert_eq!(answer.text.lines().count(), 1 + FAULTS_MAX);
    assert_eq!(
        answer.text.lines().nth(1).unwrap().split(' ').nth(1).unwrap().split('.').next(),
        Some("data[0]")
    );
}

#[tokio::test]
async fn a_form_is_read_and_its_faults_are_listed() {
    let form = |content_type: &str, body: &str| {
        let request = request("POST", "/oauth/token").header("content-type", content_type);
        request.body(Body::from(body.to_owned())).unwrap()
    };
    let urlencoded = "application/x-www-form-urlencoded";
    let good = "client_id=a%2Bb&client_secret=s&grant_type=client_credentials";
    assert_eq!(send(form(urlencoded, good)).await.reached, ["a+b"]);
    let faults = [
        "Body client_id MissingField: is required",
        "Body grant_type InvalidValue: must be one of client_credentials",
    ];
    let bad = form(urlencoded, "client_secret=s&grant_type=password");
    let answer = send(bad).await;
    let mut found: Vec<&str> = answer.text.lines().skip(1).collect();
    found.sort_unstable();
    assert_eq!(found, faults);
    let faults = ["Body grant_type InvalidValue: is given more than once"];
    let twice = form(urlencoded, &format!("{good}&grant_type=client_credentials"));
    refuses(twice, 400, Category::InvalidValue, &faults).await;
    let faults = ["Body  UnsupportedMediaType: the body must be application/x-www-form-urlencoded"];
    refuses(form("application/json", "{}"), 415, Category::UnsupportedMediaType, &faults).await;
}

#[tokio::test]
async fn lists_in_a_query_repeat_their_name_or_use_commas() {
    for query in [
        "sort[]=a.desc&sort[]=b.asc&page_size=5&fields[]=id,state&fields[]=batch",
        "sort%5B%5D=a.desc&sort%5B%5D=b.asc&page_size=5&fields%5B%5D=id%2Cstate,batch",
        "unknown=1&page_size=5&sort[]=a.desc&sort[]=b.asc&fields[]=id&fields[]=%20state%20,&fields[]=batch",
    ] {
        let request = request("GET", &format!("/v2/payment_runs?{query}")).header("Async", "true");
        let answer = send(request.body(Body::empty()).unwrap()).await;
        let expected =
            [r#"sort Some(["a.desc", "b.asc"]) page Some(5)"#, "fields id+state+batch", "async Some(true)"];
        assert_eq!(answer.reached, expected, "{query}");
        assert_eq!(answer.text, r#"{"next_page":null,"data":[]}"#);
        assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    }
}

#[tokio::test]
async fn faulty_parameters_are_refused_by_name() {
    let get = |query: &str| request("GET", &format!("/v2/payment_runs?{query}")).body(Body::empty()).unwrap();
    for (query, faults) in [
        ("page_size=0", &["Query page_size InvalidParameter: must be at least 1"][..]),
        ("page_size=100", &["Query page_size InvalidParameter: must be at most 99"]),
        ("page_size=", &["Query page_size InvalidParameter: must be of type integer"]),
        ("page_size=1.5", &["Query page_size InvalidParameter: must be of type integer"]),
        ("page_size=99999999999", &["Query page_size InvalidParameter: must be at most 99"]),
        ("page_size=1&page_size=2", &["Query page_size InvalidParameter: is given more than once"]),
        (
            "fields[]=id,nothing&page_size=x",
            &[
                "Query page_size InvalidParameter: must be of type integer",
                "Query fields[] InvalidParameter: must be one of custom_fields, created_by_id, updated_by_id, \
                 created_time, id, updated_time, batch, bill_cycle_day, target_date, payment_run_number, state, \
                 apply_credit_memos, apply_unapplied_payments, bill_run_id, collect_payment, consolidate_payment, \
                 payment_run_date, payment_gateway_id, state_transitions",
            ],
        ),
    ] {
        refuses(get(query), 400, Category::InvalidParameter, faults).await;
    }
    for (name, value, fault) in [
        ("async", "", "Header async InvalidParameter: must be of type boolean"),
        ("async", "yes", "Header async InvalidParameter: must be of type boolean"),
        ("idempotency-key", "", "Header idempotency-key InvalidParameter: must have at least 1 characters"),
        ("zuora-track-id", "a:b", "Header zuora-track-id InvalidParameter: must match `^[ !#-&(-9<-~]*$`"),
        ("zuora-org-ids", "é", "Header zuora-org-ids InvalidParameter: must be printable US-ASCII"),
    ] {
        let mut request = get("");
        request.headers_mut().insert(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        refuses(request, 400, Category::InvalidParameter, &[fault]).await;
    }
}

#[tokio::test]
async fn parameters_of_the_path_are_decoded() {
    let delete =
        |key: &str| request("DELETE", &format!("/v2/payment_runs/{key}")).body(Body::empty()).unwrap();
    let answer = send(delete("PR%2D1%26a=b%3F")).await;
    assert_eq!(answer.reached, ["PR-1&a=b?"]);
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    let faults = ["Path  InvalidParameter: the path is not UTF-8 after percent decoding"];
    refuses(delete("%ff"), 400, Category::InvalidParameter, &faults).await;
}

#[tokio::test]
async fn what_is_not_written_yet_says_so() {
    let request = request("GET", "/v2/payment_runs/PR-1").body(Body::empty()).unwrap();
    let faults = ["None  NotImplemented: this operation is not served yet"];
    refuses(request, 501, Category::NotImplemented, &faults).await;
}

#[tokio::test]
async fn scopes_come_before_everything_else() {
    let wrong = |granted: Option<GrantedScopes>| {
        let request = Request::builder().method("POST").uri("/v1/payment-runs");
        let request = match granted {
            Some(granted) => request.extension(granted),
            None => request,
        };
        request.header("content-type", "text/plain").body(Body::from("no JSON")).unwrap()
    };
    let unknown = ["None  Authentication: Authentication error"];
    refuses(wrong(None), 401, Category::Authentication, &unknown).await;
    let reader = Some(GrantedScopes(vec!["read"]));
    let lacking = ["None  Permission: this client lacks the permission 'manage_payment_runs'"];
    refuses(wrong(reader), 403, Category::Permission, &lacking).await;
    assert_eq!(send(wrong(Some(GrantedScopes(vec!["manage_payment_runs"])))).await.status, 415);
}

#[tokio::test]
async fn only_documented_routes_are_served() {
    for (method, target, status) in [
        ("GET", "/v1/payment-runs/PR-1/nothing", 404),
        ("PATCH", "/v1/payment-runs/PR-1", 405),
        ("GET", "/payment_runs", 404),
    ] {
        let answer = send(request(method, target).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {target}");
    }
}

#[test]
fn operations_are_found_by_method_and_route() {
    let found = |method: http::Method, route: &str| {
        OperationInfo::find(v2::OPERATIONS, &method, route).map(|operation| operation.id)
    };
    assert_eq!(found(http::Method::PATCH, "/v2/payment_runs/{id}"), Some("updatePaymentRun"));
    assert_eq!(found(http::Method::HEAD, "/v2/payment_runs"), Some("listPaymentRuns"));
    assert_eq!(found(http::Method::PUT, "/v2/payment_runs"), None);
    let public: Vec<&str> = v1::OPERATIONS
        .iter()
        .filter(|operation| operation.is_public())
        .map(|operation| operation.id)
        .collect();
    assert_eq!(public, ["createToken"]);
}
