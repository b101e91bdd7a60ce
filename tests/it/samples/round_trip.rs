//! The generated types carry every sample without loss.

use payment_runs_tests::samples::{Sample, samples};
use payment_runs_types::{ops, v1, v2};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value into a type and writes it again.
type Carry = fn(&Value) -> Result<Value, String>;

/// Document, operation, body of the request, body of the success, body of the failure.
type Row = (&'static str, &'static str, Option<Carry>, Carry, Carry);

fn carry<T: DeserializeOwned + Serialize>(json: &Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(json.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(&typed).map_err(|error| error.to_string())
}

const MODELS: &[Row] = &[
    (
        "v1",
        "createToken",
        Some(carry::<v1::CreateTokenRequest>),
        carry::<v1::TokenResponse>,
        carry::<v1::TokenErrorResponse>,
    ),
    ("v1", "listPaymentRuns", None, carry::<v1::ListPaymentRunsResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "createPaymentRun",
        Some(carry::<v1::CreatePaymentRunRequest>),
        carry::<v1::PaymentRunResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "getPaymentRun", None, carry::<v1::PaymentRunResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "updatePaymentRun",
        Some(carry::<v1::UpdatePaymentRunRequest>),
        carry::<v1::UpdatePaymentRunResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "deletePaymentRun", None, carry::<v1::SuccessResponse>, carry::<v1::ErrorResponse>),
    ("v1", "getPaymentRunSummary", None, carry::<v1::PaymentRunSummaryResponse>, carry::<v1::ErrorResponse>),
    ("v1", "getPaymentRunData", None, carry::<v1::PaymentRunDataResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "queryPaymentRuns",
        None,
        carry::<v1::QueryPaymentRunsResponse>,
        carry::<v1::ObjectQueryErrorResponse>,
    ),
    ("v1", "queryPaymentRun", None, carry::<v1::ExpandedPaymentRun>, carry::<v1::ObjectQueryErrorResponse>),
    (
        "v1",
        "createAccount",
        Some(carry::<v1::CreateAccountRequest>),
        carry::<v1::CreateAccountResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "getAccount", None, carry::<v1::AccountResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "updateAccount",
        Some(carry::<v1::UpdateAccountRequest>),
        carry::<v1::SuccessResponse>,
        carry::<v1::ErrorResponse>,
    ),
    (
        "v1",
        "createPaymentMethod",
        Some(carry::<v1::CreatePaymentMethodRequest>),
        carry::<v1::PaymentMethodIdResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "getPaymentMethod", None, carry::<v1::PaymentMethodResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "updatePaymentMethod",
        Some(carry::<v1::UpdatePaymentMethodRequest>),
        carry::<v1::PaymentMethodIdResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "scrubPaymentMethod", None, carry::<v1::PaymentMethodIdResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "createInvoice",
        Some(carry::<v1::CreateInvoiceRequest>),
        carry::<v1::InvoiceResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "getInvoice", None, carry::<v1::InvoiceResponse>, carry::<v1::ErrorResponse>),
    ("v1", "postInvoice", None, carry::<v1::InvoiceResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "createDebitMemo",
        Some(carry::<v1::CreateDebitMemoRequest>),
        carry::<v1::DebitMemoResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "getDebitMemo", None, carry::<v1::DebitMemoResponse>, carry::<v1::ErrorResponse>),
    ("v1", "postDebitMemo", None, carry::<v1::DebitMemoResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "createCreditMemo",
        Some(carry::<v1::CreateCreditMemoRequest>),
        carry::<v1::CreditMemoResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "getCreditMemo", None, carry::<v1::CreditMemoResponse>, carry::<v1::ErrorResponse>),
    ("v1", "postCreditMemo", None, carry::<v1::CreditMemoResponse>, carry::<v1::ErrorResponse>),
    ("v1", "listPayments", None, carry::<v1::ListPaymentsResponse>, carry::<v1::ErrorResponse>),
    (
        "v1",
        "createPayment",
        Some(carry::<v1::CreatePaymentRequest>),
        carry::<v1::PaymentResponse>,
        carry::<v1::ErrorResponse>,
    ),
    ("v1", "getPayment", None, carry::<v1::PaymentResponse>, carry::<v1::ErrorResponse>),
    ("v1", "listPaymentGateways", None, carry::<v1::ListPaymentGatewaysResponse>, carry::<v1::ErrorResponse>),
    ("v2", "listPaymentRuns", None, carry::<v2::PaymentRunListResponse>, carry::<v2::ErrorResponse>),
    (
        "v2",
        "createPaymentRun",
        Some(carry::<v2::CreatePaymentRunRequest>),
        carry::<v2::PaymentRun>,
        carry::<v2::ErrorResponse>,
    ),
    ("v2", "getPaymentRun", None, carry::<v2::PaymentRun>, carry::<v2::ErrorResponse>),
    (
        "v2",
        "updatePaymentRun",
        Some(carry::<v2::UpdatePaymentRunRequest>),
        carry::<v2::PaymentRun>,
        carry::<v2::ErrorResponse>,
    ),
    ("v2", "deletePaymentRun", None, carry::<v2::AcceptedResponse>, carry::<v2::ErrorResponse>),
    ("ops", "getHealth", None, carry::<ops::Health>, carry::<ops::ErrorResponse>),
    ("ops", "getReadiness", None, carry::<ops::Readiness>, carry::<ops::ErrorResponse>),
    ("ops", "listDecisions", None, carry::<ops::DecisionPage>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "previewPaymentRun",
        Some(carry::<v1::CreatePaymentRunRequest>),
        carry::<ops::Preview>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "getProgress", None, carry::<ops::Progress>, carry::<ops::ErrorResponse>),
    ("ops", "listImports", None, carry::<ops::ImportPage>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "createImport",
        Some(carry::<ops::CreateImportRequest>),
        carry::<ops::Import>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "getImport", None, carry::<ops::Import>, carry::<ops::ErrorResponse>),
    ("ops", "sendImportLines", Some(carry::<String>), carry::<ops::Import>, carry::<ops::ErrorResponse>),
    ("ops", "listImportFaults", None, carry::<ops::ImportFaultPage>, carry::<ops::ErrorResponse>),
    ("ops", "exportDecisions", None, carry::<String>, carry::<ops::ErrorResponse>),
    ("ops", "exportPayments", None, carry::<String>, carry::<ops::ErrorResponse>),
    ("ops", "cancelPaymentRun", None, carry::<ops::Progress>, carry::<ops::ErrorResponse>),
    ("ops", "stopPaymentRun", None, carry::<ops::Progress>, carry::<ops::ErrorResponse>),
    ("ops", "watchPaymentRun", None, carry::<ops::ProgressEvent>, carry::<ops::ErrorResponse>),
    ("ops", "listPaymentRunPayments", None, carry::<ops::PaymentPage>, carry::<ops::ErrorResponse>),
    ("ops", "listPayments", None, carry::<ops::PaymentPage>, carry::<ops::ErrorResponse>),
    ("ops", "getPayment", None, carry::<ops::Payment>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "resolvePayment",
        Some(carry::<ops::ResolvePaymentRequest>),
        carry::<ops::Payment>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "listAuditRecords", None, carry::<ops::AuditRecordPage>, carry::<ops::ErrorResponse>),
    ("ops", "listClients", None, carry::<ops::ClientPage>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "createClient",
        Some(carry::<ops::CreateClientRequest>),
        carry::<ops::IssuedClient>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "getClient", None, carry::<ops::Client>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "updateClient",
        Some(carry::<ops::UpdateClientRequest>),
        carry::<ops::Client>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "deleteClient", None, carry::<ops::Client>, carry::<ops::ErrorResponse>),
    ("ops", "rotateClient", None, carry::<ops::IssuedClient>, carry::<ops::ErrorResponse>),
    ("ops", "listEntities", None, carry::<ops::EntityList>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "createEntity",
        Some(carry::<ops::CreateEntityRequest>),
        carry::<ops::Entity>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "listOrganizations", None, carry::<ops::OrganizationList>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "createOrganization",
        Some(carry::<ops::CreateOrganizationRequest>),
        carry::<ops::Organization>,
        carry::<ops::ErrorResponse>,
    ),
    (
        "ops",
        "updateOrganization",
        Some(carry::<ops::UpdateOrganizationRequest>),
        carry::<ops::Organization>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "getSettings", None, carry::<ops::Settings>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "updateSettings",
        Some(carry::<ops::Settings>),
        carry::<ops::Settings>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "listWebhooks", None, carry::<ops::WebhookList>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "createWebhook",
        Some(carry::<ops::CreateWebhookRequest>),
        carry::<ops::IssuedWebhook>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "getWebhook", None, carry::<ops::Webhook>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "updateWebhook",
        Some(carry::<ops::UpdateWebhookRequest>),
        carry::<ops::Webhook>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "deleteWebhook", None, carry::<ops::Webhook>, carry::<ops::ErrorResponse>),
    ("ops", "rotateWebhook", None, carry::<ops::IssuedWebhook>, carry::<ops::ErrorResponse>),
    ("ops", "listDeliveries", None, carry::<ops::DeliveryPage>, carry::<ops::ErrorResponse>),
    ("ops", "replayDelivery", None, carry::<ops::Delivery>, carry::<ops::ErrorResponse>),
    ("ops", "listSchedules", None, carry::<ops::SchedulePage>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "createSchedule",
        Some(carry::<ops::CreateScheduleRequest>),
        carry::<ops::Schedule>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "getSchedule", None, carry::<ops::Schedule>, carry::<ops::ErrorResponse>),
    (
        "ops",
        "updateSchedule",
        Some(carry::<ops::UpdateScheduleRequest>),
        carry::<ops::Schedule>,
        carry::<ops::ErrorResponse>,
    ),
    ("ops", "deleteSchedule", None, carry::<ops::Schedule>, carry::<ops::ErrorResponse>),
    ("ops", "getClock", None, carry::<ops::Clock>, carry::<ops::ErrorResponse>),
    ("ops", "setClock", Some(carry::<ops::Clock>), carry::<ops::Clock>, carry::<ops::ErrorResponse>),
    ("ops", "getAsyncRequest", None, carry::<ops::AsyncRequest>, carry::<ops::ErrorResponse>),
];

#[test]
fn every_sample_survives_the_types() {
    let mut faults = Vec::new();
    for sample in samples() {
        let row = MODELS.iter().find(|row| row.0 == sample.document() && row.1 == sample.operation);
        let row = row.unwrap_or_else(|| panic!("{} has no models here", sample.name()));
        faults.extend(faults_of(&sample, row));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

fn faults_of(sample: &Sample, (_, _, request, success, failure): &Row) -> Vec<String> {
    let mut bodies = Vec::new();
    if let (Some(carry), Some(body)) =
        (request, sample.request.as_ref().and_then(|request| request.body.as_ref()))
    {
        bodies.push(("request", *carry, body.clone()));
    }
    if let Some(response) = &sample.response
        && let Some(body) = &response.body
    {
        let carry = match response.status {
            202 => carry::<v2::AcceptedResponse>,
            200..300 if body["success"] != false => *success,
            _ => *failure,
        };
        match body {
            // The events of a stream, which is written as one text.
            Value::String(text) => {
                let (events, _) = payment_runs_tests::watching::events_of(text);
                bodies.extend(events.into_iter().map(|event| ("response", carry, event.data)));
            }
            body => bodies.push(("response", carry, body.clone())),
        }
    }
    let unknown_are_ignored = |what: &str| what == "request" && sample.operation == "createAccount";
    bodies
        .into_iter()
        .filter_map(|(what, carry, body)| match carry(&body) {
            Ok(again) if again == body || unknown_are_ignored(what) => None,
            Ok(again) => Some(format!("{} {what} became {again}", sample.name())),
            Err(error) => Some(format!("{} {what}: {error}", sample.name())),
        })
        .collect()
}
