//! From a line's JSON to what it brings, or to everything that is wrong with it.

use payment_runs_engine::account::{AccountStatus, RetryRule};
use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::{
    AccountId, BillRunId, CreditMemoId, DocumentId, Key, PaymentId, PaymentMethodId,
};
use payment_runs_engine::import::{
    CreditTarget, Imported, ImportedAccount, ImportedCredit, ImportedDocument, ImportedPaymentMethod,
    LineFault, LineFaultCode, MajorAmount,
};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment_method::{Instrument, PaymentMethodKind};
use payment_runs_engine::ports::Ids;
use payment_runs_types::Decimal;
use payment_runs_types::ops::{
    DocumentType, ImportAccount, ImportAccountStatus, ImportCredit, ImportCreditType, ImportDocument,
    ImportDocumentStatus, ImportPaymentMethod, ImportPaymentMethodType,
};

/// Everything that is wrong with a line.
type Faults = Vec<LineFault>;

/// A line that is ready, unless something is wrong with it.
fn settled(brings: Option<Imported>, faults: Faults) -> Result<Imported, Faults> {
    match brings {
        Some(brings) if faults.is_empty() => Ok(brings),
        _ => Err(faults),
    }
}

fn amount(decimal: Decimal) -> MajorAmount {
    let number = decimal.get();
    MajorAmount { mantissa: number.mantissa(), scale: number.scale() }
}

fn currency(code: &str, faults: &mut Faults) -> Option<Currency> {
    let found = Currency::from_code(code).ok();
    if found.is_none() {
        let message = "must be a currency code of ISO 4217";
        faults.push(LineFault::new("currency", LineFaultCode::InvalidValue, message));
    }
    found
}

pub(super) fn account(line: ImportAccount, ids: &dyn Ids) -> Result<Imported, Faults> {
    let mut faults = Faults::new();
    let status = match line.status {
        None | Some(ImportAccountStatus::Active) => AccountStatus::Active,
        Some(ImportAccountStatus::Draft) => AccountStatus::Draft,
        Some(ImportAccountStatus::Canceled | ImportAccountStatus::Unknown(_)) => AccountStatus::Canceled,
    };
    let brings = currency(&line.currency, &mut faults).map(|currency| {
        Imported::Account(ImportedAccount {
            id: AccountId::from_u128(ids.next_id()),
            number: line.number,
            name: line.name,
            currency,
            auto_pay: line.auto_pay.unwrap_or(true),
            batch: line.batch,
            // The schema bounds it by 31.
            bill_cycle_day: line.bill_cycle_day.and_then(|day| u8::try_from(day).ok()).unwrap_or(0),
            gateway: line.payment_gateway.map(Key::new),
            organization: line.organization.map(Key::new),
            status,
            credit_balance: line.credit_balance.map(amount),
        })
    });
    settled(brings, faults)
}

pub(super) fn payment_method(line: ImportPaymentMethod, ids: &dyn Ids) -> Result<Imported, Faults> {
    let mut faults = Faults::new();
    let kind_name = line.type_.to_string();
    let kind = match line.type_ {
        ImportPaymentMethodType::CreditCard => PaymentMethodKind::CreditCard,
        ImportPaymentMethodType::CreditCardReferenceTransaction => {
            PaymentMethodKind::CreditCardReferenceTransaction
        }
        ImportPaymentMethodType::Ach => PaymentMethodKind::Ach,
        ImportPaymentMethodType::Sepa => PaymentMethodKind::Sepa,
        ImportPaymentMethodType::Other | ImportPaymentMethodType::Unknown(_) => PaymentMethodKind::Other,
    };
    if kind.is_electronic() && line.token.is_none() {
        let message = "is required unless the type is Other";
        faults.push(LineFault::new("token", LineFaultCode::MissingField, message));
    }
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let rule = RetryRule {
        max_consecutive_failures: count(line.max_consecutive_failures),
        retry_window_hours: count(line.retry_window_hours),
    };
    let id = line.id.as_deref().and_then(|id| id.parse::<PaymentMethodId>().ok());
    let brings = ImportedPaymentMethod {
        id: id.unwrap_or_else(|| PaymentMethodId::from_u128(ids.next_id())),
        account: Key::new(line.account),
        kind,
        kind_name,
        instrument: Instrument {
            mask: line.mask,
            brand: line.brand,
            expiration_month: line.expiration_month.and_then(|month| u8::try_from(month).ok()),
            expiration_year: line.expiration_year.and_then(|year| u16::try_from(year).ok()),
            holder_name: line.holder_name,
            token: line.token,
            customer: line.customer,
        },
        make_default: line.make_default.unwrap_or(true),
        closed: line.closed.unwrap_or(false),
        retry_rule: (rule != RetryRule::default()).then_some(rule),
    };
    settled(Some(Imported::PaymentMethod(brings)), faults)
}

pub(super) fn document(line: ImportDocument, ids: &dyn Ids) -> Result<Imported, Faults> {
    let mut faults = Faults::new();
    let bill_run = line.bill_run.as_deref().and_then(|id| {
        let read = id.parse::<BillRunId>().ok();
        if read.is_none() {
            let message = "must be an id of 32 hexadecimal characters";
            faults.push(LineFault::new("bill_run", LineFaultCode::InvalidValue, message));
        }
        read
    });
    let currency = line.currency.as_deref().and_then(|code| currency(code, &mut faults));
    let brings = ImportedDocument {
        id: DocumentId::from_u128(ids.next_id()),
        kind: match line.type_ {
            DocumentType::DebitMemo => DocumentKind::DebitMemo,
            DocumentType::Invoice | DocumentType::Unknown(_) => DocumentKind::Invoice,
        },
        number: line.number,
        account: Key::new(line.account),
        amount: amount(line.amount),
        balance: line.balance.map(amount),
        currency,
        document_date: line.document_date.into(),
        due_date: line.due_date.map(Into::into),
        auto_pay: line.auto_pay.unwrap_or(true),
        post: line.status != Some(ImportDocumentStatus::Draft),
        bill_run,
        payment_method: line.payment_method.map(Key::new),
        comment: line.comment,
        reason_code: line.reason_code,
    };
    settled(Some(Imported::Document(brings)), faults)
}

pub(super) fn credit(line: ImportCredit, ids: &dyn Ids) -> Result<Imported, Faults> {
    let mut faults = Faults::new();
    let currency = line.currency.as_deref().and_then(|code| currency(code, &mut faults));
    let id = ids.next_id();
    let target = match (line.type_, line.number) {
        (ImportCreditType::CreditMemo, Some(number)) => {
            Some(CreditTarget::CreditMemo(CreditMemoId::from_u128(id), number))
        }
        (ImportCreditType::UnappliedPayment, Some(number)) => {
            Some(CreditTarget::UnappliedPayment(PaymentId::from_u128(id), number))
        }
        (ImportCreditType::CreditMemo | ImportCreditType::UnappliedPayment, None) => {
            let message = "is required unless the type is CreditBalance";
            faults.push(LineFault::new("number", LineFaultCode::MissingField, message));
            None
        }
        (_, Some(_)) => {
            let message = "must not be given where the type is CreditBalance";
            faults.push(LineFault::new("number", LineFaultCode::InvalidValue, message));
            None
        }
        (_, None) => Some(CreditTarget::CreditBalance),
    };
    let brings = target.map(|target| {
        Imported::Credit(ImportedCredit {
            target,
            account: Key::new(line.account),
            amount: amount(line.amount),
            currency,
            date: line.date.into(),
            comment: line.comment,
        })
    });
    settled(brings, faults)
}
