//! The v1 surface over the engine: each operation delegates to its resource.

mod accounts;
mod credit_memos;
mod cross_fields;
mod debit_memos;
mod gateways;
mod instrument;
mod invoices;
mod owner;
mod page;
mod payment_methods;
mod payments;
mod runs;
mod token;

pub(crate) use runs::{WORDING as RUN_WORDING, draft as draft_payment_run};

use axum::response::Response as HttpResponse;
use payment_runs_stubs::v1::{
    create_account, create_credit_memo, create_debit_memo, create_invoice, create_payment,
    create_payment_method, create_payment_run, create_token, delete_payment_run, get_account,
    get_credit_memo, get_debit_memo, get_invoice, get_payment, get_payment_method, get_payment_run,
    get_payment_run_data, get_payment_run_summary, list_payment_gateways, list_payment_runs, list_payments,
    post_credit_memo, post_debit_memo, post_invoice, query_payment_run, query_payment_runs,
    scrub_payment_method, update_account, update_payment_method, update_payment_run,
};
use payment_runs_stubs::{OperationInfo, Rejection, RequestContext, v1};
use payment_runs_types::v1::{
    CreateAccountRequest, CreateCreditMemoRequest, CreateDebitMemoRequest, CreateInvoiceRequest,
    CreatePaymentMethodRequest, CreatePaymentRequest, CreatePaymentRunRequest, CreateTokenRequest,
    UpdateAccountRequest, UpdatePaymentMethodRequest, UpdatePaymentRunRequest,
};

use crate::app::App;
use crate::call::Call;
use crate::failure::refuse_operation;
use crate::query;

/// Implements the generated trait of v1.
#[derive(Clone)]
pub(crate) struct V1Api {
    app: App,
}

impl V1Api {
    /// The surface of a server.
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

impl v1::Api for V1Api {
    fn refuse(
        &self,
        context: &RequestContext,
        operation: &'static OperationInfo,
        rejection: Rejection,
    ) -> HttpResponse {
        let rejection = cross_fields::with_cross_field_faults(context, operation, rejection);
        refuse_operation(context, &rejection)
    }

    async fn create_token(
        &self,
        context: RequestContext,
        _headers: create_token::Headers,
        body: CreateTokenRequest,
    ) -> Result<create_token::Response, Rejection> {
        token::create(&self.app, &context, body).await.map(create_token::Response::Status200)
    }

    async fn list_payment_runs(
        &self,
        context: RequestContext,
        query: list_payment_runs::Query,
        _headers: list_payment_runs::Headers,
    ) -> Result<list_payment_runs::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        runs::list(&call, query).await.map(list_payment_runs::Response::Status200)
    }

    async fn create_payment_run(
        &self,
        context: RequestContext,
        _headers: create_payment_run::Headers,
        body: CreatePaymentRunRequest,
    ) -> Result<create_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        runs::create(&call, body).await.map(create_payment_run::Response::Status200)
    }

    async fn get_payment_run(
        &self,
        context: RequestContext,
        path: get_payment_run::Path,
        _headers: get_payment_run::Headers,
    ) -> Result<get_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        runs::get(&call, &path.payment_run_key).await.map(get_payment_run::Response::Status200)
    }

    async fn update_payment_run(
        &self,
        context: RequestContext,
        path: update_payment_run::Path,
        _headers: update_payment_run::Headers,
        body: UpdatePaymentRunRequest,
    ) -> Result<update_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        runs::update(&call, &path.payment_run_key, body).await.map(update_payment_run::Response::Status200)
    }

    async fn delete_payment_run(
        &self,
        context: RequestContext,
        path: delete_payment_run::Path,
        _headers: delete_payment_run::Headers,
    ) -> Result<delete_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        runs::delete(&call, &path.payment_run_key).await.map(delete_payment_run::Response::Status200)
    }

    async fn get_payment_run_summary(
        &self,
        context: RequestContext,
        path: get_payment_run_summary::Path,
        _headers: get_payment_run_summary::Headers,
    ) -> Result<get_payment_run_summary::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        runs::summary(&call, &path.payment_run_key).await.map(get_payment_run_summary::Response::Status200)
    }

    async fn get_payment_run_data(
        &self,
        context: RequestContext,
        path: get_payment_run_data::Path,
        _headers: get_payment_run_data::Headers,
    ) -> Result<get_payment_run_data::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        runs::data(&call, &path.payment_run_key).await.map(get_payment_run_data::Response::Status200)
    }

    async fn query_payment_runs(
        &self,
        context: RequestContext,
        query: query_payment_runs::Query,
        _headers: query_payment_runs::Headers,
    ) -> Result<query_payment_runs::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        query::list(&call, query).await.map(query_payment_runs::Response::Status200)
    }

    async fn query_payment_run(
        &self,
        context: RequestContext,
        path: query_payment_run::Path,
        query: query_payment_run::Query,
        _headers: query_payment_run::Headers,
    ) -> Result<query_payment_run::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        query::get(&call, &path.key, query).await.map(query_payment_run::Response::Status200)
    }

    async fn create_account(
        &self,
        context: RequestContext,
        _headers: create_account::Headers,
        body: CreateAccountRequest,
    ) -> Result<create_account::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        accounts::create(&call, body).await.map(create_account::Response::Status200)
    }

    async fn get_account(
        &self,
        context: RequestContext,
        path: get_account::Path,
        _headers: get_account::Headers,
    ) -> Result<get_account::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        accounts::get(&call, &path.account_key).await.map(get_account::Response::Status200)
    }

    async fn update_account(
        &self,
        context: RequestContext,
        path: update_account::Path,
        _headers: update_account::Headers,
        body: UpdateAccountRequest,
    ) -> Result<update_account::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        accounts::update(&call, &path.account_key, body).await.map(update_account::Response::Status200)
    }

    async fn create_payment_method(
        &self,
        context: RequestContext,
        _headers: create_payment_method::Headers,
        body: CreatePaymentMethodRequest,
    ) -> Result<create_payment_method::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payment_methods::create(&call, body).await.map(create_payment_method::Response::Status200)
    }

    async fn get_payment_method(
        &self,
        context: RequestContext,
        path: get_payment_method::Path,
        _headers: get_payment_method::Headers,
    ) -> Result<get_payment_method::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payment_methods::get(&call, &path.payment_method_id)
            .await
            .map(get_payment_method::Response::Status200)
    }

    async fn update_payment_method(
        &self,
        context: RequestContext,
        path: update_payment_method::Path,
        _headers: update_payment_method::Headers,
        body: UpdatePaymentMethodRequest,
    ) -> Result<update_payment_method::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payment_methods::update(&call, &path.payment_method_id, body)
            .await
            .map(update_payment_method::Response::Status200)
    }

    async fn scrub_payment_method(
        &self,
        context: RequestContext,
        path: scrub_payment_method::Path,
        _headers: scrub_payment_method::Headers,
    ) -> Result<scrub_payment_method::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payment_methods::scrub(&call, &path.payment_method_id)
            .await
            .map(scrub_payment_method::Response::Status200)
    }

    async fn create_invoice(
        &self,
        context: RequestContext,
        _headers: create_invoice::Headers,
        body: CreateInvoiceRequest,
    ) -> Result<create_invoice::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        invoices::create(&call, body).await.map(create_invoice::Response::Status200)
    }

    async fn get_invoice(
        &self,
        context: RequestContext,
        path: get_invoice::Path,
        _headers: get_invoice::Headers,
    ) -> Result<get_invoice::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        invoices::get(&call, &path.invoice_key).await.map(get_invoice::Response::Status200)
    }

    async fn post_invoice(
        &self,
        context: RequestContext,
        path: post_invoice::Path,
        _headers: post_invoice::Headers,
    ) -> Result<post_invoice::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        invoices::post(&call, &path.invoice_key).await.map(post_invoice::Response::Status200)
    }

    async fn create_debit_memo(
        &self,
        context: RequestContext,
        _headers: create_debit_memo::Headers,
        body: CreateDebitMemoRequest,
    ) -> Result<create_debit_memo::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        debit_memos::create(&call, body).await.map(create_debit_memo::Response::Status200)
    }

    async fn get_debit_memo(
        &self,
        context: RequestContext,
        path: get_debit_memo::Path,
        _headers: get_debit_memo::Headers,
    ) -> Result<get_debit_memo::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        debit_memos::get(&call, &path.debit_memo_key).await.map(get_debit_memo::Response::Status200)
    }

    async fn post_debit_memo(
        &self,
        context: RequestContext,
        path: post_debit_memo::Path,
        _headers: post_debit_memo::Headers,
    ) -> Result<post_debit_memo::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        debit_memos::post(&call, &path.debit_memo_key).await.map(post_debit_memo::Response::Status200)
    }

    async fn create_credit_memo(
        &self,
        context: RequestContext,
        _headers: create_credit_memo::Headers,
        body: CreateCreditMemoRequest,
    ) -> Result<create_credit_memo::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        credit_memos::create(&call, body).await.map(create_credit_memo::Response::Status200)
    }

    async fn get_credit_memo(
        &self,
        context: RequestContext,
        path: get_credit_memo::Path,
        _headers: get_credit_memo::Headers,
    ) -> Result<get_credit_memo::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        credit_memos::get(&call, &path.credit_memo_key).await.map(get_credit_memo::Response::Status200)
    }

    async fn post_credit_memo(
        &self,
        context: RequestContext,
        path: post_credit_memo::Path,
        _headers: post_credit_memo::Headers,
    ) -> Result<post_credit_memo::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        credit_memos::post(&call, &path.credit_memo_key).await.map(post_credit_memo::Response::Status200)
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

    async fn create_payment(
        &self,
        context: RequestContext,
        _headers: create_payment::Headers,
        body: CreatePaymentRequest,
    ) -> Result<create_payment::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payments::create(&call, body).await.map(create_payment::Response::Status200)
    }

    async fn get_payment(
        &self,
        context: RequestContext,
        path: get_payment::Path,
        _headers: get_payment::Headers,
    ) -> Result<get_payment::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        payments::get(&call, &path.payment_key).await.map(get_payment::Response::Status200)
    }

    async fn list_payment_gateways(
        &self,
        context: RequestContext,
        _headers: list_payment_gateways::Headers,
    ) -> Result<list_payment_gateways::Response, Rejection> {
        let call = Call::new(&self.app, &context)?;
        gateways::list(&call).await.map(list_payment_gateways::Response::Status200)
    }
}
