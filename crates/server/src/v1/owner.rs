//! Whose a billing object is: the account that a body names by identifier or by number, and the currency that follows.

use payment_runs_engine::account::Account;
use payment_runs_engine::ids::{AccountId, Key};
use payment_runs_engine::money::Currency;
use payment_runs_engine::refusal::{Field, Noun};
use payment_runs_stubs::{Category, Fault, Location, Rejection};

use crate::call::Call;
use crate::failure::store_failure;
use crate::faults::Faults;
use crate::money::to_minor;
use crate::refused::money_words;

/// What a body says about the owner; what it does not say rightly is missing here and noted as a fault.
pub(super) struct Owner {
    /// The account.
    pub(super) account: Option<Account>,
    /// The currency: the body's, else the account's.
    pub(super) currency: Option<Currency>,
}

impl Owner {
    /// Reads the account and the currency of a body.
    pub(super) async fn read(
        call: &Call<'_>,
        id: Option<&str>,
        number: Option<&str>,
        currency: Option<&str>,
        faults: &mut Faults,
    ) -> Result<Self, Rejection> {
        let account = find(call, id, number, faults).await?;
        let currency = match currency.map(Currency::from_code) {
            Some(Ok(currency)) => Some(currency),
            Some(Err(error)) => {
                faults.invalid("currency", money_words(&error));
                None
            }
            None => account.as_ref().map(|account| account.currency),
        };
        Ok(Self { account, currency })
    }

    /// An amount in the owner's currency, in minor units. Without a currency, which is a fault of its own, it is 0.
    pub(super) fn minor(&self, field: &str, amount: payment_runs_types::Decimal, faults: &mut Faults) -> i64 {
        let read = self.currency.and_then(|currency| faults.take(to_minor(field, amount, currency)));
        read.unwrap_or_default()
    }

    /// The account's key, once every fault was told.
    pub(super) fn key(&self) -> Key {
        Key::new(self.account.as_ref().map(|account| account.id.to_string()).unwrap_or_default())
    }
}

/// No account is named.
pub(super) fn owner_missing() -> Fault {
    Fault {
        location: Location::Body,
        field: String::new(),
        message: "either 'accountId' or 'accountNumber' is required".to_owned(),
        category: Category::MissingField,
    }
}

async fn find(
    call: &Call<'_>,
    id: Option<&str>,
    number: Option<&str>,
    faults: &mut Faults,
) -> Result<Option<Account>, Rejection> {
    if id.is_none() && number.is_none() {
        faults.extend(vec![owner_missing()]);
        return Ok(None);
    }
    let mut found = Vec::new();
    for (field, text) in [("accountId", id), ("accountNumber", number)] {
        let Some(text) = text else { continue };
        let account = call.app.ports.ledger.find_account(call.scope(), &Key::new(text)).await;
        let account = account.map_err(|error| store_failure(&error))?;
        let is_meant = |account: &Account| match field {
            "accountId" => text.parse::<AccountId>().is_ok_and(|id| id == account.id),
            _ => account.number == text,
        };
        match account.filter(is_meant) {
            Some(account) => found.push(account),
            None => faults.invalid(field, format!("{} '{text}' does not exist", Noun::Account.words())),
        }
    }
    if found.len() == 2 && found[0].id != found[1].id {
        faults.invalid("accountNumber", "belongs to another account than 'accountId'");
    }
    Ok(found.into_iter().next())
}

/// What the documents call the fields of their commands.
pub(super) fn name(field: Field) -> &'static str {
    match field {
        Field::Path => "key",
        Field::Account => "accountId",
        Field::Currency => "currency",
        Field::Number => "number",
        Field::Name => "name",
        Field::Amount | Field::Balance | Field::CreditBalance => "amount",
        Field::AutoPay => "autoPay",
        Field::Items => "charges",
        Field::DueDate => "dueDate",
        Field::Status => "status",
        Field::Recurrence => "recurrence",
        Field::Comment => "comment",
        Field::PaymentMethod => "paymentMethodId",
        Field::Gateway => "gatewayId",
        Field::BillRun => "billRunId",
        Field::Parts => "invoices",
        Field::Batch => "batch",
        Field::BillCycleDay => "billCycleDay",
        Field::TargetDate | Field::RunDate => "effectiveDate",
        Field::Data => "data",
        Field::Organizations => "organizationLabel",
        Field::ApplyCreditBalance => "applyCreditBalance",
        Field::AutoApplyCreditMemo => "autoApplyCreditMemo",
        Field::AutoApplyUnappliedPayment => "autoApplyUnappliedPayment",
    }
}
