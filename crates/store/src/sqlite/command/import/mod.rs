//! Imports: lines that are taken batch by batch, each batch in one transaction with the position that it leads to.

mod account;
mod credit;
mod document;
mod payment_method;

use std::collections::BTreeMap;

use payment_runs_engine::account::{Account, AccountStatus};
use payment_runs_engine::command::Output;
use payment_runs_engine::document::DocumentKind;
use payment_runs_engine::ids::{GatewayId, Key, OrganizationId};
use payment_runs_engine::import::{
    AmountFault, CreditTarget, Import, Imported, LINE_FAULTS_MAX, Line, LineBatch, LineFault, MajorAmount,
    NewImport, RefusedLine, keep_refused, line_fault,
};
use payment_runs_engine::money::Currency;
use payment_runs_engine::ports::{Ids, TakeLines, Taken};
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use rusqlite::Connection;

use super::Desk;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row;
use crate::sqlite::sequence::{Sequence, pass_all};

/// Begins an import.
pub(super) fn create(desk: &mut Desk<'_>, new: NewImport) -> Result<Output, Failure> {
    let import = Import {
        id: new.id,
        name: new.name,
        kind: new.kind,
        format: new.format,
        next_line: 1,
        stored: 0,
        refused: 0,
        stamps: desk.stamps(),
    };
    row::import::insert(desk.db, desk.entity(), &import)?;
    let event = Event::import(EventKind::ImportCreated, desk.user, format!("import {}", import.id));
    append(desk.db, desk.entity(), desk.now, &[event])?;
    Ok(Output::Import(import))
}

/// Takes lines.
pub(crate) fn take_lines(db: &Connection, lines: TakeLines, ids: &dyn Ids) -> Result<Taken, Failure> {
    let TakeLines { scope, user, now, import, batch, refused_kept_max } = lines;
    let Some(mut import) = row::import::find(db, &scope, user, import)? else { return Ok(Taken::Missing) };
    if batch.first_line > import.next_line {
        return Ok(Taken::Gap { next_line: import.next_line });
    }
    if batch.next_line <= import.next_line {
        return Ok(Taken::Taken(import));
    }
    let mut desk = Desk { db, scope: &scope, user, now, ids, refusals: Vec::new() };
    pass_numbers(&desk, &batch)?;
    let LineBatch { next_line, lines, .. } = batch;
    let from = import.next_line;
    let lines = lines.into_iter().filter(|line| line.number >= from);
    let (stored, mut refused) = store(&mut desk, lines, &import)?;
    let refused_now = refused.len();
    keep_refused(&mut refused, import.refused);
    refused.truncate(usize::try_from(refused_kept_max).unwrap_or(usize::MAX));
    import.next_line = next_line;
    import.stored += stored;
    import.refused += u64::try_from(refused_now).unwrap_or(u64::MAX);
    desk.restamp(&mut import.stamps);
    let mut statement = row::import::prepare_refused(db)?;
    for line in &refused {
        row::import::insert_refused(&mut statement, scope.entity, import.id, line)?;
    }
    row::import::advance(db, scope.entity, &import)?;
    let detail = format!(
        "import {}, lines {from} to {}: {stored} stored, {refused_now} refused",
        import.id,
        import.next_line - 1,
    );
    append(db, scope.entity, now, &[Event::import(EventKind::ImportLinesTaken, user, detail)])?;
    Ok(Taken::Taken(import))
}

/// Stores what the lines bring; says how many did, and which were refused.
fn store(
    desk: &mut Desk<'_>,
    lines: impl Iterator<Item = Line>,
    import: &Import,
) -> Result<(u64, Vec<RefusedLine>), Failure> {
    let mut book = Book::default();
    let mut stored = 0;
    let mut refused = Vec::new();
    for Line { number, content } in lines {
        let mut faults = match content {
            Err(faults) => faults,
            Ok(object) if object.kind() != import.kind => {
                return Err(Failure::broken("a line holds another kind of object than its import"));
            }
            Ok(object) => match store_one(desk, &mut book, object) {
                Ok(()) => {
                    stored += 1;
                    continue;
                }
                Err(Failure::Refused(refusals)) => {
                    refusals.iter().map(line_fault).collect::<Vec<LineFault>>()
                }
                Err(other) => return Err(other),
            },
        };
        faults.truncate(LINE_FAULTS_MAX);
        refused.push(RefusedLine { line: number, faults });
    }
    Ok((stored, refused))
}

/// Stores what one line brings. A refusal comes before anything is written.
fn store_one(desk: &mut Desk<'_>, book: &mut Book, object: Imported) -> Result<(), Failure> {
    match object {
        Imported::Account(account) => account::store(desk, book, account),
        Imported::PaymentMethod(method) => payment_method::store(desk, book, method),
        Imported::Document(document) => document::store(desk, book, document),
        Imported::Credit(credit) => credit::store(desk, book, credit),
    }
}

/// Moves the sequences past the numbers that the lines bring.
fn pass_numbers(desk: &Desk<'_>, batch: &LineBatch) -> Result<(), Failure> {
    let pass = |sequence: Sequence| {
        let brought = batch.lines.iter().filter_map(|line| line.content.as_ref().ok());
        let numbers = brought.filter_map(|object| numbered(object).filter(|(of, _)| *of == sequence));
        pass_all(desk.db, desk.entity(), sequence, numbers.map(|(_, number)| number))
    };
    let sequences =
        [Sequence::Account, Sequence::Invoice, Sequence::DebitMemo, Sequence::CreditMemo, Sequence::Payment];
    sequences.into_iter().try_for_each(pass)
}

/// The number that a line brings, and the sequence that could have given it.
fn numbered(object: &Imported) -> Option<(Sequence, &str)> {
    match object {
        Imported::Account(account) => Some((Sequence::Account, &account.number)),
        Imported::Document(document) => match document.kind {
            DocumentKind::Invoice => Some((Sequence::Invoice, &document.number)),
            DocumentKind::DebitMemo => Some((Sequence::DebitMemo, &document.number)),
        },
        Imported::Credit(credit) => match &credit.target {
            CreditTarget::CreditMemo(_, number) => Some((Sequence::CreditMemo, number)),
            CreditTarget::UnappliedPayment(_, number) => Some((Sequence::Payment, number)),
            CreditTarget::CreditBalance => None,
        },
        Imported::PaymentMethod(_) => None,
    }
}

/// What earlier lines of the batch have looked up, since neighbours mostly name the same things. It is as large as its
/// batch at most, and lives no longer.
#[derive(Default)]
struct Book {
    accounts: BTreeMap<String, Account>,
    gateways: BTreeMap<String, GatewayId>,
    organizations: BTreeMap<Option<String>, Option<OrganizationId>>,
}

impl Book {
    /// The account that a line names, which must be open; without it a refusal stands on the desk.
    fn account(&mut self, desk: &mut Desk<'_>, key: &Key) -> Result<Option<&mut Account>, Failure> {
        if !self.accounts.contains_key(key.as_str()) {
            let found = row::account::find(desk.db, desk.scope, key)?;
            let Some(account) = desk.need(found, Noun::Account, key.as_str(), Field::Account) else {
                return Ok(None);
            };
            self.accounts.insert(key.as_str().to_owned(), account);
        }
        let account = self.accounts.get_mut(key.as_str());
        if account.as_ref().is_some_and(|account| account.status == AccountStatus::Canceled) {
            desk.refuse(Refusal::WrongState { noun: Noun::Account, state: "canceled".to_owned() });
        }
        Ok(account)
    }

    /// The gateway that a line names.
    fn gateway(&mut self, desk: &mut Desk<'_>, key: Option<&Key>) -> Result<Option<GatewayId>, Failure> {
        let Some(key) = key else { return Ok(None) };
        if let Some(known) = self.gateways.get(key.as_str()) {
            return Ok(Some(*known));
        }
        let found = super::account::find_gateway(desk, Some(key))?;
        if let Some(gateway) = found {
            self.gateways.insert(key.as_str().to_owned(), gateway);
        }
        Ok(found)
    }

    /// The organization that a line names, or the only one that the caller may see.
    fn organization(
        &mut self,
        desk: &mut Desk<'_>,
        key: Option<&Key>,
    ) -> Result<Option<OrganizationId>, Failure> {
        let name = key.map(|key| key.as_str().to_owned());
        if let Some(known) = self.organizations.get(&name) {
            return Ok(*known);
        }
        let before = desk.refusals.len();
        let found = super::account::find_organization(desk, key)?;
        if desk.refusals.len() == before {
            self.organizations.insert(name, found);
        }
        Ok(found)
    }
}

impl Desk<'_> {
    /// An amount in minor units; without one a refusal stands on the desk.
    fn minor(&mut self, field: Field, amount: MajorAmount, currency: Currency) -> Option<i64> {
        let read = amount.to_minor(currency).map_err(|fault: AmountFault| fault.to_string());
        read.map_err(|message| self.refuse(Refusal::Invalid { field, message })).ok()
    }

    /// The same, of which there must be something.
    fn more_than_nothing(&mut self, amount: MajorAmount, currency: Currency) -> Option<i64> {
        let minor = self.minor(Field::Amount, amount, currency)?;
        if minor == 0 {
            self.invalid(Field::Amount, "must be more than 0");
        }
        Some(minor)
    }
}
