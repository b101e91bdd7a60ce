//! What there is to collect.

use std::path::Path;

use jiff::civil::date;
use payment_runs_engine::account::{Account, AccountStatus, Stamps};
use payment_runs_engine::command::Load;
use payment_runs_engine::document::{Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey, PaymentMethodId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment_method::{Instrument, PaymentMethod, PaymentMethodKind};
use payment_runs_engine::ports::Ledger as _;
use payment_runs_node::testing::{TestNode, USER};

/// Every tenth account has a card that declines.
const DECLINE_EVERY: u32 = 10;

/// Accounts with cards and invoices, each invoice of another amount.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ledger {
    /// Accounts.
    pub(crate) accounts: u32,
    /// Invoices of each.
    pub(crate) invoices: u32,
}

/// Two chunks and a half.
pub(crate) const LARGE: Ledger = Ledger { accounts: 125, invoices: 20 };
/// Enough for a fault to strike many times.
pub(crate) const SMALL: Ledger = Ledger { accounts: 20, invoices: 10 };

impl Ledger {
    /// Invoices in all.
    pub(crate) fn count(self) -> usize {
        usize::try_from(self.accounts * self.invoices).unwrap()
    }

    /// What every invoice asks for, in minor units.
    pub(crate) fn amounts(self) -> Vec<i64> {
        (0..self.accounts * self.invoices).map(amount).collect()
    }

    /// A folder with a database that holds it. It is never copied: a copy could miss what lies in the log beside it.
    pub(crate) async fn in_new_folder(self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.put_into(folder.path()).await;
        folder
    }

    /// Makes a database that holds it.
    pub(crate) async fn put_into(self, folder: &Path) {
        let node = TestNode::builder().with_system_clock().in_folder(folder).without_worker();
        let node = node.start().await.unwrap();
        node.store().load(EntityKey::FIRST, self.load()).await.unwrap();
        node.stop().await;
    }

    /// Accounts with cards and invoices, as they are before any run.
    fn load(self) -> Load {
        let stamps = Stamps::new("2024-01-01T00:00:00Z".parse().unwrap(), USER);
        let mut load = Load::default();
        for account in 0..self.accounts {
            let id = AccountId::from_u128(1_000_000 + u128::from(account));
            let method = PaymentMethodId::from_u128(2_000_000 + u128::from(account));
            let token =
                if account % DECLINE_EVERY == 0 { "pm_card_chargeCustomerFail" } else { "pm_card_visa" };
            load.accounts.push(Account {
                id,
                number: format!("A{account:08}"),
                name: format!("Account {account}"),
                currency: Currency::USD,
                auto_pay: true,
                batch: None,
                bill_cycle_day: 1,
                gateway: None,
                default_payment_method: Some(method),
                status: AccountStatus::Active,
                organization: None,
                credit_balance_minor: 0,
                stamps,
            });
            load.payment_methods.push(PaymentMethod::unused(
                method,
                Some(id),
                (PaymentMethodKind::CreditCard, "CreditCard".to_owned()),
                Instrument { token: Some(token.to_owned()), ..Instrument::default() },
                stamps,
            ));
            load.documents
                .extend((0..self.invoices).map(|n| invoice(id, account * self.invoices + n, stamps)));
        }
        load
    }
}

fn amount(ordinal: u32) -> i64 {
    100 + i64::from(ordinal)
}

fn invoice(account: AccountId, ordinal: u32, stamps: Stamps) -> Document {
    Document {
        id: DocumentId::from_u128(3_000_000 + u128::from(ordinal)),
        number: format!("INV{ordinal:08}"),
        kind: DocumentKind::Invoice,
        account,
        status: DocumentStatus::Posted,
        currency: Currency::USD,
        amount_minor: amount(ordinal),
        balance_minor: amount(ordinal),
        paid_minor: 0,
        credited_minor: 0,
        document_date: date(2024, 1, 1),
        due_date: date(2024, 1, 1),
        auto_pay: true,
        bill_run: None,
        payment_method: None,
        held_by: None,
        comment: None,
        reason_code: None,
        posted_at: Some(stamps.created_at),
        stamps,
    }
}
