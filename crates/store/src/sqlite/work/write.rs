//! The first transaction of the protocol: a plan, written whole before anything is sent.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::account::Stamps;
use payment_runs_engine::charge_key;
use payment_runs_engine::ids::{EntityKey, LedgerId, PaymentMethodId};
use payment_runs_engine::money::Money;
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentKind, PaymentPart, PaymentState};
use payment_runs_engine::payment_method::{PaymentMethod, PaymentMethodKind};
use payment_runs_engine::plan::{ChunkPlan, ChunkView, CreditSource, PlannedPayment, RecordOutcome};
use payment_runs_engine::ports::{Charge, ChargeRequest, ChargeSubject, ChunkClaim, EncodeCharge, Intent};
use payment_runs_engine::run_rules::time_zone;
use rusqlite::{Connection, params};

use super::balances;
use crate::sqlite::access::ledger_id;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row::{self, payment::Backing};
use crate::sqlite::sequence::{Sequence, reserve};
use crate::sqlite::sql::{BlobId, execute_one, time};

/// A plan with all that is needed to write it.
pub(crate) struct Writer<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) claim: &'a ChunkClaim,
    pub(crate) ordinal: u32,
    pub(crate) view: &'a ChunkView,
    pub(crate) now: Timestamp,
    pub(crate) encoder: &'a dyn EncodeCharge,
}

impl Writer<'_> {
    /// Writes the plan and gives its intents.
    pub(crate) fn write(&self, plan: &ChunkPlan) -> Result<Vec<Intent>, Failure> {
        let (db, entity, run) = (self.db, self.entity(), self.claim.run);
        row::decision::insert_all(db, entity, run, self.ordinal, &plan.decisions)?;
        self.write_credits(plan)?;
        let intents = self.write_payments(&plan.payments)?;
        self.write_records(&plan.records)?;
        for (currency, tally) in &plan.tallies {
            row::tally::add(db, entity, run, self.ordinal, *currency, tally)?;
        }
        let planned = Event {
            chunk: Some(self.ordinal),
            detail: Some(format!(
                "{} documents, {} credits, {} payments",
                plan.decisions.len(),
                plan.credit_uses.len(),
                plan.payments.len()
            )),
            ..Event::run(EventKind::ChunkPlanned, run, None)
        };
        append(db, entity, self.now, &[planned])?;
        Ok(intents)
    }

    fn entity(&self) -> EntityKey {
        self.claim.entity
    }

    /// Applies the credits: what a source gives, a document gets.
    fn write_credits(&self, plan: &ChunkPlan) -> Result<(), Failure> {
        let (db, entity, now) = (self.db, self.entity(), self.now);
        for credit in &plan.credit_uses {
            let amount_minor = credit.amount_minor;
            match credit.source {
                CreditSource::CreditMemo(memo) => {
                    balances::take_from_memo(db, entity, credit.account, memo, amount_minor, now)?;
                }
                CreditSource::UnappliedPayment(payment) => {
                    balances::take_from_payment(db, entity, payment, amount_minor, now)?;
                    let part = PaymentPart { document: credit.document, amount_minor };
                    row::payment::add_part(db, entity, payment, &part)?;
                }
                CreditSource::CreditBalance(account) => {
                    balances::take_from_account(db, entity, account, amount_minor, now)?;
                }
            }
            let is_payment = matches!(credit.source, CreditSource::UnappliedPayment(_));
            let (account, document) = (credit.account, credit.document);
            balances::credit(db, entity, account, document, amount_minor, is_payment, now)?;
        }
        row::decision::insert_credits(db, entity, self.claim.run, self.ordinal, &plan.credit_uses, time(now))
    }

    /// Writes the intents with their exact bodies, and holds their documents.
    fn write_payments(&self, planned: &[PlannedPayment]) -> Result<Vec<Intent>, Failure> {
        if planned.is_empty() {
            return Ok(Vec::new());
        }
        let (db, entity) = (self.db, self.entity());
        let ledger = ledger_id(db)?;
        let first_number = reserve(db, entity, Sequence::Payment, planned.len())?;
        let effective_date = self.now.to_zoned(time_zone(&self.view.rules.settings)).date();
        let mut insert = row::payment::prepare_insert(db)?;
        let mut insert_part = row::payment::prepare_insert_part(db)?;
        let mut hold = balances::Hold::prepare(db)?;
        let mut intents = Vec::with_capacity(planned.len());
        for (number, plan) in (first_number..).zip(planned) {
            let payment = self.to_payment(plan, Sequence::Payment.text(number), effective_date);
            let mut charges_answered = Vec::with_capacity(payment.parts.len());
            for part in &payment.parts {
                charges_answered.push(hold.hold(entity, payment.account, part.document, payment.id)?);
            }
            let key = self.key_of(ledger, plan, charges_answered.first().copied());
            let request = self.to_request(ledger, plan, key);
            let backing = Backing {
                chunk: Some(self.ordinal),
                records_counted: plan.records_counted,
                charge: Some((request.idempotency_key.clone(), Arc::clone(&request.body))),
                next_look_up_at: None,
            };
            row::payment::insert_with(&mut insert, entity, &payment, &backing)?;
            row::payment::insert_parts(&mut insert_part, entity, &payment)?;
            self.write_record_shares(plan)?;
            intents.push(Intent {
                entity,
                payment: payment.id,
                state: PaymentState::Intent,
                gateway: plan.gateway,
                request,
                created_at: self.now,
                look_ups: 0,
                deliveries: 0,
                may_have_been_sent: false,
                run_stopped: false,
                bars_delivery: false,
            });
        }
        Ok(intents)
    }

    fn to_payment(&self, plan: &PlannedPayment, number: String, effective_date: Date) -> Payment {
        Payment {
            id: plan.id,
            number,
            account: plan.account,
            run: Some(self.claim.run),
            kind: PaymentKind::Electronic,
            state: PaymentState::Intent,
            currency: plan.currency,
            amount_minor: plan.amount_minor,
            unapplied_minor: 0,
            payment_method: Some(plan.payment_method),
            gateway: Some(plan.gateway),
            charge_key: None,
            answer: GatewayAnswer::default(),
            effective_date,
            reference_id: None,
            comment: plan.comment.clone(),
            standalone: plan.standalone,
            settled_at: None,
            parts: plan.parts.clone(),
            stamps: Stamps::new(self.now, self.view.rules.run.stamps.created_by),
        }
    }

    /// The key of a planned payment: of its first document, whose answered charges are given, or of its data record.
    fn key_of(&self, ledger: LedgerId, plan: &PlannedPayment, charges_answered: Option<u32>) -> String {
        match (plan.parts.first(), charges_answered) {
            (Some(part), Some(count)) => charge_key::of_document(ledger, part.document, count),
            _ => charge_key::of_record(ledger, self.claim.run, plan.record.unwrap_or_default()),
        }
    }

    fn to_request(&self, ledger: LedgerId, plan: &PlannedPayment, key: String) -> ChargeRequest {
        let money = Money::new(plan.amount_minor, plan.currency);
        let method = self.method_of(plan);
        let charge = Charge {
            gateway: plan.gateway,
            key: key.clone(),
            money,
            token: plan.token.clone(),
            customer: method.and_then(|method| method.instrument.customer.clone()),
            method_kind: method.map_or(PaymentMethodKind::CreditCard, |method| method.kind),
            subject: ChargeSubject {
                ledger,
                entity: self.entity(),
                account: plan.account,
                documents: plan.parts.iter().map(|part| part.document).collect(),
            },
        };
        ChargeRequest { idempotency_key: key, money, body: self.encoder.encode(&charge).into() }
    }

    /// The method that is charged; the plan took it from the view.
    fn method_of(&self, plan: &PlannedPayment) -> Option<&PaymentMethod> {
        let id: PaymentMethodId = plan.payment_method;
        let index = self.view.accounts.binary_search_by_key(&plan.account, |view| view.account.id);
        let account = index.ok().map(|index| &self.view.accounts[index]);
        let own = account.and_then(|view| view.payment_methods.iter().find(|method| method.id == id));
        let record = plan.record.and_then(|position| {
            self.view.records.iter().find(|record| record.position == position)?.payment_method.as_ref()
        });
        own.or(record.filter(|method| method.id == id))
    }

    fn write_record_shares(&self, plan: &PlannedPayment) -> Result<(), Failure> {
        for share in &plan.record_shares {
            let sql = "INSERT INTO payment_record (entity, run, position, payment, amount_minor) \
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let values = params![
                self.entity().0,
                self.claim.run.to_blob(),
                share.position,
                plan.id.to_blob(),
                share.amount_minor
            ];
            execute_one(self.db, sql, values, "note a record's payment")?;
        }
        Ok(())
    }

    fn write_records(&self, outcomes: &[RecordOutcome]) -> Result<(), Failure> {
        for outcome in outcomes {
            let sql = "UPDATE run_record SET is_decided = 1, error_code = ?4, error_message = ?5, amount_minor = ?6, \
                       currency = ?7 WHERE entity = ?1 AND run = ?2 AND position = ?3";
            let (code, message) = outcome.error.clone().unzip();
            let (amount, currency) = outcome.amount_to_collect.unzip();
            let values = params![
                self.entity().0,
                self.claim.run.to_blob(),
                outcome.position,
                code,
                message,
                amount,
                currency.map(|one| one.code().to_owned()),
            ];
            execute_one(self.db, sql, values, "decide a record")?;
        }
        Ok(())
    }
}
