//! Bulk loading: whole objects as they are, in one transaction.

use payment_runs_engine::command::Load;
use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::EntityKey;
use rusqlite::Connection;

use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sequence::{Sequence, pass_all};

/// Writes everything, over what has the same identifiers, and moves the sequences past the numbers it brings. Loading the
/// same again never takes money back: what was paid, used or counted here since stays.
pub(crate) fn load(db: &Connection, entity: EntityKey, load: &Load) -> Result<(), Failure> {
    for gateway in &load.gateways {
        row::gateway::upsert(db, entity, gateway)?;
    }
    for account in &load.accounts {
        row::account::upsert(db, entity, account)?;
    }
    for method in &load.payment_methods {
        row::payment_method::upsert(db, entity, method)?;
    }
    for document in &load.documents {
        row::document::upsert(db, entity, document)?;
    }
    for memo in &load.credit_memos {
        row::credit::upsert(db, entity, memo)?;
    }
    for payment in &load.payments {
        row::payment::insert_if_new(db, entity, payment)?;
    }
    pass_numbers(db, entity, load)
}

fn pass_numbers(db: &Connection, entity: EntityKey, load: &Load) -> Result<(), Failure> {
    let accounts = load.accounts.iter().map(|one| one.number.as_str());
    pass_all(db, entity, Sequence::Account, accounts)?;
    for (kind, sequence) in
        [(DocumentKind::Invoice, Sequence::Invoice), (DocumentKind::DebitMemo, Sequence::DebitMemo)]
    {
        let documents = load.documents.iter().filter(|one| one.kind == kind);
        pass_all(db, entity, sequence, documents.map(|one| one.number.as_str()))?;
    }
    let memos = load.credit_memos.iter().map(|one| one.number.as_str());
    pass_all(db, entity, Sequence::CreditMemo, memos)?;
    pass_all(db, entity, Sequence::Payment, load.payments.iter().map(|one| one.number.as_str()))
}
