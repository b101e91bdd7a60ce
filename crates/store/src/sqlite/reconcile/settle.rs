//! Settles differences between the ledger and a gateway, one after the other in one transaction.

use payment_runs_engine::account::{Account, Stamps};
use payment_runs_engine::charge_key::{self, Collected};
use payment_runs_engine::collect::outcome_listed;
use payment_runs_engine::ids::{AccountId, EntityKey, PaymentId};
use payment_runs_engine::money::Money;
use payment_runs_engine::payment::{GatewayAnswer, Payment, PaymentKind, PaymentPart, PaymentState};
use payment_runs_engine::ports::{
    Differences, Ids, ListedCharge, ListedState, NotSentCause, Outcome, Settlement,
};
use payment_runs_engine::reconcile::{
    AccountBooks, Adoption, Difference, Finding, KnownPayment, Remedy, adopt,
};
use payment_runs_engine::run_rules::time_zone;
use rusqlite::{Connection, params};

use super::unmatched;
use crate::sqlite::access;
use crate::sqlite::events::{Event, EventKind, append};
use crate::sqlite::failure::Failure;
use crate::sqlite::row::{self, payment::Backing};
use crate::sqlite::sequence::{Sequence, next_text};
use crate::sqlite::sql::{BlobId, execute, first, time};
use crate::sqlite::work::balances;
use crate::sqlite::work::settle::{Mode, settle_all};

/// The account that a charge names, with its entity.
struct Payer {
    entity: EntityKey,
    account: Account,
}

/// How an adopted payment is written.
struct Taking<'a> {
    charge: &'a ListedCharge,
    money: Money,
    parts: Vec<PaymentPart>,
    standalone: bool,
}

pub(super) struct Settler<'a> {
    db: &'a Connection,
    work: &'a Differences,
    ids: &'a dyn Ids,
}

impl<'a> Settler<'a> {
    pub(super) fn new(db: &'a Connection, work: &'a Differences, ids: &'a dyn Ids) -> Self {
        Self { db, work, ids }
    }

    /// Settles every difference. What a person was told before is left out.
    pub(super) fn settle_all(&self) -> Result<Vec<Finding>, Failure> {
        let mut findings = Vec::with_capacity(self.work.differences.len());
        for difference in &self.work.differences {
            let settled = match difference {
                Difference::Unknown(charge) => self.take_over(charge)?,
                Difference::Extra(charge, payment) => Some(self.take_extra(charge, payment)?),
                Difference::InDoubt(charge, payment) => Some(self.settle_doubt(charge, payment)?),
                Difference::Contradiction(_, payment) | Difference::NotListed(payment) => {
                    Some((self.number_of(payment.entity, payment.account)?, Remedy::Reported))
                }
            };
            findings.extend(settled.map(|(account, remedy)| Finding {
                gateway: self.work.gateway,
                difference: difference.clone(),
                account,
                remedy,
            }));
        }
        Ok(findings)
    }

    fn number_of(&self, entity: EntityKey, account: AccountId) -> Result<Option<String>, Failure> {
        Ok(row::account::by_id(self.db, entity, account)?.map(|account| account.number))
    }

    /// Gives a payment in doubt the outcome that the gateway tells.
    fn settle_doubt(
        &self,
        charge: &ListedCharge,
        payment: &KnownPayment,
    ) -> Result<(Option<String>, Remedy), Failure> {
        if charge.money.is_some_and(|money| money != payment.money) && self.gives_up_plan(payment)? {
            return Ok(self.take_over(charge)?.unwrap_or((None, Remedy::Reported)));
        }
        let number = self.number_of(payment.entity, payment.account)?;
        let key = payment.key.as_deref().unwrap_or_default();
        let Some(outcome) = outcome_listed(charge, key, payment.money) else {
            return Ok((number, Remedy::Reported));
        };
        let settlement = Settlement { payment: payment.id, outcome };
        settle_all(self.db, payment.entity, self.work.now, &[settlement], Mode::LookUp)?;
        let state = row::payment::bare_by_id(self.db, payment.entity, payment.id)?.map(|one| one.state);
        let remedy = match state {
            Some(state) if state != payment.state => Remedy::Settled(state),
            _ => Remedy::Reported,
        };
        Ok((number, remedy))
    }

    /// Gives up a payment of another amount that was planned after a restore, under the key of an earlier charge. Nothing was sent
    /// for it: nothing is, before the gateway's charges were compared. Says whether it was one.
    fn gives_up_plan(&self, payment: &KnownPayment) -> Result<bool, Failure> {
        let sql = "SELECT 1 FROM payment WHERE entity = ?1 AND id = ?2 AND is_uncompared = 1";
        let values = params![payment.entity.0, payment.id.to_blob()];
        if first(self.db, sql, values, |_| Ok(()))?.is_none() {
            return Ok(false);
        }
        let why = "the gateway has charged another amount before the ledger was restored".to_owned();
        let outcome = Outcome::NotSent { cause: NotSentCause::LedgerRestored, why };
        let settlement = Settlement { payment: payment.id, outcome };
        Ok(settle_all(self.db, payment.entity, self.work.now, &[settlement], Mode::LookUp)? == 1)
    }

    /// Makes a payment of a charge that the ledger does not know.
    fn take_over(&self, charge: &ListedCharge) -> Result<Option<(Option<String>, Remedy)>, Failure> {
        if self.is_noted(charge)? {
            return Ok(None);
        }
        let (Some(payer), Some(money)) = (self.find_payer(charge)?, charge.money.filter(is_positive)) else {
            self.note(charge)?;
            return Ok(Some((None, Remedy::Noted)));
        };
        let number = Some(payer.account.number.clone());
        if charge.key.is_none() {
            return Ok(Some((
                number,
                self.take_again(charge, &payer, money, "its key has a charge already")?,
            )));
        }
        let books = self.books(&payer, charge, money)?;
        let digest = |documents: &[_]| (self.work.digest)(documents);
        let adoption = adopt(charge, money, &books, &digest);
        let (parts, standalone, unmatched) = match adoption {
            Adoption::Documents(parts) => (parts, false, None),
            Adoption::Standalone => (Vec::new(), true, None),
            Adoption::Unmatched(why) => (Vec::new(), false, Some(why).filter(|_| charge.state.moves_money())),
        };
        let taking = Taking { charge, money, parts, standalone };
        let payment = self.adopt(&payer, &taking)?;
        let remedy = match unmatched {
            Some(why) => {
                self.hold_documents(&payer, &payment)?;
                Remedy::Unmatched { number: payment.number, why }
            }
            None => self.adopted(&payer, payment)?,
        };
        Ok(Some((number, remedy)))
    }

    /// Money that moved although the key has its payment already.
    fn take_extra(
        &self,
        charge: &ListedCharge,
        payment: &KnownPayment,
    ) -> Result<(Option<String>, Remedy), Failure> {
        let account = row::account::by_id(self.db, payment.entity, payment.account)?;
        let (Some(account), Some(money)) = (account, charge.money.filter(is_positive)) else {
            return Ok((None, Remedy::Reported));
        };
        let payer = Payer { entity: payment.entity, account };
        let why = format!("the ledger has the payment {} under its key", payment.number);
        let remedy = self.take_again(charge, &payer, money, &why)?;
        Ok((Some(payer.account.number), remedy))
    }

    /// Makes an unapplied payment of a charge under a key that another charge has. What is not approved yet is left for the next
    /// reconciliation, since it could not be looked up.
    fn take_again(
        &self,
        charge: &ListedCharge,
        payer: &Payer,
        money: Money,
        why: &str,
    ) -> Result<Remedy, Failure> {
        if charge.state != ListedState::Approved {
            return Ok(Remedy::Reported);
        }
        let taking = Taking { charge, money, parts: Vec::new(), standalone: false };
        let mut payment = self.to_payment(payer, &taking)?;
        payment.charge_key = None;
        payment.state = PaymentState::Processed;
        payment.unapplied_minor = money.minor;
        payment.answer.reference = Some(charge.reference.clone());
        payment.settled_at = Some(self.work.now);
        self.insert(payer, &payment, &Backing::default())?;
        self.hold_documents(payer, &payment)?;
        Ok(Remedy::Unmatched { number: payment.number, why: why.to_owned() })
    }

    /// Writes an intent that was sent elsewhere and gives it the outcome that the gateway tells. Its body is not known: the charge
    /// can be looked up, and never be delivered.
    fn adopt(&self, payer: &Payer, taking: &Taking<'_>) -> Result<Payment, Failure> {
        let (db, entity) = (self.db, payer.entity);
        let payment = self.to_payment(payer, taking)?;
        let key = payment.charge_key.clone().unwrap_or_default();
        let backing = Backing { charge: Some((key.clone(), [].into())), ..Backing::default() };
        self.insert(payer, &payment, &backing)?;
        let mut hold = balances::Hold::prepare(db)?;
        for part in &payment.parts {
            hold.hold(entity, payment.account, part.document, payment.id)?;
        }
        if let Some(outcome) = outcome_listed(taking.charge, &key, taking.money) {
            let settlement = Settlement { payment: payment.id, outcome };
            settle_all(db, entity, self.work.now, &[settlement], Mode::LookUp)?;
        }
        self.count_answered(entity, &key)?;
        Ok(payment)
    }

    /// What an adopted payment has become.
    fn adopted(&self, payer: &Payer, payment: Payment) -> Result<Remedy, Failure> {
        let stored = row::payment::bare_by_id(self.db, payer.entity, payment.id)?;
        let mut documents = Vec::with_capacity(payment.parts.len());
        for part in &payment.parts {
            documents
                .extend(row::document::by_id(self.db, payer.entity, part.document)?.map(|one| one.number));
        }
        let unapplied_minor = stored.map_or(0, |one| one.unapplied_minor);
        Ok(Remedy::Adopted { number: payment.number, documents, unapplied_minor })
    }

    fn insert(&self, payer: &Payer, payment: &Payment, backing: &Backing) -> Result<(), Failure> {
        let (db, entity) = (self.db, payer.entity);
        row::payment::insert(db, entity, payment, backing)?;
        let sql = "UPDATE payment SET is_adopted = 1, is_uncompared = 0, bars_delivery = 1 WHERE entity = ?1 AND id = ?2";
        execute(db, sql, params![entity.0, payment.id.to_blob()])?;
        let mut events =
            vec![Event::payment(EventKind::PaymentCreated, payment, None, payment.comment.clone())];
        if !payment.state.is_in_doubt() {
            events.push(Event::payment(EventKind::PaymentSettled, payment, None, None));
        }
        append(db, entity, self.work.now, &events)
    }

    fn to_payment(&self, payer: &Payer, taking: &Taking<'_>) -> Result<Payment, Failure> {
        let (charge, entity) = (taking.charge, payer.entity);
        let zone = time_zone(&access::settings(self.db, entity)?);
        let created_by = payer.account.stamps.created_by;
        Ok(Payment {
            id: PaymentId::from_u128(self.ids.next_id()),
            number: next_text(self.db, entity, Sequence::Payment)?,
            account: payer.account.id,
            run: None,
            kind: PaymentKind::Electronic,
            state: PaymentState::Intent,
            currency: taking.money.currency,
            amount_minor: taking.money.minor,
            unapplied_minor: 0,
            payment_method: None,
            gateway: Some(self.work.gateway),
            charge_key: charge.key.clone(),
            answer: GatewayAnswer::default(),
            effective_date: charge.created_at.to_zoned(zone).date(),
            reference_id: None,
            comment: Some(format!("taken over from the gateway's charge {}", charge.reference)),
            standalone: taking.standalone,
            settled_at: None,
            parts: taking.parts.clone(),
            // The key is as old as the charge.
            stamps: Stamps { updated_at: self.work.now, ..Stamps::new(charge.created_at, created_by) },
        })
    }

    fn find_payer(&self, charge: &ListedCharge) -> Result<Option<Payer>, Failure> {
        let entity = charge.subject.entity.unwrap_or(EntityKey::FIRST);
        let Some(account) = charge.subject.account else { return Ok(None) };
        Ok(row::account::by_id(self.db, entity, account)?.map(|account| Payer { entity, account }))
    }

    fn books(&self, payer: &Payer, charge: &ListedCharge, money: Money) -> Result<AccountBooks, Failure> {
        let named = match charge.subject.document {
            Some(document) => row::document::by_id(self.db, payer.entity, document)?,
            None => None,
        };
        let named = named.map(|document| unmatched::own_hold(self.db, document)).transpose()?;
        let open = row::document::open_of_account(self.db, payer.entity, payer.account.id)?;
        let open = open.into_iter().filter(|one| one.currency == money.currency);
        let open = open.map(|document| unmatched::own_hold(self.db, document)).collect::<Result<_, _>>()?;
        Ok(AccountBooks { named, open })
    }

    /// Counts a charge under a document's keys, so that the next one has another key.
    fn count_answered(&self, entity: EntityKey, key: &str) -> Result<(), Failure> {
        let Some(Collected::Document { document, charges_answered }) = charge_key::parse(key) else {
            return Ok(());
        };
        let sql =
            "UPDATE document SET charges_answered = max(charges_answered, ?3) WHERE entity = ?1 AND id = ?2";
        execute(self.db, sql, params![entity.0, document.to_blob(), charges_answered.saturating_add(1)])
            .map(drop)
    }

    /// Holds the account's documents in the payment's currency, and lets nothing be delivered for them that is in doubt.
    fn hold_documents(&self, payer: &Payer, payment: &Payment) -> Result<(), Failure> {
        let sql =
            "INSERT INTO unmatched_payment (entity, account, currency, payment) VALUES (?1, ?2, ?3, ?4)";
        let (account, currency) = (payer.account.id.to_blob(), payment.currency.code().to_owned());
        execute(self.db, sql, params![payer.entity.0, account, currency, payment.id.to_blob()])?;
        let sql = "UPDATE payment SET bars_delivery = 1 \
                   WHERE entity = ?1 AND account = ?2 AND currency = ?3 AND state < 3";
        execute(self.db, sql, params![payer.entity.0, account, currency]).map(drop)
    }

    fn is_noted(&self, charge: &ListedCharge) -> Result<bool, Failure> {
        let sql = "SELECT 1 FROM noted_charge WHERE gateway = ?1 AND reference = ?2";
        let values = params![self.work.gateway.to_blob(), charge.reference];
        Ok(first(self.db, sql, values, |_| Ok(()))?.is_some())
    }

    fn note(&self, charge: &ListedCharge) -> Result<(), Failure> {
        let sql = "INSERT INTO noted_charge (gateway, reference, key, currency, amount_minor, at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![
            self.work.gateway.to_blob(),
            charge.reference,
            charge.key,
            charge.money.map(|money| money.currency.code().to_owned()),
            charge.money.map(|money| money.minor),
            time(self.work.now),
        ];
        execute(self.db, sql, values).map(drop)
    }
}

fn is_positive(money: &Money) -> bool {
    money.minor > 0
}
