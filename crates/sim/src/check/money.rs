//! Charges, payments, documents and credits: what was taken is what was given.

use std::collections::{BTreeMap, BTreeSet};

use super::Books;
use super::rows::{DECLINED, Id, PROCESSED, PaymentRow};
use crate::bank::Entry;
use crate::restore::token_anew;

/// The kinds of credit sources, as they are stored.
const MEMO: i64 = 0;
const UNAPPLIED: i64 = 1;
const BALANCE: i64 = 2;

impl Books<'_> {
    /// Every approved charge has its one processed payment, and no document was charged more often than it should.
    pub(super) fn check_charges(&mut self) {
        let mut wrong = Vec::new();
        let mut approved: BTreeMap<&str, u32> = BTreeMap::new();
        let mut charged: BTreeMap<Id, i64> = BTreeMap::new();
        for entry in self.ground.entries.iter().filter(|entry| entry.is_approved(self.ground.now)) {
            let times = approved.entry(entry.reference.as_str()).or_default();
            *times += 1;
            if *times == 2 {
                wrong.push(format!("{} was charged twice", entry.reference));
            }
            match self.rows.payment_of(&entry.reference) {
                None => wrong.push(format!("an approved charge is lost: {} has no payment", entry.reference)),
                Some(payment) => {
                    wrong.extend(self.check_charge(entry, payment));
                    for (document, amount) in &payment.parts {
                        *charged.entry(*document).or_default() += amount;
                    }
                }
            }
        }
        for document in &self.rows.documents {
            let charged = charged.get(&document.id).copied().unwrap_or_default();
            if charged + document.credited > document.amount {
                wrong.push(format!("{} was charged {charged} of {}", document.number, document.amount));
            }
        }
        wrong.extend(self.check_subjects());
        self.fail_all(wrong);
    }

    /// What the bank has collected, whatever our books make of it: for a document alone not more than the document's amount,
    /// and for the documents of an account in a currency not more than their amounts. An account is left out where a charge names a
    /// document that a restored ledger has lost, since its amount is not known any more.
    fn check_subjects(&self) -> Vec<String> {
        let mut collected: BTreeMap<Id, i64> = BTreeMap::new();
        let mut of_accounts: BTreeMap<(Id, &str), i64> = BTreeMap::new();
        let mut with_lost_documents: BTreeSet<Id> = BTreeSet::new();
        let owner = |id: Id| self.rows.documents.iter().find(|one| one.id == id).map(|one| one.account);
        for entry in self.ground.entries.iter().filter(|entry| entry.is_approved(self.ground.now)) {
            let documents = entry.run_documents();
            let Some(account) = documents.first().and_then(|one| owner(one.to_bytes())) else { continue };
            *of_accounts.entry((account, &entry.currency)).or_default() += entry.amount_minor;
            if documents.iter().any(|one| owner(one.to_bytes()).is_none()) {
                with_lost_documents.insert(account);
            }
            if let [document] = documents {
                *collected.entry(document.to_bytes()).or_default() += entry.amount_minor;
            }
        }
        for document in &self.rows.documents {
            if let Some(left) = of_accounts.get_mut(&(document.account, &*document.currency)) {
                *left -= document.amount;
            }
        }
        let amount_of = |id: &Id| collected.get(id).copied().unwrap_or_default();
        let over = self.rows.documents.iter().filter(|one| amount_of(&one.id) > one.amount);
        let of_documents = over
            .map(|one| format!("the bank has {} for {} of {}", amount_of(&one.id), one.number, one.amount));
        let is_over =
            |((account, _), left): &(&(Id, &str), &i64)| **left > 0 && !with_lost_documents.contains(account);
        let over = of_accounts.iter().filter(is_over);
        let of_accounts = over.map(|((account, currency), left)| {
            format!("the bank has {left} {currency} too much of account {}", u128::from_be_bytes(*account))
        });
        of_documents.chain(of_accounts).collect()
    }

    fn check_charge(&self, entry: &Entry, payment: &PaymentRow) -> Vec<String> {
        let mut wrong = Vec::new();
        if entry.is_wrong {
            // A person must see it, and none of the simulated ones settles it. A crash may lose what the gateway reported; where it
            // cannot be asked again, the payment is in doubt without the reason.
            let is_reported = payment.bars_delivery || !self.ground.supports_look_up;
            if !payment.is_in_doubt() || !is_reported {
                wrong.push(format!("{} was charged another amount, which is believed", payment.number));
            }
            return wrong;
        }
        if payment.state != PROCESSED && !self.may_be_in_doubt(payment) {
            wrong.push(format!(
                "an approved charge is lost: {} is in state {}",
                payment.number, payment.state
            ));
        }
        let account = u128::from_be_bytes(payment.account);
        let is_of_account = [format!("tok_{account}"), token_anew(account)].contains(&entry.token);
        let is_charged = (payment.amount, payment.currency.as_str()) == (entry.amount_minor, &entry.currency);
        // After a restore a plan may stand under the key of a charge of another amount: a person must settle it.
        let is_left_to_a_person = self.ground.may_be_restored && self.may_be_in_doubt(payment);
        if !is_of_account || !(is_charged || is_left_to_a_person) {
            wrong.push(format!("{} is not what was charged: {entry:?}", payment.number));
        }
        wrong
    }

    /// Every processed electronic payment was charged, every payment adds up, and nothing stays in doubt without need.
    pub(super) fn check_payments(&mut self) {
        let mut wrong = Vec::new();
        let approved = self.ground.entries.iter().filter(|one| one.is_approved(self.ground.now));
        let charged: BTreeSet<&str> = approved.map(|one| one.reference.as_str()).collect();
        let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
        let mut asked: BTreeMap<&str, &str> = BTreeMap::new();
        for payment in self.rows.payments.values() {
            let number = &payment.number;
            let is_charged = payment.key.as_deref().is_some_and(|key| charged.contains(key));
            if payment.is_electronic && payment.state == PROCESSED && !is_charged {
                wrong.push(format!("{number} is processed, but nothing was charged"));
            }
            if payment.is_in_doubt() && !self.may_be_in_doubt(payment) {
                wrong.push(format!("{number} is still in state {}", payment.state));
            }
            let parts: i64 = payment.parts.iter().map(|part| part.1).sum();
            let is_whole = payment.standalone || parts + payment.unapplied == payment.amount;
            if payment.state == PROCESSED && !is_whole {
                wrong.push(format!(
                    "{number} of {}: {parts} and {} do not add up",
                    payment.amount, payment.unapplied
                ));
            }
            if payment.state != PROCESSED && payment.unapplied != 0 {
                wrong.push(format!("{number} is not processed, but {} is left of it", payment.unapplied));
            }
            if let Some(other) = payment.key.as_deref().and_then(|key| keys.insert(key, number)) {
                wrong.push(format!("{number} and {other} have one idempotency key"));
            }
            if let Some(other) = payment.reference_id.as_deref().and_then(|key| asked.insert(key, number)) {
                wrong.push(format!("{number} and {other} were asked for once"));
            }
        }
        self.fail_all(wrong);
    }

    /// A document's amount is what is owed, paid and credited, and that is what payments and credits have given.
    pub(super) fn check_documents(&mut self) {
        let mut paid: BTreeMap<Id, i64> = BTreeMap::new();
        for payment in self.rows.payments.values().filter(|one| one.state == PROCESSED) {
            for (document, amount) in &payment.parts {
                *paid.entry(*document).or_default() += amount;
            }
        }
        let mut credited: BTreeMap<Id, i64> = BTreeMap::new();
        for credit in self.rows.credits.iter().filter(|one| one.source_kind != UNAPPLIED) {
            *credited.entry(credit.document).or_default() += credit.amount;
        }
        let mut wrong = Vec::new();
        for document in &self.rows.documents {
            let of = |sums: &BTreeMap<Id, i64>| sums.get(&document.id).copied().unwrap_or_default();
            let number = &document.number;
            let sum = document.balance + document.paid + document.credited;
            if document.balance < 0 || sum != document.amount {
                wrong.push(format!("the balance of {number} does not add up: {sum} of {}", document.amount));
            }
            if (document.paid, document.credited) != (of(&paid), of(&credited)) {
                wrong.push(format!(
                    "{number} counts {} paid and {} credited, but was given {} and {}",
                    document.paid,
                    document.credited,
                    of(&paid),
                    of(&credited)
                ));
            }
            let holder = document.held_by.and_then(|id| self.rows.payments.get(&id));
            let is_held_rightly = holder.is_some_and(|payment| {
                self.may_be_in_doubt(payment) && payment.parts.iter().any(|part| part.0 == document.id)
            });
            if document.held_by.is_some() && !is_held_rightly {
                wrong.push(format!("{number} is still held by {:?}", holder.map(|one| &one.number)));
            }
        }
        for payment in self.rows.payments.values().filter(|one| one.is_in_doubt()) {
            let is_held = |id: &Id| {
                self.rows.documents.iter().any(|one| one.id == *id && one.held_by == Some(payment.id))
            };
            if !payment.parts.iter().all(|part| is_held(&part.0)) {
                wrong.push(format!("{} is in doubt, but does not hold its documents", payment.number));
            }
        }
        self.fail_all(wrong);
    }

    /// What credits have lost is what was applied of them.
    pub(super) fn check_credits(&mut self) {
        let mut used: BTreeMap<(i64, Id), i64> = BTreeMap::new();
        for credit in &self.rows.credits {
            *used.entry((credit.source_kind, credit.source)).or_default() += credit.amount;
        }
        let of = |kind: i64, id: Id| used.get(&(kind, id)).copied().unwrap_or_default();
        let mut wrong = Vec::new();
        for (id, amount, left) in &self.rows.memos {
            if *left < 0 || amount - left != of(MEMO, *id) {
                wrong.push(format!("{left} is left of a credit memo of {amount}, {} used", of(MEMO, *id)));
            }
        }
        for account in &self.ground.world.load.accounts {
            let id = account.id.to_bytes();
            let (was, left) =
                (account.credit_balance_minor, self.rows.balances.get(&id).copied().unwrap_or(-1));
            if left < 0 || was - left != of(BALANCE, id) {
                wrong.push(format!("{left} is left of a credit balance of {was}, {} used", of(BALANCE, id)));
            }
        }
        for payment in &self.ground.world.load.payments {
            let id = payment.id.to_bytes();
            let left = self.rows.payments.get(&id).map_or(-1, |one| one.unapplied);
            if left < 0 || payment.unapplied_minor - left != of(UNAPPLIED, id) {
                wrong.push(format!("{left} is left of {}, {} used", payment.number, of(UNAPPLIED, id)));
            }
        }
        let mut decided: BTreeMap<(Id, Id), i64> = BTreeMap::new();
        for decision in self.rows.decisions.iter().filter(|one| one.credit != 0) {
            *decided.entry((decision.run, decision.document)).or_default() += decision.credit;
        }
        let mut applied: BTreeMap<(Id, Id), i64> = BTreeMap::new();
        for credit in &self.rows.credits {
            *applied.entry((credit.run, credit.document)).or_default() += credit.amount;
        }
        if decided != applied {
            wrong.push("the credits that were decided are not those that were applied".to_owned());
        }
        self.fail_all(wrong);
    }

    /// A payment method has counted every transaction once.
    pub(super) fn check_methods(&mut self) {
        let mut counted: BTreeMap<Id, (i64, i64)> = BTreeMap::new();
        for payment in self.rows.payments.values().filter(|one| one.is_electronic) {
            let Some(method) = payment.method else { continue };
            let count = counted.entry(method).or_default();
            count.0 += i64::from(payment.state == PROCESSED);
            count.1 += i64::from(payment.state == DECLINED);
        }
        let mut wrong = Vec::new();
        for (id, says) in &self.rows.methods {
            let is = counted.get(id).copied().unwrap_or_default();
            if *says != is {
                wrong.push(format!("a payment method counts {says:?} transactions, but there were {is:?}"));
            }
        }
        self.fail_all(wrong);
    }
}
