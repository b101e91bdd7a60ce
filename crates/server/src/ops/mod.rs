//! The operations API: whether the server is up, how far a run is, and why each document was collected or skipped.

mod administration;
mod async_requests;
mod audit;
mod clock;
mod control;
mod decisions;
mod exports;
mod imports;
mod page;
mod payments;
pub(crate) mod preview;
mod progress;
pub(crate) mod readiness;
mod schedules;
mod watch;

use axum::response::Response as HttpResponse;
use payment_runs_stubs::ops::{
    cancel_payment_run, get_payment, list_audit_records, list_payment_run_payments, list_payments,
    resolve_payment, stop_payment_run, watch_payment_run,
};
use payment_runs_stubs::ops::{
    create_client, create_entity, create_import, create_organization, delete_client, export_decisions,
    export_payments, get_async_request, get_client, get_health, get_import, get_progress, get_readiness,
    get_settings, list_clients, list_decisions, list_entities, list_import_faults, list_imports,
    list_organizations, preview_payment_run, rotate_client, send_import_lines, update_client,
    update_organization, update_settings,
};
use payment_runs_stubs::ops::{
    create_schedule, delete_schedule, get_clock, get_schedule, list_schedules, set_clock, update_schedule,
};
use payment_runs_stubs::ops::{
    create_webhook, delete_webhook, get_webhook, list_deliveries, list_webhooks, replay_delivery,
    rotate_webhook, update_webhook,
};
use payment_runs_stubs::{Category, Location, OperationInfo, Rejection, RequestContext, Stream, ops};
use payment_runs_types::ops::{
    CreateClientRequest, CreateEntityRequest, CreateImportRequest, CreateOrganizationRequest,
    CreateWebhookRequest, Health, HealthStatus, PaymentRunBody, Settings, UpdateClientRequest,
    UpdateOrganizationRequest, UpdateWebhookRequest,
};

use payment_runs_types::ops::ResolvePaymentRequest;
use payment_runs_types::ops::{Clock, CreateScheduleRequest, UpdateScheduleRequest};

use administration::{clients, entities, organizations, settings, webhooks};

use crate::app::App;
use crate::call::Call;
use crate::failure::refuse_operation;

/// Implements the generated trait of the operations API.
#[derive(Clone)]
pub(crate) struct OpsApi {
    app: App,
}

impl OpsApi {
    /// The surface of a server.
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

impl ops::Api for OpsApi {
    fn refuse(
        &self,
        context: &RequestContext,
        _operation: &'static OperationInfo,
        rejection: Rejection,
    ) -> HttpResponse {
        refuse_operation(context, &rejection)
    }

    async fn get_health(&self, _context: RequestContext) -> Result<get_health::Response, Rejection> {
        Ok(get_health::Response::Status200(Health { status: HealthStatus::Ok }))
    }

    async fn get_readiness(&self, _context: RequestContext) -> Result<get_readiness::Response, Rejection> {
        readiness::check(&self.app).await.map(get_readiness::Response::Status200)
    }

    async fn list_decisions(
        &self,
        context: RequestContext,
        path: list_decisions::Path,
        query: list_decisions::Query,
        _headers: list_decisions::Headers,
    ) -> Result<list_decisions::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        decisions::list(&call, &path.key, query).await.map(list_decisions::Response::Status200)
    }

    async fn preview_payment_run(
        &self,
        context: RequestContext,
        query: preview_payment_run::Query,
        _headers: preview_payment_run::Headers,
        _body: PaymentRunBody,
    ) -> Result<preview_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        preview::preview(&call, query).await.map(preview_payment_run::Response::Status200)
    }

    async fn get_async_request(
        &self,
        context: RequestContext,
        path: get_async_request::Path,
        _headers: get_async_request::Headers,
    ) -> Result<get_async_request::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        async_requests::get(&call, &path.id).await.map(get_async_request::Response::Status200)
    }

    async fn get_progress(
        &self,
        context: RequestContext,
        path: get_progress::Path,
        _headers: get_progress::Headers,
    ) -> Result<get_progress::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        progress::get(&call, &path.key).await.map(get_progress::Response::Status200)
    }

    async fn list_imports(
        &self,
        context: RequestContext,
        query: list_imports::Query,
        _headers: list_imports::Headers,
    ) -> Result<list_imports::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        imports::list(&call, query).await.map(list_imports::Response::Status200)
    }

    async fn create_import(
        &self,
        context: RequestContext,
        _headers: create_import::Headers,
        body: CreateImportRequest,
    ) -> Result<create_import::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        imports::create(&call, body).await.map(create_import::Response::Status201)
    }

    async fn get_import(
        &self,
        context: RequestContext,
        path: get_import::Path,
        _headers: get_import::Headers,
    ) -> Result<get_import::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        imports::get(&call, &path.id).await.map(get_import::Response::Status200)
    }

    async fn send_import_lines(
        &self,
        context: RequestContext,
        path: send_import_lines::Path,
        query: send_import_lines::Query,
        _headers: send_import_lines::Headers,
        body: Stream,
    ) -> Result<send_import_lines::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        imports::send(&call, &path.id, query.first_line, body)
            .await
            .map(send_import_lines::Response::Status200)
    }

    async fn list_import_faults(
        &self,
        context: RequestContext,
        path: list_import_faults::Path,
        query: list_import_faults::Query,
        _headers: list_import_faults::Headers,
    ) -> Result<list_import_faults::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        imports::faults(&call, &path.id, query).await.map(list_import_faults::Response::Status200)
    }

    async fn export_decisions(
        &self,
        context: RequestContext,
        query: export_decisions::Query,
        _headers: export_decisions::Headers,
    ) -> Result<export_decisions::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        exports::decisions(&call, &query.payment_run, query.format.as_ref())
            .await
            .map(export_decisions::Response::Status200)
    }

    async fn export_payments(
        &self,
        context: RequestContext,
        query: export_payments::Query,
        _headers: export_payments::Headers,
    ) -> Result<export_payments::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        exports::payments(&call, &query.payment_run, query.format.as_ref())
            .await
            .map(export_payments::Response::Status200)
    }

    async fn cancel_payment_run(
        &self,
        context: RequestContext,
        path: cancel_payment_run::Path,
        _headers: cancel_payment_run::Headers,
    ) -> Result<cancel_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        control::cancel(&call, &path.key).await.map(cancel_payment_run::Response::Status200)
    }

    async fn stop_payment_run(
        &self,
        context: RequestContext,
        path: stop_payment_run::Path,
        _headers: stop_payment_run::Headers,
    ) -> Result<stop_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        control::stop(&call, &path.key).await.map(stop_payment_run::Response::Status200)
    }

    async fn watch_payment_run(
        &self,
        context: RequestContext,
        path: watch_payment_run::Path,
        headers: watch_payment_run::Headers,
    ) -> Result<watch_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        watch::watch(&call, &path.key, headers).await.map(watch_payment_run::Response::Status200)
    }

    async fn list_payment_run_payments(
        &self,
        context: RequestContext,
        path: list_payment_run_payments::Path,
        query: list_payment_run_payments::Query,
        _headers: list_payment_run_payments::Headers,
    ) -> Result<list_payment_run_payments::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payments::list_of_run(&call, &path.key, query)
            .await
            .map(list_payment_run_payments::Response::Status200)
    }

    async fn list_payments(
        &self,
        context: RequestContext,
        query: list_payments::Query,
        _headers: list_payments::Headers,
    ) -> Result<list_payments::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payments::list(&call, query).await.map(list_payments::Response::Status200)
    }

    async fn get_payment(
        &self,
        context: RequestContext,
        path: get_payment::Path,
        _headers: get_payment::Headers,
    ) -> Result<get_payment::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payments::get(&call, &path.key).await.map(get_payment::Response::Status200)
    }

    async fn resolve_payment(
        &self,
        context: RequestContext,
        path: resolve_payment::Path,
        _headers: resolve_payment::Headers,
        body: ResolvePaymentRequest,
    ) -> Result<resolve_payment::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payments::resolve(&call, &path.key, body).await.map(resolve_payment::Response::Status200)
    }

    async fn list_audit_records(
        &self,
        context: RequestContext,
        query: list_audit_records::Query,
        _headers: list_audit_records::Headers,
    ) -> Result<list_audit_records::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        audit::list(&call, query).await.map(list_audit_records::Response::Status200)
    }

    async fn list_schedules(
        &self,
        context: RequestContext,
        query: list_schedules::Query,
        _headers: list_schedules::Headers,
    ) -> Result<list_schedules::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        schedules::list(&call, query).await.map(list_schedules::Response::Status200)
    }

    async fn create_schedule(
        &self,
        context: RequestContext,
        _headers: create_schedule::Headers,
        body: CreateScheduleRequest,
    ) -> Result<create_schedule::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        schedules::create(&call, body).await.map(create_schedule::Response::Status201)
    }

    async fn get_schedule(
        &self,
        context: RequestContext,
        path: get_schedule::Path,
        _headers: get_schedule::Headers,
    ) -> Result<get_schedule::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        schedules::get(&call, &path.key).await.map(get_schedule::Response::Status200)
    }

    async fn update_schedule(
        &self,
        context: RequestContext,
        path: update_schedule::Path,
        _headers: update_schedule::Headers,
        body: UpdateScheduleRequest,
    ) -> Result<update_schedule::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        schedules::update(&call, &path.key, body).await.map(update_schedule::Response::Status200)
    }

    async fn delete_schedule(
        &self,
        context: RequestContext,
        path: delete_schedule::Path,
        _headers: delete_schedule::Headers,
    ) -> Result<delete_schedule::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        schedules::end(&call, &path.key).await.map(delete_schedule::Response::Status200)
    }

    async fn get_clock(
        &self,
        context: RequestContext,
        _headers: get_clock::Headers,
    ) -> Result<get_clock::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        clock::get(&call).await.map(get_clock::Response::Status200)
    }

    async fn set_clock(
        &self,
        context: RequestContext,
        _headers: set_clock::Headers,
        body: Clock,
    ) -> Result<set_clock::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        clock::set(&call, &body).await.map(set_clock::Response::Status200)
    }

    async fn list_clients(
        &self,
        context: RequestContext,
        query: list_clients::Query,
        _headers: list_clients::Headers,
    ) -> Result<list_clients::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        clients::list(&call, query).await.map(list_clients::Response::Status200)
    }

    async fn create_client(
        &self,
        context: RequestContext,
        _headers: create_client::Headers,
        body: CreateClientRequest,
    ) -> Result<create_client::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        clients::create(&call, body).await.map(create_client::Response::Status201)
    }

    async fn get_client(
        &self,
        context: RequestContext,
        path: get_client::Path,
        _headers: get_client::Headers,
    ) -> Result<get_client::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        clients::get(&call, &path.client_id).await.map(get_client::Response::Status200)
    }

    async fn update_client(
        &self,
        context: RequestContext,
        path: update_client::Path,
        _headers: update_client::Headers,
        body: UpdateClientRequest,
    ) -> Result<update_client::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        clients::update(&call, &path.client_id, body).await.map(update_client::Response::Status200)
    }

    async fn delete_client(
        &self,
        context: RequestContext,
        path: delete_client::Path,
        _headers: delete_client::Headers,
    ) -> Result<delete_client::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        clients::deactivate(&call, &path.client_id).await.map(delete_client::Response::Status200)
    }

    async fn rotate_client(
        &self,
        context: RequestContext,
        path: rotate_client::Path,
        _headers: rotate_client::Headers,
    ) -> Result<rotate_client::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        clients::rotate(&call, &path.client_id).await.map(rotate_client::Response::Status200)
    }

    async fn list_entities(
        &self,
        context: RequestContext,
        _headers: list_entities::Headers,
    ) -> Result<list_entities::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        entities::list(&call).await.map(list_entities::Response::Status200)
    }

    async fn create_entity(
        &self,
        context: RequestContext,
        _headers: create_entity::Headers,
        body: CreateEntityRequest,
    ) -> Result<create_entity::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        entities::create(&call, body).await.map(create_entity::Response::Status201)
    }

    async fn list_organizations(
        &self,
        context: RequestContext,
        _headers: list_organizations::Headers,
    ) -> Result<list_organizations::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        organizations::list(&call).await.map(list_organizations::Response::Status200)
    }

    async fn create_organization(
        &self,
        context: RequestContext,
        _headers: create_organization::Headers,
        body: CreateOrganizationRequest,
    ) -> Result<create_organization::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        organizations::create(&call, body).await.map(create_organization::Response::Status201)
    }

    async fn update_organization(
        &self,
        context: RequestContext,
        path: update_organization::Path,
        _headers: update_organization::Headers,
        body: UpdateOrganizationRequest,
    ) -> Result<update_organization::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        organizations::rename(&call, &path.organization_id, body)
            .await
            .map(update_organization::Response::Status200)
    }

    async fn get_settings(
        &self,
        context: RequestContext,
        _headers: get_settings::Headers,
    ) -> Result<get_settings::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        settings::get(&call).await.map(get_settings::Response::Status200)
    }

    async fn update_settings(
        &self,
        context: RequestContext,
        _headers: update_settings::Headers,
        body: Settings,
    ) -> Result<update_settings::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        settings::put(&call, &body).await.map(update_settings::Response::Status200)
    }

    async fn list_webhooks(
        &self,
        context: RequestContext,
        _headers: list_webhooks::Headers,
    ) -> Result<list_webhooks::Response, Rejection> {
        let call = webhooks::webhooks(&self.app, &context)?;
        webhooks::list(&call).await.map(list_webhooks::Response::Status200)
    }

    async fn create_webhook(
        &self,
        context: RequestContext,
        _headers: create_webhook::Headers,
        body: CreateWebhookRequest,
    ) -> Result<create_webhook::Response, Rejection> {
        let call = webhooks::webhooks(&self.app, &context)?;
        webhooks::create(&call, body).await.map(create_webhook::Response::Status201)
    }

    async fn get_webhook(
        &self,
        context: RequestContext,
        path: get_webhook::Path,
        _headers: get_webhook::Headers,
    ) -> Result<get_webhook::Response, Rejection> {
        let call = webhooks::webhooks(&self.app, &context)?;
        webhooks::get(&call, &path.id).await.map(get_webhook::Response::Status200)
    }

    async fn update_webhook(
        &self,
        context: RequestContext,
        path: update_webhook::Path,
        _headers: update_webhook::Headers,
        body: UpdateWebhookRequest,
    ) -> Result<update_webhook::Response, Rejection> {
        let call = webhooks::webhooks(&self.app, &context)?;
        webhooks::update(&call, &path.id, body).await.map(update_webhook::Response::Status200)
    }

    async fn delete_webhook(
        &self,
        context: RequestContext,
        path: delete_webhook::Path,
        _headers: delete_webhook::Headers,
    ) -> Result<delete_webhook::Response, Rejection> {
        let call = webhooks::webhooks(&self.app, &context)?;
        webhooks::delete(&call, &path.id).await.map(delete_webhook::Response::Status200)
    }

    async fn rotate_webhook(
        &self,
        context: RequestContext,
        path: rotate_webhook::Path,
        _headers: rotate_webhook::Headers,
    ) -> Result<rotate_webhook::Response, Rejection> {
        let call = webhooks::webhooks(&self.app, &context)?;
        webhooks::rotate(&call, &path.id).await.map(rotate_webhook::Response::Status200)
    }

    async fn list_deliveries(
        &self,
        context: RequestContext,
        path: list_deliveries::Path,
        query: list_deliveries::Query,
        _headers: list_deliveries::Headers,
    ) -> Result<list_deliveries::Response, Rejection> {
        let call = webhooks::webhooks(&self.app, &context)?;
        webhooks::deliveries(&call, &path.id, query).await.map(list_deliveries::Response::Status200)
    }

    async fn replay_delivery(
        &self,
        context: RequestContext,
        path: replay_delivery::Path,
        _headers: replay_delivery::Headers,
    ) -> Result<replay_delivery::Response, Rejection> {
        let call = webhooks::webhooks(&self.app, &context)?;
        webhooks::replay(&call, &path.id, &path.delivery_id).await.map(replay_delivery::Response::Status200)
    }
}

/// A refusal because of the state that an object is in, with status 409.
fn in_conflict(rejection: Rejection) -> Rejection {
    match rejection.category {
        Category::BusinessRule => Rejection { category: Category::Conflict, ..rejection },
        _ => rejection,
    }
}

/// The run that the path names does not exist.
fn no_run(key: &str) -> Rejection {
    no_run_at(Location::Path, "key", key)
}

/// The run that a parameter names does not exist.
fn no_run_at(location: Location, parameter: &'static str, key: &str) -> Rejection {
    // The key is the caller's own text; a long one is not worth repeating.
    const KEY_CHARS_MAX: usize = 64;
    let key: String = key.chars().take(KEY_CHARS_MAX).collect();
    Rejection::at(Category::NotFound, location, parameter, format!("there is no payment run {key}"))
}
