//! Commands: each checked as a whole, refused with every reason at once, and carried out in its transaction.

mod account;
mod credit;
mod document;
mod import;
mod load;
mod payment;
mod payment_method;
mod run;
mod schedule;

use jiff::Timestamp;
use payment_runs_engine::account::{Scope, Stamps};
use payment_runs_engine::command::{Command, NewRun, Output, Request};
use payment_runs_engine::ids::{AccountId, EntityKey, Key, PaymentId, UserId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::naming::{ACCOUNT_NUMBER_CHARS_MAX, NUMBER_CHARS_MAX, name_faults};
use payment_runs_engine::ports::{EncodeCharge, Executed, Ids, Once, Replay};
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use payment_runs_engine::run::Run;
use rusqlite::Connection;

pub(crate) use import::take_lines;
pub(crate) use load::load;
#[cfg(test)]
pub(super) use schedule::ACTIVE as ACTIVE_SCHEDULES;

use super::access;
use super::failure::Failure;
use super::once;
use super::row;
use super::sequence::{Sequence, next_text, pass};

/// Numbers that a sequence gives in vain, because callers chose them before, until a command gives up.
const NUMBERS_TRIED_MAX: usize = 16;

/// A command at work: where it writes, for whom, and why it is refused so far.
pub(super) struct Desk<'a> {
    pub(super) db: &'a Connection,
    pub(super) scope: &'a Scope,
    pub(super) user: UserId,
    pub(super) now: Timestamp,
    pub(super) ids: &'a dyn Ids,
    refusals: Vec<Refusal>,
}

impl Desk<'_> {
    pub(super) fn entity(&self) -> EntityKey {
        self.scope.entity
    }

    pub(super) fn stamps(&self) -> Stamps {
        Stamps::new(self.now, self.user)
    }

    /// The stamps of an object that is changed now.
    pub(super) fn restamp(&self, stamps: &mut Stamps) {
        stamps.updated_at = self.now;
        stamps.updated_by = self.user;
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    pub(super) fn refuse_all(&mut self, refusals: Vec<Refusal>) {
        self.refusals.extend(refusals);
    }

    pub(super) fn invalid(&mut self, field: Field, message: &str) {
        self.refuse(Refusal::Invalid { field, message: message.to_owned() });
    }

    /// Refuses a currency in which the entity makes nothing new.
    pub(super) fn check_currency(&mut self, currency: Currency) -> Result<(), Failure> {
        self.refusals.extend(access::settings(self.db, self.entity())?.check_currency(currency));
        Ok(())
    }

    /// What was found, or one more reason to refuse.
    pub(super) fn need<T>(&mut self, found: Option<T>, noun: Noun, key: &str, field: Field) -> Option<T> {
        if found.is_none() {
            self.refuse(Refusal::NotFound { noun, key: key.to_owned(), field });
        }
        found
    }

    /// The object that the path names; without it there is nothing else to check.
    pub(super) fn need_path<T>(found: Option<T>, noun: Noun, key: &Key) -> Result<T, Failure> {
        found.ok_or_else(|| {
            Refusal::NotFound { noun, key: key.as_str().to_owned(), field: Field::Path }.into()
        })
    }

    /// Ends the checks: refused with everything that was found, or free to write.
    pub(super) fn checked(&mut self) -> Result<(), Failure> {
        if self.refusals.is_empty() {
            return Ok(());
        }
        Err(Failure::Refused(std::mem::take(&mut self.refusals)))
    }

    /// Notes what is wrong with a name or number that the caller gives.
    pub(super) fn check_name(&mut self, field: Field, text: &str, chars_max: usize) {
        for fault in name_faults(text, chars_max) {
            self.invalid(field, &fault.to_string());
        }
    }

    /// Notes what is wrong with a number that the caller gives to an object of this kind.
    pub(super) fn check_number(&mut self, noun: Noun, number: &str) {
        let chars_max = if noun == Noun::Account { ACCOUNT_NUMBER_CHARS_MAX } else { NUMBER_CHARS_MAX };
        self.check_name(Field::Number, number, chars_max);
    }

    /// The number that the caller chose, refused where it is taken, or the next free one of the sequence. The sequence
    /// may move although the command is refused afterwards, since a refused command is rolled back whole.
    pub(super) fn number(
        &mut self,
        chosen: Option<String>,
        sequence: Sequence,
        noun: Noun,
        is_taken: impl Fn(&Connection, &str) -> Result<bool, Failure>,
    ) -> Result<String, Failure> {
        if let Some(number) = chosen {
            self.check_number(noun, &number);
            if is_taken(self.db, &number)? {
                self.refuse(Refusal::NumberTaken { noun, number: number.clone() });
            }
            pass(self.db, self.entity(), sequence, &number)?;
            return Ok(number);
        }
        for _ in 0..NUMBERS_TRIED_MAX {
            let number = next_text(self.db, self.entity(), sequence)?;
            if !is_taken(self.db, &number)? {
                return Ok(number);
            }
        }
        Err(Failure::broken("a sequence gave only numbers that are taken"))
    }
}

/// Carries a command out, together with its idempotency record.
pub(crate) fn execute(
    db: &Connection,
    request: Request,
    mut once: Option<Once>,
    encoder: &dyn EncodeCharge,
    ids: &dyn Ids,
) -> Result<Executed, Failure> {
    let known = match &once {
        Some(once) => once::find(db, &once.key, request.now)?,
        None => Replay::New,
    };
    match known {
        Replay::New => {}
        Replay::InFlight | Replay::Settled(_) if continues_claim(&request.command) => {}
        Replay::Settled(payment) => return answer_settled(db, &request, payment, &mut once),
        Replay::Answered(response) => return Ok(Executed::Replayed(response)),
        Replay::InFlight => return Ok(Executed::InFlight),
        Replay::Mismatch => return Ok(Executed::Mismatch),
    }
    let entity = request.scope.entity;
    let output = carry_out(db, request, encoder, ids)?;
    if let Some(once) = once {
        // The charge of a single payment is still to come: until its outcome is recorded under the same key, a
        // repetition of the request is told to wait.
        match &output {
            Output::PaymentIntent(payment, _) => {
                once::put_waiting(db, &once.key, once.expires_at, entity, payment.id)?;
            }
            output => once::put(db, &once.key, once.expires_at, Some(&(once.encode)(output)))?,
        }
    }
    Ok(Executed::Fresh(output))
}

/// Answers a request that was cut off after its payment was written, now that somebody else has found out what came of it.
/// The answer is what the request would have been told, and is kept under its key.
fn answer_settled(
    db: &Connection,
    request: &Request,
    payment: PaymentId,
    once: &mut Option<Once>,
) -> Result<Executed, Failure> {
    let found = row::payment::by_id(db, request.scope.entity, payment)?;
    let (Some(payment), Some(once), Command::CreatePayment(_)) = (found, once.take(), &request.command)
    else {
        return Ok(Executed::InFlight);
    };
    let output = Output::Payment(payment);
    once::put(db, &once.key, once.expires_at, Some(&(once.encode)(&output)))?;
    Ok(Executed::Fresh(output))
}

/// Whether the caller of this command may have claimed the key itself, because it talked to a gateway first: to make a
/// token of a card, or to send the charge whose outcome it now brings.
fn continues_claim(command: &Command) -> bool {
    matches!(command, Command::CreateAccount(_) | Command::CreatePaymentMethod(_) | Command::SettlePayment(_))
}

/// Checks a new run as its creation would, and gives it as it would be stored, with the accounts that its records name.
/// Nothing is written.
pub(crate) fn draft_run(
    db: &Connection,
    scope: &Scope,
    user: UserId,
    now: Timestamp,
    ids: &dyn Ids,
    new: &NewRun,
) -> Result<(Run, Vec<Option<AccountId>>), Failure> {
    let mut desk = Desk { db, scope, user, now, ids, refusals: Vec::new() };
    let run = run::draft(&mut desk, new)?;
    let accounts = run::record_accounts(&desk, &new.records)?;
    Ok((run, accounts))
}

fn carry_out(
    db: &Connection,
    request: Request,
    encoder: &dyn EncodeCharge,
    ids: &dyn Ids,
) -> Result<Output, Failure> {
    let Request { scope, user, now, command } = request;
    let mut desk = Desk { db, scope: &scope, user, now, ids, refusals: Vec::new() };
    match command {
        Command::CreateAccount(new) => account::create(&mut desk, new),
        Command::UpdateAccount(key, change) => account::update(&mut desk, &key, change),
        Command::CreatePaymentMethod(new) => payment_method::create(&mut desk, new),
        Command::UpdatePaymentMethod(key, change) => payment_method::update(&mut desk, &key, &change),
        Command::ScrubPaymentMethod(key) => payment_method::scrub(&mut desk, &key),
        Command::CreateDocument(new) => document::create(&mut desk, new),
        Command::PostDocument(kind, key) => document::post(&mut desk, kind, &key),
        Command::CreateCreditMemo(new) => credit::create(&mut desk, new),
        Command::PostCreditMemo(key) => credit::post(&mut desk, &key),
        Command::CreatePayment(new) => payment::create(&mut desk, new, encoder),
        Command::SettlePayment(settlement) => payment::settle(&mut desk, &settlement),
        Command::CreateRun(new) => run::create(&mut desk, &new),
        Command::UpdateRun(key, change) => run::update(&mut desk, &key, &change),
        Command::DeleteRun(key, policy) => run::delete(&mut desk, &key, policy),
        Command::CancelRun(key) => run::cancel(&mut desk, &key),
        Command::CreateSchedule(new) => schedule::create(&mut desk, new),
        Command::UpdateSchedule(key, change) => schedule::update(&mut desk, &key, change),
        Command::EndSchedule(key) => schedule::end(&mut desk, &key),
        Command::StopRun(key) => run::stop(&mut desk, &key),
        Command::ResolvePayment(key, resolution) => payment::resolve(&mut desk, &key, &resolution),
        Command::CreateImport(new) => import::create(&mut desk, new),
    }
}
