#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! Small worlds for the tests of this crate.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::account::{Account, AccountStatus, GatewayConfig, Stamps};
use crate::document::{CreditMemo, Document, DocumentKind, DocumentStatus};
use crate::ids::{AccountId, CreditMemoId, DocumentId, GatewayId, PaymentId, PaymentMethodId, RunId, UserId};
use crate::money::Currency;
use crate::payment::{GatewayAnswer, Payment, PaymentKind, PaymentState};
use crate::payment_method::{Instrument, PaymentMethod, PaymentMethodKind};
use crate::plan::{AccountView, ChunkView, RunRules};
use crate::ports::Ids;
use crate::run::{Run, RunFilter, RunOptions, RunStatus};
use crate::settings::Settings;

/// The time of every decision in these tests.
pub(crate) fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

pub(crate) fn stamps() -> Stamps {
    Stamps::new(now(), UserId::from_u128(1))
}

pub(crate) fn euro() -> Currency {
    Currency::from_code("EUR").unwrap()
}

/// Identifiers counted up from 1,000.
pub(crate) struct CountingIds(AtomicU64);

impl CountingIds {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(1_000))
    }
}

impl Ids for CountingIds {
    fn next_id(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) fn gateway(id: u128) -> GatewayConfig {
    GatewayConfig {
        id: GatewayId::from_u128(id),
        name: format!("Gateway {id}"),
        kind: "stripe".to_owned(),
        is_active: true,
        is_default: id == 1,
    }
}

pub(crate) fn run() -> Run {
    Run {
        id: RunId::from_u128(7),
        number: "PR-00000001".to_owned(),
        status: RunStatus::Processing,
        filter: RunFilter::default(),
        options: RunOptions::default(),
        target_date: Some("2026-03-01".parse().unwrap()),
        run_at: None,
        organizations: Vec::new(),
        occurrence: None,
        record_count: 0,
        executed_at: Some(now()),
        completed_at: None,
        error_message: None,
        stamps: stamps(),
    }
}

pub(crate) fn rules() -> RunRules {
    RunRules {
        run: run(),
        settings: Settings::default(),
        gateways: vec![gateway(1), gateway(2)],
        stopping: false,
    }
}

pub(crate) fn method(id: u128, account: u128) -> PaymentMethod {
    PaymentMethod::unused(
        PaymentMethodId::from_u128(id),
        Some(AccountId::from_u128(account)),
        (PaymentMethodKind::CreditCard, "CreditCard".to_owned()),
        Instrument { token: Some(format!("tok_{id}")), ..Instrument::default() },
        stamps(),
    )
}

/// An account that pays, with method `10 * id`.
pub(crate) fn account(id: u128) -> AccountView {
    let account = Account {
        id: AccountId::from_u128(id),
        number: format!("A{id:08}"),
        name: format!("Account {id}"),
        currency: Currency::USD,
        auto_pay: true,
        batch: None,
        bill_cycle_day: 0,
        gateway: None,
        default_payment_method: Some(PaymentMethodId::from_u128(10 * id)),
        status: AccountStatus::Active,
        organization: None,
        credit_balance_minor: 0,
        stamps: stamps(),
    };
    AccountView {
        account,
        documents: Vec::new(),
        payment_methods: vec![method(10 * id, id)],
        credit_memos: Vec::new(),
        unapplied_payments: Vec::new(),
    }
}

pub(crate) fn invoice(id: u128, account: u128, balance_minor: i64) -> Document {
    Document {
        id: DocumentId::from_u128(id),
        number: format!("INV{id:08}"),
        kind: DocumentKind::Invoice,
        account: AccountId::from_u128(account),
        status: DocumentStatus::Posted,
        currency: Currency::USD,
        amount_minor: balance_minor,
        balance_minor,
        paid_minor: 0,
        credited_minor: 0,
        document_date: "2026-02-01".parse().unwrap(),
        due_date: "2026-02-15".parse().unwrap(),
        auto_pay: true,
        bill_run: None,
        payment_method: None,
        held_by: None,
        comment: None,
        reason_code: None,
        posted_at: Some(now()),
        stamps: stamps(),
    }
}

pub(crate) fn credit_memo(id: u128, account: u128, unapplied_minor: i64) -> CreditMemo {
    CreditMemo {
        id: CreditMemoId::from_u128(id),
        number: format!("CM{id:08}"),
        account: AccountId::from_u128(account),
        status: DocumentStatus::Posted,
        currency: Currency::USD,
        amount_minor: unapplied_minor,
        unapplied_minor,
        effective_date: "2026-01-01".parse().unwrap(),
        reason_code: None,
        comment: None,
        stamps: stamps(),
    }
}

pub(crate) fn unapplied_payment(id: u128, account: u128, unapplied_minor: i64) -> Payment {
    Payment {
        id: PaymentId::from_u128(id),
        number: format!("P-{id:08}"),
        account: AccountId::from_u128(account),
        run: None,
        kind: PaymentKind::External,
        state: PaymentState::Processed,
        currency: Currency::USD,
        amount_minor: unapplied_minor,
        unapplied_minor,
        payment_method: None,
        gateway: None,
        charge_key: None,
        answer: GatewayAnswer::default(),
        effective_date: "2026-01-01".parse().unwrap(),
        reference_id: None,
        comment: None,
        standalone: false,
        settled_at: Some(now()),
        parts: Vec::new(),
        stamps: stamps(),
    }
}

/// A chunk of a run with filters.
pub(crate) fn chunk(rules: RunRules, accounts: Vec<AccountView>) -> ChunkView {
    ChunkView {
        rules,
        now: now(),
        accounts,
        records: Vec::new(),
        decided: BTreeSet::new(),
        used: BTreeSet::new(),
    }
}
