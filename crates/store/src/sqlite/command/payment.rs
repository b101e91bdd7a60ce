//! Commands on single payments: those of no run.

use std::collections::BTreeSet;
use std::sync::Arc;

use payment_runs_engine::account::Account;
use payment_runs_engine::charge_key;
use payment_runs_engine::command::{NewPayment, NewPaymentPart, Output, Resolution};
use payment_runs_engine::document::{Document, DocumentStatus};
use payment_runs_engine::ids::{GatewayId, Key};
use payment_runs_engine::money::{Money, MoneyError};
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentKind, PaymentPart, PaymentState};
use payment_runs_engine::payment_method::{PaymentMethod, PaymentMethodStatus};
use payment_runs_engine::ports::{Charge, ChargeRequest, ChargeSubject, EncodeCharge, Intent, Settlement};
use payment_runs_engine::refusal::{Field, Noun, Refusal};

use super::Desk;
use super::account::need_account;
use super::document::noun_of;
use crate::sqlite::access::ledger_id;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row::{self, payment::Backing};
use crate::sqlite::sequence::{Sequence, next_text};
use crate::sqlite::sql::time;
use crate::sqlite::work::balances;
use crate::sqlite::work::look_up::is_being_delivered;
use crate::sqlite::work::settle::{Mode, settle_all};

/// The means of an electronic payment.
struct Means {
    method: PaymentMethod,
    gateway: GatewayId,
    token: String,
}

pub(super) fn create(
    desk: &mut Desk<'_>,
    new: NewPayment,
    encoder: &dyn EncodeCharge,
) -> Result<Output, Failure> {
    let account = need_account(desk, &new.account)?;
    desk.check_currency(new.currency)?;
    if new.amount_minor <= 0 {
        desk.invalid(Field::Amount, "the amount is more than 0");
    }
    if new.standalone && !new.parts.is_empty() {
        desk.invalid(Field::Parts, "a standalone payment pays no documents");
    }
    let Some(account) = account else {
        desk.checked()?;
        return Err(Failure::broken("a payment without an account"));
    };
    let documents = find_parts(desk, &account, &new)?;
    let means = match (new.electronic, &new.payment_method) {
        (true, _) => find_means(desk, &account, &new)?,
        (false, Some(key)) => {
            find_method(desk, &account, key)?;
            None
        }
        (false, None) => None,
    };
    desk.checked()?;
    let charge_request = new.charge_request;
    let payment = to_payment(desk, &account, new, &documents, means.as_ref())?;
    match means {
        None => receive(desk, payment),
        Some(means) => intend(desk, payment, means, charge_request, encoder),
    }
}

/// Records what came of the charge. An outcome that was recorded before, perhaps by a look-up, stands: the answer is the
/// payment as it is.
pub(super) fn settle(desk: &mut Desk<'_>, settlement: &Settlement) -> Result<Output, Failure> {
    let key = Key::new(settlement.payment.to_string());
    let found = row::payment::find(desk.db, desk.scope, &key)?;
    Desk::need_path(found, Noun::Payment, &key)?;
    let settlements = std::slice::from_ref(settlement);
    settle_all(desk.db, desk.entity(), desk.now, settlements, Mode::Command(desk.user))?;
    let payment = row::payment::by_id(desk.db, desk.entity(), settlement.payment)?;
    Ok(Output::Payment(Desk::need_path(payment, Noun::Payment, &key)?))
}

/// Records what a person found out about a payment in doubt. One that is decided, or whose charge is being sent, is refused.
pub(super) fn resolve(desk: &mut Desk<'_>, key: &Key, resolution: &Resolution) -> Result<Output, Failure> {
    let found = row::payment::find(desk.db, desk.scope, key)?;
    let payment = Desk::need_path(found, Noun::Payment, key)?;
    if resolution.comment.trim().is_empty() {
        desk.invalid(Field::Comment, "a resolution needs a comment");
    }
    if !matches!(payment.state, PaymentState::Pending | PaymentState::Unknown) {
        let state = state_words(payment.state).to_owned();
        desk.refuse(Refusal::WrongState { noun: Noun::Payment, state });
    } else if !resolution.collected && is_being_delivered(desk.db, desk.entity(), payment.id, desk.now)? {
        // What is on its way may still be approved.
        let state = state_words(PaymentState::Intent).to_owned();
        desk.refuse(Refusal::WrongState { noun: Noun::Payment, state });
    }
    desk.checked()?;
    let settlement = Settlement { payment: payment.id, outcome: resolution.outcome() };
    let mode = Mode::Resolve(desk.user, resolution);
    settle_all(desk.db, desk.entity(), desk.now, std::slice::from_ref(&settlement), mode)?;
    let payment = row::payment::by_id(desk.db, desk.entity(), payment.id)?;
    Ok(Output::Payment(Desk::need_path(payment, Noun::Payment, key)?))
}

/// A state in words, as refusals say it.
fn state_words(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Intent => "being sent",
        PaymentState::Pending => "pending",
        PaymentState::Unknown => "of unknown outcome",
        PaymentState::Processed => "processed already",
        PaymentState::Declined => "declined already",
        PaymentState::Canceled => "canceled already",
    }
}

/// The documents that the payment pays, each with its part.
fn find_parts(
    desk: &mut Desk<'_>,
    account: &Account,
    new: &NewPayment,
) -> Result<Vec<(Document, i64)>, Failure> {
    let mut found = Vec::with_capacity(new.parts.len());
    let mut seen = BTreeSet::new();
    let mut sum = Some(0_i64);
    for part in &new.parts {
        sum = sum.and_then(|sum| sum.checked_add(part.amount_minor));
        let noun = noun_of(part.kind);
        let document = row::document::find(desk.db, desk.scope, part.kind, &part.document)?;
        let Some(document) = desk.need(document, noun, part.document.as_str(), Field::Parts) else {
            continue;
        };
        if !seen.insert(document.id) {
            desk.invalid(Field::Parts, "a document is paid once by one payment");
        }
        check_part(desk, account, new, part, &document);
        found.push((document, part.amount_minor));
    }
    match sum {
        None => desk.refuse(Refusal::Money { field: Field::Parts, source: MoneyError::TooLarge }),
        Some(sum) if sum > new.amount_minor => {
            desk.invalid(Field::Parts, "the documents take more than the payment's amount");
        }
        Some(_) => {}
    }
    Ok(found)
}

fn check_part(
    desk: &mut Desk<'_>,
    account: &Account,
    new: &NewPayment,
    part: &NewPaymentPart,
    document: &Document,
) {
    let noun = noun_of(part.kind);
    if document.account != account.id {
        desk.invalid(Field::Parts, "the document belongs to another account");
        return;
    }
    if document.status != DocumentStatus::Posted {
        let state = super::document::status_words(document.status);
        desk.refuse(Refusal::WrongState { noun, state });
    }
    if document.currency != new.currency {
        let source = MoneyError::CurrencyMismatch(new.currency, document.currency);
        desk.refuse(Refusal::Money { field: Field::Parts, source });
    } else if part.amount_minor <= 0 || part.amount_minor > document.balance_minor {
        desk.invalid(Field::Parts, "the amount for a document is more than 0 and at most its balance");
    }
    if document.held_by.is_some() {
        desk.refuse(Refusal::InProgress { noun, number: document.number.clone() });
    }
}

/// A payment method of this account that the caller names.
fn find_method(desk: &mut Desk<'_>, account: &Account, key: &Key) -> Result<Option<PaymentMethod>, Failure> {
    let found = row::payment_method::find(desk.db, desk.scope, key)?
        .filter(|method| method.account == Some(account.id));
    Ok(desk.need(found, Noun::PaymentMethod, key.as_str(), Field::PaymentMethod))
}

/// What is charged and through which gateway: what the caller names, else the account's, else the default.
fn find_means(desk: &mut Desk<'_>, account: &Account, new: &NewPayment) -> Result<Option<Means>, Failure> {
    let method = match (&new.payment_method, account.default_payment_method) {
        (Some(key), _) => find_method(desk, account, key)?,
        (None, Some(id)) => row::payment_method::by_id(desk.db, desk.entity(), id)?,
        (None, None) => {
            desk.invalid(Field::PaymentMethod, "the account has no default payment method");
            None
        }
    };
    let gateways = row::gateway::list(desk.db, desk.entity())?;
    let gateway = match (&new.gateway, account.gateway) {
        (Some(key), _) => {
            let found = row::gateway::find(desk.db, desk.entity(), key)?;
            desk.need(found, Noun::PaymentGateway, key.as_str(), Field::Gateway)
        }
        (None, Some(id)) => gateways.into_iter().find(|gateway| gateway.id == id),
        (None, None) => gateways.into_iter().find(|gateway| gateway.is_default),
    };
    let is_usable =
        |method: &PaymentMethod| method.kind.is_electronic() && method.status == PaymentMethodStatus::Active;
    if method.as_ref().is_some_and(|method| !is_usable(method)) {
        desk.invalid(Field::PaymentMethod, "the payment method is not an active electronic one");
    }
    match &gateway {
        None if new.gateway.is_none() => desk.invalid(Field::Gateway, "there is no payment gateway"),
        Some(gateway) if !gateway.is_active => {
            desk.invalid(Field::Gateway, "the payment gateway is not active");
        }
        _ => {}
    }
    let (Some(method), Some(gateway)) = (method, gateway) else { return Ok(None) };
    let Some(token) = method.instrument.token.clone() else {
        desk.invalid(Field::PaymentMethod, "the payment method has no token to charge");
        return Ok(None);
    };
    Ok(Some(Means { method, gateway: gateway.id, token }))
}

fn to_payment(
    desk: &Desk<'_>,
    account: &Account,
    new: NewPayment,
    documents: &[(Document, i64)],
    means: Option<&Means>,
) -> Result<Payment, Failure> {
    let parts: Vec<PaymentPart> = documents
        .iter()
        .map(|(document, amount_minor)| PaymentPart { document: document.id, amount_minor: *amount_minor })
        .collect();
    let is_external = means.is_none();
    let applied: i64 = parts.iter().map(|part| part.amount_minor).sum();
    let named_method = new.payment_method.as_ref().and_then(Key::as_id);
    Ok(Payment {
        id: new.id,
        number: next_text(desk.db, desk.entity(), Sequence::Payment)?,
        account: account.id,
        run: None,
        kind: if is_external { PaymentKind::External } else { PaymentKind::Electronic },
        state: if is_external { PaymentState::Processed } else { PaymentState::Intent },
        currency: new.currency,
        amount_minor: new.amount_minor,
        unapplied_minor: if is_external && !new.standalone { new.amount_minor - applied } else { 0 },
        payment_method: means
            .map(|means| means.method.id)
            .or_else(|| named_method.map(payment_runs_engine::ids::PaymentMethodId::from_u128)),
        gateway: means.map(|means| means.gateway),
        charge_key: None,
        answer: GatewayAnswer::default(),
        effective_date: new.effective_date,
        reference_id: new.reference_id,
        comment: new.comment,
        standalone: new.standalone,
        settled_at: is_external.then_some(desk.now),
        parts,
        stamps: desk.stamps(),
    })
}

/// Records a payment that was received elsewhere: it pays its documents at once.
fn receive(desk: &Desk<'_>, payment: Payment) -> Result<Output, Failure> {
    row::payment::insert(desk.db, desk.entity(), &payment, &Backing::default())?;
    for part in &payment.parts {
        balances::pay(desk.db, desk.entity(), payment.account, part, desk.now)?;
    }
    append_created(desk, &payment)?;
    Ok(Output::Payment(payment))
}

/// Writes the intent of a charge: its exact body, its key, and the hold on its documents.
fn intend(
    desk: &Desk<'_>,
    mut payment: Payment,
    means: Means,
    charge_request: u128,
    encoder: &dyn EncodeCharge,
) -> Result<Output, Failure> {
    let ledger = ledger_id(desk.db)?;
    let key = charge_key::of_request(ledger, charge_request);
    // What the gateway has charged for this request before the ledger was restored is not charged again.
    if let Some((entity, id, _)) = row::payment::adopted_by_key(desk.db, &key)? {
        let adopted = row::payment::by_id(desk.db, entity, id)?;
        return adopted.map(Output::Payment).ok_or_else(|| Failure::broken("an adopted payment is gone"));
    }
    // A caller may use an idempotency key for another payment once its record has expired.
    let is_taken = row::payment::has_key(desk.db, &key)?;
    let key = if is_taken { charge_key::of_request(ledger, payment.id.as_u128()) } else { key };
    let money = Money::new(payment.amount_minor, payment.currency);
    let charge = Charge {
        gateway: means.gateway,
        key: key.clone(),
        money,
        token: means.token,
        customer: means.method.instrument.customer.clone(),
        method_kind: means.method.kind,
        subject: ChargeSubject {
            ledger,
            entity: desk.entity(),
            account: payment.account,
            documents: payment.parts.iter().map(|part| part.document).collect(),
        },
    };
    let request = ChargeRequest { idempotency_key: key, money, body: encoder.encode(&charge).into() };
    payment.charge_key = Some(request.idempotency_key.clone());
    let backing = Backing {
        charge: Some((request.idempotency_key.clone(), Arc::clone(&request.body))),
        // Should its outcome never be recorded, it is found by the look-ups.
        next_look_up_at: Some(time(desk.now)),
        ..Backing::default()
    };
    row::payment::insert(desk.db, desk.entity(), &payment, &backing)?;
    let mut hold = balances::Hold::prepare(desk.db)?;
    for part in &payment.parts {
        hold.hold(desk.entity(), payment.account, part.document, payment.id)?;
    }
    append_created(desk, &payment)?;
    let intent = Intent {
        entity: desk.entity(),
        payment: payment.id,
        state: payment.state,
        gateway: means.gateway,
        request,
        created_at: desk.now,
        look_ups: 0,
        deliveries: 0,
        may_have_been_sent: false,
        run_stopped: false,
        bars_delivery: false,
    };
    Ok(Output::PaymentIntent(payment, intent))
}

fn append_created(desk: &Desk<'_>, payment: &Payment) -> Result<(), Failure> {
    let event = Event::payment(EventKind::PaymentCreated, payment, Some(desk.user), None);
    append(desk.db, desk.entity(), desk.now, &[event])
}
