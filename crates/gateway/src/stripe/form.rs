//! Form bodies and queries. Pure and deterministic: a charge that is encoded again after a restart
//! must give the same bytes, or its key would be refused.

use form_urlencoded::Serializer;
use payment_runs_engine::ids::DocumentId;
use payment_runs_engine::payment_method::PaymentMethodKind;
use payment_runs_engine::ports::{Charge, InstrumentDetails, LISTED_PAGE_MAX};
use sha2::{Digest, Sha256};

use super::units::to_dialect;

/// The most charges one search returns.
pub const SEARCH_LIMIT: usize = 100;

/// The dialect's name for a kind of payment method.
const fn type_name(kind: PaymentMethodKind) -> &'static str {
    match kind {
        PaymentMethodKind::Ach => "us_bank_account",
        PaymentMethodKind::Sepa => "sepa_debit",
        // A method that is not electronic is never charged; were it, the gateway would refuse its token.
        PaymentMethodKind::CreditCard
        | PaymentMethodKind::CreditCardReferenceTransaction
        | PaymentMethodKind::Other => "card",
    }
}

/// The body of a charge, its parameters in alphabetical order. It holds nothing that differs when a lost plan is made again.
///
/// `error_on_requires_action` turns a charge that would wait for its cardholder into a decline:
/// nobody is there, and a charge left waiting could be completed later.
pub fn charge_body(charge: &Charge) -> Vec<u8> {
    let subject = &charge.subject;
    let mut form = Serializer::new(String::with_capacity(512));
    // An amount that the dialect cannot express is refused before its body is sent.
    let amount = to_dialect(charge.money).unwrap_or(charge.money.minor);
    form.append_pair("amount", &amount.to_string())
        .append_pair("confirm", "true")
        .append_pair("currency", &charge.money.currency.code().to_ascii_lowercase());
    if let Some(customer) = &charge.customer {
        form.append_pair("customer", customer);
    }
    form.append_pair("error_on_requires_action", "true");
    if matches!(charge.method_kind, PaymentMethodKind::Ach | PaymentMethodKind::Sepa) {
        form.append_pair("mandate_data[customer_acceptance][type]", "offline");
    }
    form.append_pair("metadata[account]", &subject.account.to_string());
    if let Some(first) = subject.documents.first() {
        form.append_pair("metadata[document]", &first.to_string());
    }
    if subject.documents.len() > 1 {
        form.append_pair("metadata[documents]", &subject.documents.len().to_string())
            .append_pair("metadata[documents_digest]", &digest_of(&subject.documents));
    }
    form.append_pair("metadata[entity]", &subject.entity.0.to_string())
        .append_pair("metadata[ledger]", &subject.ledger.to_string())
        .append_pair("metadata[reference]", &charge.key)
        .append_pair("off_session", "true")
        .append_pair("payment_method", &charge.token)
        .append_pair("payment_method_types[]", type_name(charge.method_kind));
    form.finish().into_bytes()
}

/// Stands for a list of documents in metadata, which hold at most 500 characters: the first half of the SHA-256 of their
/// identifiers, in hexadecimal.
pub fn digest_of(documents: &[DocumentId]) -> String {
    let mut digest = Sha256::new();
    for document in documents {
        digest.update(document.to_bytes());
    }
    let half = digest.finalize().first_chunk().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(half))
}

/// The body that exchanges a card or bank account for a token.
pub fn instrument_body(details: &InstrumentDetails) -> Vec<u8> {
    let mut form = Serializer::new(String::with_capacity(192));
    let (holder_name, holder_email) = match details {
        InstrumentDetails::Card { number, expiration_month, expiration_year, holder_name } => {
            form.append_pair("type", "card")
                .append_pair("card[number]", number)
                .append_pair("card[exp_month]", &expiration_month.to_string())
                .append_pair("card[exp_year]", &expiration_year.to_string());
            (holder_name, &None)
        }
        InstrumentDetails::BankAccount {
            number,
            holder_name,
            holder_email,
            kind: PaymentMethodKind::Sepa,
            ..
        } => {
            form.append_pair("type", "sepa_debit").append_pair("sepa_debit[iban]", number);
            (holder_name, holder_email)
        }
        InstrumentDetails::BankAccount { number, routing_number, holder_name, holder_email, .. } => {
            form.append_pair("type", "us_bank_account")
                .append_pair("us_bank_account[account_number]", number);
            if let Some(routing_number) = routing_number {
                form.append_pair("us_bank_account[routing_number]", routing_number);
            }
            (holder_name, holder_email)
        }
    };
    if let Some(email) = holder_email {
        form.append_pair("billing_details[email]", email);
    }
    if let Some(name) = holder_name {
        form.append_pair("billing_details[name]", name);
    }
    form.finish().into_bytes()
}

/// The query that searches charges by our reference.
pub fn search_query(reference: &str) -> String {
    let escaped = reference.replace('\\', r"\\").replace('\'', r"\'");
    Serializer::new(String::new())
        .append_pair("query", &format!("metadata['reference']:'{escaped}'"))
        .append_pair("limit", &SEARCH_LIMIT.to_string())
        .finish()
}

/// The query that lists charges by time.
pub fn list_query(since_s: i64, after: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query
        .append_pair("created[gte]", &since_s.to_string())
        .append_pair("limit", &LISTED_PAGE_MAX.to_string());
    if let Some(after) = after {
        query.append_pair("starting_after", after);
    }
    query.finish()
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
