//! Gathers what is to be reconciled: the journal of the gateway, the recorded payments, and what was owed.

use std::collections::BTreeMap;

use anyhow::Context as _;
use payment_runs_engine::account::Scope;
use payment_runs_engine::ids::{EntityKey, Key, PaymentId, RunId};
use payment_runs_engine::payment::Payment;
use payment_runs_engine::ports::ledger::PaymentQuery;
use payment_runs_engine::ports::{Ledger, StoreError};
use payment_runs_gateway::simulator::{JournalEntry, JournalOutcome};
use payment_runs_node::Node;

use super::dataset::{Dataset, Owed};
use super::reconcile::{Charge, ChargeOutcome, Reconciliation, Recorded, reconcile};

/// Payments of one account read at once: more than the demo ever has, so that one question per account is enough.
const PAYMENTS_PER_PAGE: u32 = 1_000;

/// Holds the journal against the payments of the run and the data set.
pub(crate) async fn audit(node: &Node, run: RunId, dataset: &Dataset) -> anyhow::Result<Reconciliation> {
    let simulator = node.simulator().context("the demo runs with the built-in gateway")?;
    let recorded = payments_of(node.store(), run, dataset).await.context("the payments could not be read")?;
    let by_charge: BTreeMap<&str, PaymentId> = recorded
        .iter()
        .filter_map(|payment| Some((payment.answer.reference.as_deref()?, payment.id)))
        .collect();
    let journal = simulator.journal();
    let made = journal.iter().filter(|entry| !entry.replay);
    let charges: Vec<Charge> =
        made.map(|entry| charge_of(entry, by_charge.get(entry.payment_intent.as_str()).copied())).collect();
    let payments: Vec<Recorded> = recorded.iter().map(recorded_of).collect();
    let invoices = dataset.invoices().flat_map(|load| load.documents);
    let owed: Vec<Owed> =
        invoices.map(|invoice| Owed { document: invoice.id, amount_minor: invoice.amount_minor }).collect();
    Ok(reconcile(&charges, &payments, &owed))
}

/// A charge with the payment that names it, if one does.
fn charge_of(entry: &JournalEntry, payment: Option<PaymentId>) -> Charge {
    Charge {
        payment,
        amount_minor: entry.amount_minor,
        currency: entry.currency.to_ascii_uppercase(),
        outcome: match entry.outcome {
            JournalOutcome::Succeeded => ChargeOutcome::Approved,
            JournalOutcome::Declined => ChargeOutcome::Declined,
            JournalOutcome::Processing => ChargeOutcome::Open,
        },
    }
}

/// Reads account by account, since pages of a whole run take the longer the further they are from its start.
async fn payments_of(
    ledger: &impl Ledger,
    run: RunId,
    dataset: &Dataset,
) -> Result<Vec<Payment>, StoreError> {
    let scope = Scope::entity(EntityKey::FIRST);
    let mut payments = Vec::new();
    for account in dataset.accounts().flat_map(|load| load.accounts) {
        let key = Key::new(account.id.to_string());
        let mut offset = 0;
        loop {
            let account = Some(key.clone());
            let limit = PAYMENTS_PER_PAGE;
            let query = PaymentQuery { account, run: Some(run), offset, limit, ..PaymentQuery::default() };
            let page = ledger.list_payments(&scope, query).await?;
            let read = page.len() as u64;
            payments.extend(page);
            offset += read;
            if read < u64::from(PAYMENTS_PER_PAGE) {
                break;
            }
        }
    }
    Ok(payments)
}

fn recorded_of(payment: &Payment) -> Recorded {
    Recorded {
        payment: payment.id,
        state: payment.state,
        amount_minor: payment.amount_minor,
        currency: payment.currency.code().to_owned(),
        parts: payment.parts.clone(),
    }
}
