//! Cards and bank accounts on their way in: what a body tells of them becomes a mask and a gateway's token. Numbers are
//! handed to the gateway and to nobody else; they are neither stored nor logged.

use std::sync::Arc;

use iban::Iban;
use payment_runs_engine::account::GatewayConfig;
use payment_runs_engine::command::NewPaymentMethod;
use payment_runs_engine::ids::{GatewayId, Key, PaymentMethodId};
use payment_runs_engine::payment_method::card_number::holds_card_number;
use payment_runs_engine::payment_method::{Instrument, PaymentMethodKind};
use payment_runs_engine::ports::{InstrumentDetails, OnceKey, TokenizeError};
use payment_runs_stubs::{Category, Location, Rejection};
use payment_runs_types::v1::{
    AccountCreditCard, CardHolderInfo, CreatePaymentMethodRequest, PaymentMethodType,
};

use super::gateways;
use crate::call::Call;
use crate::faults::Faults;
use crate::layer::{OnceTicket, number_of};

/// A payment method as a body describes it, before its number is exchanged for a token.
pub(super) struct MethodPlan {
    kind: PaymentMethodKind,
    kind_name: String,
    source: Source,
    make_default: bool,
    gateway: Option<GatewayId>,
    /// Where the body holds it, with its point: empty, or `paymentMethod.`.
    prefix: &'static str,
}

/// Where the token comes from.
enum Source {
    /// The gateway gives one for these details; the brand is the caller's word for the card.
    Details { details: InstrumentDetails, brand: Option<String> },
    /// The caller brings one, or none is needed.
    Ready(Instrument),
}

/// Reads a payment method. `prefix` is where the body holds it, with its point.
pub(super) fn read(
    prefix: &'static str,
    body: CreatePaymentMethodRequest,
    gateways: &[GatewayConfig],
    faults: &mut Faults,
) -> Option<MethodPlan> {
    let gateway = body.auth_gateway.as_deref().and_then(|text| {
        let found = gateways::named(gateways, text);
        if found.is_none() {
            faults
                .invalid(format!("{prefix}authGateway"), format!("payment gateway '{text}' does not exist"));
        }
        found.map(|gateway| gateway.id)
    });
    check_expiration_year(prefix, body.expiration_year, faults);
    faults.unsupported(format!("{prefix}securityCode"), body.security_code.is_some(), NO_SECURITY_CODES);
    let kind = kind(&body.type_);
    let kind_name = body.type_.to_string();
    let make_default = body.make_default.unwrap_or(false);
    let Some(kind) = kind else {
        faults.invalid(format!("{prefix}type"), format!("{kind_name} is not supported"));
        return None;
    };
    let mut reader = Reader { prefix, kind_name: &kind_name, faults };
    let source = match kind {
        PaymentMethodKind::CreditCard => reader.card(body)?,
        PaymentMethodKind::CreditCardReferenceTransaction => reader.reference(body)?,
        PaymentMethodKind::Ach => reader.ach(body)?,
        PaymentMethodKind::Sepa => reader.sepa(body)?,
        PaymentMethodKind::Other => Source::Ready(Instrument::default()),
    };
    Some(MethodPlan { kind, kind_name, source, make_default, gateway, prefix })
}

/// The first year of expiry: no card that a gateway charges expired before, and a year of fewer digits is a slip.
const EXPIRATION_YEAR_MIN: i32 = 2000;

/// Why a security code is not taken.
pub(super) const NO_SECURITY_CODES: &str = "security codes are neither passed on nor stored";

/// Notes a year of expiry that is none.
pub(super) fn check_expiration_year(prefix: &str, year: Option<i32>, faults: &mut Faults) {
    if year.is_some_and(|year| year < EXPIRATION_YEAR_MIN) {
        let message = format!("must be at least {EXPIRATION_YEAR_MIN}, with four digits");
        faults.invalid(format!("{prefix}expirationYear"), message);
    }
}

/// The older inline form of a card as the newer one.
pub(super) fn from_older_form(card: AccountCreditCard, faults: &mut Faults) -> CreatePaymentMethodRequest {
    let mut number = |field: &str, text: &str| {
        let read = text.parse().ok();
        if read.is_none() {
            faults.invalid(format!("creditCard.{field}"), "must be a number");
        }
        read
    };
    CreatePaymentMethodRequest {
        type_: PaymentMethodType::CreditCard,
        account_key: None,
        make_default: Some(true),
        auth_gateway: None,
        expiration_month: number("expirationMonth", &card.expiration_month),
        expiration_year: number("expirationYear", &card.expiration_year),
        card_number: Some(card.card_number),
        card_type: Some(card.card_type),
        card_holder_info: Some(card.card_holder_info),
        security_code: card.security_code,
        token_id: None,
        second_token_id: None,
        tokens: None,
        bank_aba_code: None,
        bank_account_number: None,
        bank_account_name: None,
        bank_account_type: None,
        iban: None,
        account_holder_info: None,
        mandate_info: None,
        card_mask_number: None,
        skip_validation: None,
    }
}

/// What a type is to the engine; `None` when it is not supported.
fn kind(kind: &PaymentMethodType) -> Option<PaymentMethodKind> {
    match kind {
        PaymentMethodType::CreditCard => Some(PaymentMethodKind::CreditCard),
        PaymentMethodType::CreditCardReferenceTransaction => {
            Some(PaymentMethodKind::CreditCardReferenceTransaction)
        }
        PaymentMethodType::Ach => Some(PaymentMethodKind::Ach),
        PaymentMethodType::Sepa => Some(PaymentMethodKind::Sepa),
        PaymentMethodType::BankTransfer
        | PaymentMethodType::Cash
        | PaymentMethodType::Check
        | PaymentMethodType::DebitCard
        | PaymentMethodType::Other
        | PaymentMethodType::PayPal
        | PaymentMethodType::WireTransfer => Some(PaymentMethodKind::Other),
        _ => None,
    }
}

/// Reads what one type needs.
struct Reader<'a> {
    prefix: &'static str,
    kind_name: &'a str,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn needed<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let message = format!("is required for type {}", self.kind_name);
            self.faults.missing(format!("{}{field}", self.prefix), message);
        }
        value
    }

    /// A card by its number, or by the token that a gateway gave for it.
    fn card(&mut self, body: CreatePaymentMethodRequest) -> Option<Source> {
        if body.card_number.is_none() && token_of(&body).is_some() {
            return self.reference(body);
        }
        let number = self.needed("cardNumber", body.card_number);
        let month = self.needed("expirationMonth", body.expiration_month);
        let year = self.needed("expirationYear", body.expiration_year);
        let details = InstrumentDetails::Card {
            number: number?,
            expiration_month: u8::try_from(month?).ok()?,
            expiration_year: u16::try_from(year?).ok()?,
            holder_name: holder(body.card_holder_info),
        };
        Some(Source::Details { details, brand: body.card_type.map(|brand| brand.to_string()) })
    }

    fn reference(&mut self, body: CreatePaymentMethodRequest) -> Option<Source> {
        let token = self.needed("tokenId", token_of(&body))?;
        let second = body.tokens.and_then(|tokens| tokens.second_token_id);
        Some(Source::Ready(Instrument {
            mask: body.card_mask_number,
            brand: body.card_type.map(|brand| brand.to_string()),
            expiration_month: body.expiration_month.and_then(|month| u8::try_from(month).ok()),
            expiration_year: body.expiration_year.and_then(|year| u16::try_from(year).ok()),
            holder_name: holder(body.card_holder_info),
            token: Some(token),
            customer: body.second_token_id.or(second).filter(|customer| !customer.is_empty()),
        }))
    }

    fn ach(&mut self, body: CreatePaymentMethodRequest) -> Option<Source> {
        let number = self.needed("bankAccountNumber", body.bank_account_number);
        let routing_number = self.needed("bankABACode", body.bank_aba_code);
        let holder = body.account_holder_info;
        let details = InstrumentDetails::BankAccount {
            number: number?,
            routing_number: Some(routing_number?),
            holder_name: body.bank_account_name,
            holder_email: holder.and_then(|holder| holder.email),
            kind: PaymentMethodKind::Ach,
        };
        Some(Source::Details { details, brand: None })
    }

    fn sepa(&mut self, body: CreatePaymentMethodRequest) -> Option<Source> {
        let number = self.needed("IBAN", body.iban.or(body.bank_account_number))?;
        if number.parse::<Iban>().is_err() {
            let message = "is no IBAN: its length, its country or its check digits are wrong";
            self.faults.invalid(format!("{}IBAN", self.prefix), message);
            return None;
        }
        let holder = body.account_holder_info.unwrap_or_default();
        let details = InstrumentDetails::BankAccount {
            number,
            routing_number: body.bank_aba_code,
            holder_name: holder.account_holder_name.or(body.bank_account_name),
            holder_email: holder.email,
            kind: PaymentMethodKind::Sepa,
        };
        Some(Source::Details { details, brand: None })
    }
}

/// The token that a body brings, if any.
fn token_of(body: &CreatePaymentMethodRequest) -> Option<String> {
    let nested = || body.tokens.as_ref().and_then(|tokens| tokens.token_id.clone());
    body.token_id.clone().or_else(nested).filter(|token| !token.is_empty())
}

fn holder(info: Option<CardHolderInfo>) -> Option<String> {
    info.and_then(|info| info.card_holder_name)
}

impl MethodPlan {
    /// Whether the body asks for the method to become its account's default.
    pub(super) fn make_default(&self) -> bool {
        self.make_default
    }

    /// Exchanges the number for a token, through the gateway that the body names, else that of the account, else the
    /// default one. The key of the exchange follows from the request's idempotency key, so a repetition makes no second
    /// token.
    pub(super) async fn tokenize(
        self,
        call: &Call<'_>,
        account: Option<Key>,
        account_gateway: Option<GatewayId>,
        gateways: &[GatewayConfig],
    ) -> Result<NewPaymentMethod, Rejection> {
        let id = PaymentMethodId::from_u128(call.app.ports.ids.next_id());
        let instrument = match self.source {
            Source::Ready(instrument) => instrument,
            Source::Details { details, brand } => {
                let default = || gateways::default(gateways).map(|gateway| gateway.id);
                let gateway = self.gateway.or(account_gateway).or_else(default);
                let gateway =
                    gateway.ok_or_else(|| Rejection::business_rule("there is no payment gateway"))?;
                let key = exchange_key(call.ticket().map(OnceTicket::key), id);
                let exchanged = exchange(call, gateway, &details, &key, self.prefix).await?;
                Instrument { brand: brand.or(exchanged.brand), ..exchanged }
            }
        };
        Ok(NewPaymentMethod {
            id,
            account,
            kind: self.kind,
            kind_name: self.kind_name,
            instrument,
            make_default: self.make_default,
        })
    }
}

async fn exchange(
    call: &Call<'_>,
    gateway: GatewayId,
    details: &InstrumentDetails,
    key: &str,
    prefix: &str,
) -> Result<Instrument, Rejection> {
    let gateways = Arc::clone(&call.app.ports.gateways);
    let unreachable =
        || Rejection::new(Category::External, "the payment gateway cannot be reached: try again");
    let found = gateways.find(gateway).ok_or_else(unreachable)?;
    let place = gateways.admit(gateway).await;
    let exchanged = found.tokenize(details, key).await;
    drop(place);
    let exchanged = exchanged.map_err(|error| match error {
        TokenizeError::Refused { code, message } => {
            let field = match details {
                InstrumentDetails::Card { .. } => format!("{prefix}cardNumber"),
                InstrumentDetails::BankAccount { .. } => format!("{prefix}bankAccountNumber"),
            };
            let message = format!("is refused by the payment gateway ({code}): {message}");
            Rejection::at(Category::BusinessRule, Location::Body, field, message)
        }
        TokenizeError::Unavailable { why } => {
            tracing::warn!(why, "a payment method could not be exchanged for a token");
            unreachable()
        }
    })?;
    if [&exchanged.token, &exchanged.mask, &exchanged.brand]
        .into_iter()
        .flatten()
        .any(|text| holds_card_number(text))
    {
        tracing::error!("the payment gateway answered with the number of a card, which was not stored");
        return Err(Rejection::new(
            Category::External,
            "the payment gateway gave no token: nothing was stored",
        ));
    }
    Ok(exchanged)
}

/// The idempotency key of the exchange: the same for a repeated request, else one of its own.
fn exchange_key(key: Option<&OnceKey>, id: PaymentMethodId) -> String {
    let Some(key) = key else { return format!("{id}-token") };
    let number = number_of(&[b"exchange", key.client.as_bytes(), key.key.as_bytes(), &key.fingerprint]);
    format!("{number:032x}-token")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(client: &str, key: &str, fingerprint: u8) -> OnceKey {
        OnceKey { client: client.to_owned(), key: key.to_owned(), fingerprint: [fingerprint; 32] }
    }

    #[test]
    fn a_repeated_request_exchanges_under_the_same_key() {
        let (one, other) = (PaymentMethodId::from_u128(1), PaymentMethodId::from_u128(2));
        let first = exchange_key(Some(&once("client", "key", 1)), one);
        assert_eq!(first, exchange_key(Some(&once("client", "key", 1)), other));
        for different in [once("clien", "tkey", 1), once("client", "key2", 1), once("client", "key", 2)] {
            assert_ne!(first, exchange_key(Some(&different), one), "{different:?}");
        }
        assert_ne!(
            exchange_key(None, one),
            exchange_key(None, other),
            "each request without a key is its own"
        );
    }

    #[test]
    fn every_type_is_supported_or_refused_by_name() {
        let supported: Vec<&str> = PaymentMethodType::ALL
            .iter()
            .filter(|one| kind(one).is_some())
            .map(PaymentMethodType::as_str)
            .collect();
        assert_eq!(
            supported,
            [
                "CreditCard",
                "CreditCardReferenceTransaction",
                "ACH",
                "SEPA",
                "BankTransfer",
                "Cash",
                "Check",
                "DebitCard",
                "Other",
                "PayPal",
                "WireTransfer"
            ]
        );
    }
}
