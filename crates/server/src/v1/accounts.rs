//! Accounts.

use payment_runs_engine::account::{Account, AccountStatus, GatewayConfig};
use payment_runs_engine::command::{AccountChange, Change, Command, NewAccount};
use payment_runs_engine::ids::{AccountId, GatewayId, Key};
use payment_runs_engine::money::Currency;
use payment_runs_engine::ports::Output;
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_stubs::Rejection;
use payment_runs_types::v1::{
    self, AccountBasicInfo, AccountBillingAndPayment, AccountResponse, CreateAccountRequest,
    CreateAccountResponse, SuccessResponse, UpdateAccountRequest,
};

use super::instrument::{self, MethodPlan};
use super::{gateways, owner};
use crate::call::Call;
use crate::failure::store_failure;
use crate::faults::Faults;
use crate::refused::{Wording, money_words, not_found};

/// Why an account is given no parent.
const NO_PARENTS: &str = "accounts have no parents here";

const CREATE: Wording = Wording { name: created_name, state: None };
const UPDATE: Wording = Wording { name: updated_name, state: None };

fn created_name(field: Field) -> &'static str {
    match field {
        Field::Path => "accountKey",
        Field::Number | Field::Account => "accountNumber",
        Field::Gateway => "paymentGateway",
        other => owner::name(other),
    }
}

fn updated_name(field: Field) -> &'static str {
    match field {
        Field::PaymentMethod => "defaultPaymentMethodId",
        other => created_name(other),
    }
}

/// Creates an account, with the payment method that the body holds.
pub(super) async fn create(
    call: &Call<'_>,
    body: CreateAccountRequest,
) -> Result<CreateAccountResponse, Rejection> {
    let mut faults = Faults::default();
    let gateways = call.gateways().await?;
    let currency = Currency::from_code(&body.currency);
    if let Err(error) = &currency {
        faults.invalid("currency", money_words(error));
    }
    faults.unsupported("parentId", body.parent_id.is_some(), NO_PARENTS);
    check_exclusive(&body, &mut faults);
    let gateway = find_gateway(&body, &gateways, &mut faults);
    let mut body = body;
    let plan = read_method(&mut body, &gateways, &mut faults);
    faults.finish()?;
    let method = match plan {
        Some(plan) => Some(plan.tokenize(call, None, gateway, &gateways).await?),
        None => None,
    };
    let account = NewAccount {
        id: AccountId::from_u128(call.app.ports.ids.next_id()),
        number: body.account_number,
        name: body.name,
        currency: currency.unwrap_or(Currency::USD),
        auto_pay: body.auto_pay,
        batch: body.batch,
        bill_cycle_day: body.bill_cycle_day.and_then(|day| u8::try_from(day).ok()).unwrap_or_default(),
        gateway: gateway.map(|id| Key::new(id.to_string())),
        payment_method: body.payment_method_id.map(Key::new),
        new_payment_method: method,
        organization: body.organization_label.map(Key::new).or_else(|| only_organization(call)),
    };
    call.execute(Command::CreateAccount(account), &CREATE, created).await
}

fn created(output: &Output) -> Option<CreateAccountResponse> {
    let Output::Account(account) = output else { return None };
    Some(CreateAccountResponse {
        success: true,
        account_id: account.id.to_string(),
        account_number: account.number.clone(),
        payment_method_id: Some(account.default_payment_method.map(|id| id.to_string())),
    })
}

/// A caller who is limited to one organization creates accounts in it.
fn only_organization(call: &Call<'_>) -> Option<Key> {
    match call.scope().organizations.as_deref() {
        Some([only]) => Some(Key::new(only.to_string())),
        _ => None,
    }
}

/// One payment method at most, one gateway at most.
fn check_exclusive(body: &CreateAccountRequest, faults: &mut Faults) {
    let methods = [
        ("paymentMethodId", body.payment_method_id.is_some()),
        ("paymentMethod", body.payment_method.is_some()),
        ("creditCard", body.credit_card.is_some()),
    ];
    let gateways =
        [("paymentGateway", body.payment_gateway.is_some()), ("gatewayId", body.gateway_id.is_some())];
    for group in [&methods[..], &gateways[..]] {
        let given: Vec<&str> = group.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        for other in given.iter().skip(1) {
            faults.excludes(given[0], other);
        }
    }
}

fn find_gateway(
    body: &CreateAccountRequest,
    gateways: &[GatewayConfig],
    faults: &mut Faults,
) -> Option<GatewayId> {
    let named = [("paymentGateway", &body.payment_gateway), ("gatewayId", &body.gateway_id)];
    let (field, text) = named.into_iter().find_map(|(field, text)| Some((field, text.as_deref()?)))?;
    let found = gateways::named(gateways, text);
    if found.is_none() {
        faults.invalid(field, format!("payment gateway '{text}' does not exist"));
    }
    found.map(|gateway| gateway.id)
}

/// The payment method in the body, in either of its two forms.
fn read_method(
    body: &mut CreateAccountRequest,
    gateways: &[GatewayConfig],
    faults: &mut Faults,
) -> Option<MethodPlan> {
    match (body.payment_method.take(), body.credit_card.take()) {
        (Some(method), _) => instrument::read("paymentMethod.", method, gateways, faults),
        (None, Some(card)) => {
            let method = instrument::from_older_form(card, faults);
            instrument::read("creditCard.", method, gateways, faults)
        }
        (None, None) => None,
    }
}

/// One account.
pub(super) async fn get(call: &Call<'_>, key: &str) -> Result<AccountResponse, Rejection> {
    let found = call.app.ports.ledger.find_account(call.scope(), &Key::new(key)).await;
    let found = found.map_err(|error| store_failure(&error))?;
    let account = found.ok_or_else(|| not_found(Noun::Account, key))?;
    let gateway = match account.gateway {
        Some(id) => {
            call.gateways().await?.into_iter().find(|gateway| gateway.id == id).map(|found| found.name)
        }
        None => None,
    };
    let organization = match account.organization {
        Some(id) => {
            let known = call.app.ports.access.organizations(call.scope().entity).await;
            let known = known.map_err(|error| store_failure(&error))?;
            known.into_iter().find(|(known, _)| *known == id).map(|(_, name)| name)
        }
        None => None,
    };
    Ok(write(account, gateway, organization))
}

fn write(account: Account, gateway: Option<String>, organization: Option<String>) -> AccountResponse {
    let default_payment_method_id = Some(account.default_payment_method.map(|id| id.to_string()));
    AccountResponse {
        success: true,
        basic_info: AccountBasicInfo {
            id: account.id.to_string(),
            account_number: account.number,
            name: account.name,
            batch: Some(account.batch),
            status: match account.status {
                AccountStatus::Draft => v1::AccountStatus::Draft,
                AccountStatus::Active => v1::AccountStatus::Active,
                AccountStatus::Canceled => v1::AccountStatus::Canceled,
            },
            default_payment_method_id: default_payment_method_id.clone(),
            organization_label: Some(organization),
        },
        billing_and_payment: AccountBillingAndPayment {
            auto_pay: account.auto_pay,
            bill_cycle_day: Some(Some(i32::from(account.bill_cycle_day))),
            currency: account.currency.to_string(),
            default_payment_method_id,
            payment_gateway: Some(gateway),
        },
    }
}

/// Changes an account.
pub(super) async fn update(
    call: &Call<'_>,
    key: &str,
    body: UpdateAccountRequest,
) -> Result<SuccessResponse, Rejection> {
    let mut faults = Faults::default();
    faults.unsupported("currency", body.currency.is_some(), "the currency of an account stays");
    faults.unsupported("parentId", body.parent_id.is_some(), NO_PARENTS);
    faults.unsupported("status", body.status.is_some(), "the status of an account cannot be changed here");
    faults.finish()?;
    let change = AccountChange {
        name: body.name,
        auto_pay: body.auto_pay,
        batch: body.batch,
        bill_cycle_day: body.bill_cycle_day.and_then(|day| u8::try_from(day).ok()),
        gateway: match body.payment_gateway {
            None => Change::Keep,
            Some(name) if name.is_empty() => Change::Clear,
            Some(name) => Change::Set(Key::new(name)),
        },
        default_payment_method: body.default_payment_method_id.map(Key::new),
        status: None,
    };
    call.run(Command::UpdateAccount(Key::new(key), change), &UPDATE).await?;
    Ok(SuccessResponse { success: true })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn gateway(id: u128, name: &str) -> GatewayConfig {
        let (name, kind) = (name.to_owned(), "stripe".to_owned());
        GatewayConfig { id: GatewayId::from_u128(id), name, kind, is_active: true, is_default: id == 1 }
    }

    /// What is told of a body with these fields beside the required ones.
    fn told(fields: &Value) -> Vec<String> {
        let mut body = json!({
            "name": "Ada", "currency": "USD", "billToContact": {"firstName": "Ada", "lastName": "Sommer"}
        });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let mut body: CreateAccountRequest = serde_json::from_value(body).unwrap();
        let gateways = [gateway(1, "Default"), gateway(2, "Second")];
        let mut faults = Faults::default();
        check_exclusive(&body, &mut faults);
        find_gateway(&body, &gateways, &mut faults);
        read_method(&mut body, &gateways, &mut faults);
        match faults.finish() {
            Ok(()) => vec![],
            Err(rejection) => rejection
                .faults
                .into_iter()
                .map(|fault| format!("{} {}", fault.field, fault.message))
                .collect(),
        }
    }

    #[test]
    fn a_body_names_one_method_and_one_gateway() {
        assert_eq!(told(&json!({})), Vec::<String>::new());
        assert_eq!(told(&json!({"paymentGateway": "Second"})), Vec::<String>::new());
        assert_eq!(told(&json!({"gatewayId": format!("{:032x}", 2)})), Vec::<String>::new());
        assert_eq!(
            told(&json!({"paymentGateway": "Third", "gatewayId": "x", "paymentMethodId": "a",
                "paymentMethod": {"type": "Check"}})),
            [
                "paymentMethodId excludes 'paymentMethod'",
                "paymentGateway excludes 'gatewayId'",
                "paymentGateway payment gateway 'Third' does not exist",
            ]
        );
    }

    #[test]
    fn inline_methods_tell_what_they_lack_by_their_path() {
        assert_eq!(
            told(&json!({"paymentMethod": {"type": "CreditCard", "authGateway": "Third"}})),
            [
                "paymentMethod.authGateway payment gateway 'Third' does not exist",
                "paymentMethod.cardNumber is required for type CreditCard",
                "paymentMethod.expirationMonth is required for type CreditCard",
                "paymentMethod.expirationYear is required for type CreditCard",
            ]
        );
        assert_eq!(
            told(&json!({"paymentMethod": {"type": "PayPalEC"}})),
            ["paymentMethod.type PayPalEC is not supported"]
        );
        assert_eq!(
            told(&json!({"paymentMethod": {"type": "CreditCardReferenceTransaction"}})),
            ["paymentMethod.tokenId is required for type CreditCardReferenceTransaction"]
        );
        assert_eq!(
            told(&json!({"creditCard": {"cardNumber": "4242424242424242", "cardType": "Visa",
                "expirationMonth": "02", "expirationYear": "2031", "cardHolderInfo": {}}})),
            Vec::<String>::new()
        );
        assert_eq!(
            told(&json!({"paymentMethod": {"type": "ACH", "bankAccountNumber": "000123456789"}})),
            ["paymentMethod.bankABACode is required for type ACH"]
        );
    }
}
