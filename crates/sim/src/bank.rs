//! The simulated bank behind the simulated gateway. It outlives every crash, and its books are the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::charge_key;
use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey};
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::ports::{
    Charge, ChargePage, Delivery, Doubt, EncodeCharge, ListedCharge, ListedState, ListedSubject, LookUp,
    ReportedCharge,
};

use crate::fault::UnknownPart;
use crate::pool::lock;
use crate::random::{Random, digest};

/// How long a usual bank remembers an idempotency key.
const KEY_LIFE: Duration = Duration::from_hours(24);

/// How long a bank with a short memory does.
const KEY_LIFE_SHORT: Duration = Duration::from_mins(30);

/// For how long a delivery after an `idempotency_error` comes from whoever heard it: longer than the pauses between deliveries,
/// and shorter than any lease.
const CONFLICT_HEARD: Duration = Duration::from_secs(3);

/// Charges on one page of a list: few, so that there are several pages.
const LIST_PAGE: usize = 3;

/// What a bank charges that takes another amount than it was asked for, in minor units.
const WRONG_MINOR: i64 = 1;

/// What goes wrong at the border between the ledger and the gateway, beyond lost and late answers. A schedule has one kind
/// at most, so that each is met alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Border {
    /// Nothing.
    Calm,
    /// Deliveries are refused (400), also later ones.
    Refusals,
    /// Deliveries are answered with `idempotency_error`.
    Conflicts,
    /// Charges are made in another amount, or reported under another payment's charge.
    WrongAnswers,
    /// Charges are made hours after their delivery, while the search says that it is final.
    SlowCharges,
    /// The ledger is restored from an older copy beside a gateway that has gone on.
    RestoredLedger,
    /// The process is started against another gateway account.
    OtherAccount,
}

impl Border {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Calm,
        Self::Refusals,
        Self::Conflicts,
        Self::WrongAnswers,
        Self::SlowCharges,
        Self::RestoredLedger,
        Self::OtherAccount,
    ];

    /// Its name on the command line and in statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Refusals => "refusals",
            Self::Conflicts => "conflicts",
            Self::WrongAnswers => "wrong-answers",
            Self::SlowCharges => "slow-charges",
            Self::RestoredLedger => "restored-ledger",
            Self::OtherAccount => "other-account",
        }
    }
}

impl FromStr for Border {
    type Err = UnknownPart;
    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        let found = Self::ALL.into_iter().find(|border| border.name() == text);
        found.ok_or_else(|| UnknownPart(text.to_owned()))
    }
}

/// How a bank treats those who ask it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// What goes wrong at its border.
    pub border: Border,
    /// How long it remembers an idempotency key; not at all when zero.
    pub key_life: Duration,
    /// Whether it answers look-ups.
    pub supports_look_up: bool,
}

impl Manners {
    /// Draws a bank: mostly a usual one. Its border is the given one, or one that the protocol withstands, half of the time calm.
    pub fn draw(random: &mut Random, border: Option<Border>) -> Self {
        let key_life = match random.below(10) {
            0..=5 => KEY_LIFE,
            6..=7 => KEY_LIFE_SHORT,
            _ => Duration::ZERO,
        };
        let drawn = match random.below(11) {
            0..=4 => Border::Calm,
            5 => Border::Refusals,
            6 => Border::Conflicts,
            7 => Border::WrongAnswers,
            8 => Border::SlowCharges,
            9 => Border::OtherAccount,
            _ => Border::RestoredLedger,
        };
        let border = border.unwrap_or(drawn);
        let supports_look_up = !random.happens(250) || border == Border::SlowCharges;
        Self { border, key_life, supports_look_up }
    }

    /// Whether it recognises a delivery that comes twice.
    pub fn has_keys(self) -> bool {
        !self.key_life.is_zero()
    }
}

/// What became of a charge at the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Money moved.
    Approved,
    /// No money moved.
    Declined,
    /// It is decided at this time.
    PendingUntil(Timestamp, bool),
}

/// A charge as it stands in the bank's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The account that the money goes to.
    account: String,
    /// The idempotency key in its body, which is our reference.
    pub reference: String,
    /// What is charged.
    pub token: String,
    /// Currency code.
    pub currency: String,
    /// Minor units.
    pub amount_minor: i64,
    /// Whether it was charged in another amount than it was asked for.
    pub is_wrong: bool,
    /// Who pays.
    payer: Option<AccountId>,
    /// What it pays.
    documents: Vec<DocumentId>,
    arrived_at: Timestamp,
    verdict: Verdict,
}

impl Entry {
    /// Whether money has moved.
    pub fn is_approved(&self, now: Timestamp) -> bool {
        match self.verdict {
            Verdict::Approved => true,
            Verdict::Declined => false,
            Verdict::PendingUntil(at, is_approved) => is_approved && now >= at,
        }
    }

    /// Whether it was charged under this key as the key's request asked, and in this amount where one is given.
    pub fn is_right(&self, key: &str, amount_minor: Option<i64>) -> bool {
        let is_its_amount = amount_minor.is_none_or(|amount| amount == self.amount_minor);
        self.reference == key && !self.is_wrong && is_its_amount
    }

    /// The documents that it pays, where it is a run's payment of documents.
    pub fn run_documents(&self) -> &[DocumentId] {
        let is_of_document =
            matches!(charge_key::parse(&self.reference), Some(charge_key::Collected::Document { .. }));
        if is_of_document && !self.is_wrong { &self.documents } else { &[] }
    }

    /// The charge as the bank reports it.
    fn report(&self, index: usize) -> ReportedCharge {
        let currency = Currency::from_code(&self.currency).ok();
        ReportedCharge {
            reference: format!("ch_{index}_of_{}", self.account),
            key: Some(self.reference.clone()),
            money: currency.map(|currency| Money::new(self.amount_minor, currency)),
        }
    }

    /// The charge as the bank lists it.
    fn listed(&self, index: usize, now: Timestamp) -> ListedCharge {
        let report = self.report(index);
        let state = match self.delivery(index, now) {
            Delivery::Approved(_) => ListedState::Approved,
            Delivery::Declined { code, message, .. } => ListedState::Declined { code, message },
            _ => ListedState::Pending,
        };
        let several = (self.documents.len() > 1).then_some(self.documents.len());
        ListedCharge {
            reference: report.reference,
            key: report.key,
            money: report.money,
            state,
            created_at: self.arrived_at,
            subject: ListedSubject {
                ledger: None,
                entity: Some(EntityKey::FIRST),
                account: self.payer,
                document: self.documents.first().copied(),
                documents: several,
                documents_digest: several.map(|_| digest_of(&self.documents)),
            },
        }
    }

    fn delivery(&self, index: usize, now: Timestamp) -> Delivery {
        let charge = self.report(index);
        match self.verdict {
            Verdict::PendingUntil(at, _) if now < at => Delivery::Pending(charge),
            _ if self.is_approved(now) => Delivery::Approved(charge),
            _ => Delivery::Declined {
                code: "card_declined".to_owned(),
                message: "The card was declined.".to_owned(),
                reference: Some(charge.reference),
            },
        }
    }
}

/// How often the bank saw what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Deliveries of a key that it remembered.
    pub repeats: u64,
    /// Deliveries of a key that it had forgotten.
    pub forgotten: u64,
    /// Questions about a charge whose key it had forgotten.
    pub expired: u64,
}

struct Books {
    account: String,
    seed: u64,
    key_life: Duration,
    /// By key: when it was first seen, the body, and the place in the books.
    keys: BTreeMap<String, (Timestamp, Vec<u8>, usize)>,
    entries: Vec<Entry>,
    /// Deliveries that are still under way, by when they arrive. They do not die with their sender.
    wandering: BTreeMap<(Timestamp, u64), (String, Vec<u8>)>,
    /// Keys of deliveries that the bank has accepted and charges later.
    accepted: BTreeSet<String>,
    /// Keys that were answered with `idempotency_error`: when by the true clock and by the process's, and in which of its starts.
    conflicts: BTreeMap<String, ([Timestamp; 2], u32)>,
    sent: u64,
    seen: Seen,
    faults: Vec<String>,
}

/// The bank.
pub struct Bank(Mutex<Books>);

impl Bank {
    /// A bank without entries, at which money goes to this account.
    pub fn new(account: String, seed: u64, manners: Manners) -> Self {
        Self(Mutex::new(Books {
            account,
            seed,
            key_life: manners.key_life,
            keys: BTreeMap::new(),
            entries: Vec::new(),
            wandering: BTreeMap::new(),
            accepted: BTreeSet::new(),
            conflicts: BTreeMap::new(),
            sent: 0,
            seen: Seen::default(),
            faults: Vec::new(),
        }))
    }

    /// The account, as the bank names it.
    pub fn account(&self) -> String {
        lock(&self.0).account.clone()
    }

    /// Lets a delivery arrive later.
    pub fn wander(&self, key: String, body: Vec<u8>, arrives_at: Timestamp) {
        let mut books = lock(&self.0);
        books.sent += 1;
        let ordinal = books.sent;
        books.wandering.insert((arrives_at, ordinal), (key, body));
    }

    /// Accepts a delivery whose charge is made later. Until then every other delivery of its key is turned away, and no search
    /// finds it.
    pub fn accept(&self, key: String, body: Vec<u8>, charged_at: Timestamp, now: Timestamp) {
        let is_new = {
            let mut books = lock(&self.0);
            books.arrive(now);
            !books.keys.contains_key(&key) && books.accepted.insert(key.clone())
        };
        if is_new {
            self.wander(key, body, charged_at);
        }
    }

    /// Charges, or answers a repetition of a key with what the first delivery led to.
    pub fn charge(&self, key: &str, body: &[u8], now: Timestamp) -> Delivery {
        let mut books = lock(&self.0);
        books.arrive(now);
        books.charge(key, body, now)
    }

    /// Answers a delivery with `idempotency_error`. Whoever heard it may not deliver under the key again.
    pub fn conflict(&self, key: &str, now: [Timestamp; 2], launch: u32) {
        lock(&self.0).conflicts.insert(key.to_owned(), (now, launch));
    }

    /// Notes that a delivery begins. One that follows soon after an `idempotency_error` in the same process is wrong, by the true clock
    /// and by the process's, whose jump ends leases; a later one may come from somebody who never heard of it, because the answer
    /// was lost before it was recorded.
    pub fn begin(&self, key: &str, now: [Timestamp; 2], launch: u32) {
        let mut books = lock(&self.0);
        let heard = books.conflicts.get(key).filter(|(_, in_launch)| *in_launch == launch);
        let is_soon =
            |(at, now): (&Timestamp, Timestamp)| now.duration_since(*at).unsigned_abs() < CONFLICT_HEARD;
        if heard.is_some_and(|(at, _)| at.iter().zip(now).all(is_soon)) {
            books.faults.push(format!("the key {key} was delivered again after an idempotency error"));
        }
    }

    /// Charges one minor unit, or in another currency, whatever the request asks for.
    pub fn charge_wrongly(&self, key: &str, body: &[u8], now: Timestamp) -> Delivery {
        let mut books = lock(&self.0);
        books.arrive(now);
        let at = books.entries.len();
        let delivery = books.charge(key, body, now);
        let Some(entry) = books.entries.get_mut(at).filter(|entry| entry.amount_minor != WRONG_MINOR) else {
            return delivery;
        };
        if digest(key, 0).is_multiple_of(2) {
            entry.amount_minor = WRONG_MINOR;
        } else {
            entry.currency = String::from(if entry.currency == "USD" { "EUR" } else { "USD" });
        }
        entry.is_wrong = true;
        entry.delivery(at, now)
    }

    /// The report of another approved charge, if there is any: under its own key, or under none.
    pub fn foreign_charge(&self, key: &str) -> Option<Delivery> {
        let books = lock(&self.0);
        let is_foreign = |entry: &Entry| entry.reference != key && entry.verdict == Verdict::Approved;
        let at = books.entries.iter().rposition(is_foreign)?;
        let report = books.entries[at].report(at);
        let has_key = digest(key, books.sent).is_multiple_of(2);
        Some(Delivery::Approved(ReportedCharge { key: report.key.filter(|_| has_key), ..report }))
    }

    /// What became of the first charge with this key.
    pub fn look_up(&self, key: &str, now: Timestamp) -> LookUp {
        let mut books = lock(&self.0);
        books.arrive(now);
        let found = books.entries.iter().enumerate().find(|(_, entry)| entry.reference == key);
        let found = found.map(|(index, entry)| (index, entry.clone()));
        let expires_at = |at: Timestamp| at.checked_add(books.key_life).unwrap_or(Timestamp::MAX);
        if found.as_ref().is_some_and(|(_, entry)| now >= expires_at(entry.arrived_at)) {
            books.seen.expired += 1;
        }
        found.map_or(LookUp::NeverSeen, |(index, entry)| LookUp::Found(entry.delivery(index, now)))
    }

    /// A page of the charges made since a time, newest first. A cursor says how many came before.
    pub fn list(&self, since: Timestamp, cursor: Option<&str>, now: Timestamp) -> ChargePage {
        let skip: usize = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
        let mut books = lock(&self.0);
        books.arrive(now);
        let mut found: Vec<(usize, &Entry)> =
            books.entries.iter().enumerate().filter(|(_, entry)| entry.arrived_at >= since).collect();
        found.sort_by_key(|(index, entry)| std::cmp::Reverse((entry.arrived_at, *index)));
        let page = found.iter().skip(skip).take(LIST_PAGE);
        let charges = page.map(|(index, entry)| entry.listed(*index, now)).collect();
        let end = skip + LIST_PAGE;
        ChargePage { charges, next: (end < found.len()).then(|| end.to_string()) }
    }

    /// What the bank tells a person who asks about a charge: whether money moved. Nothing while something is on its way to
    /// it or is not decided yet, or where it has charged another amount or currency.
    pub fn word(&self, key: &str, now: Timestamp) -> Option<bool> {
        let mut books = lock(&self.0);
        books.arrive(now);
        let is_of = |entry: &&Entry| entry.reference == key;
        let is_open = |entry: &Entry| {
            entry.is_wrong || matches!(entry.verdict, Verdict::PendingUntil(at, _) if now < at)
        };
        let is_clear = books.wandering.is_empty() && !books.entries.iter().filter(is_of).any(is_open);
        is_clear.then(|| books.entries.iter().filter(is_of).any(|entry| entry.is_approved(now)))
    }

    /// The documents that a charge paid, by the bank's name for it.
    pub fn documents_of(&self, reference: &str) -> Vec<DocumentId> {
        let books = lock(&self.0);
        let mut entries = books.entries.iter().enumerate();
        let found = entries.find(|(index, entry)| entry.report(*index).reference == reference);
        found.map(|(_, entry)| entry.documents.clone()).unwrap_or_default()
    }

    /// Whether a look-up of this key will never say more: nothing of it is under way or has been charged rightly, in this amount where
    /// one is given.
    pub fn cannot_tell(&self, key: &str, amount_minor: Option<i64>) -> bool {
        let books = lock(&self.0);
        let is_charged = books.entries.iter().any(|entry| entry.is_right(key, amount_minor));
        !is_charged && !books.wandering.values().any(|(one, _)| one == key)
    }

    /// The books, once everything under way has arrived.
    pub fn entries(&self) -> Vec<Entry> {
        let mut books = lock(&self.0);
        books.arrive(Timestamp::MAX);
        books.entries.clone()
    }

    /// How often it saw what.
    pub fn seen(&self) -> Seen {
        lock(&self.0).seen
    }

    /// What callers did wrong.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.0).faults.clone()
    }
}

impl Books {
    /// Charges for every delivery that has arrived by now.
    fn arrive(&mut self, now: Timestamp) {
        while let Some(first) = self.wandering.first_entry().filter(|one| one.key().0 <= now) {
            let ((at, _), (key, body)) = first.remove_entry();
            self.accepted.remove(&key);
            self.charge(&key, &body, at);
        }
    }

    fn charge(&mut self, key: &str, body: &[u8], now: Timestamp) -> Delivery {
        if self.accepted.contains(key) {
            return Delivery::Unknown { doubt: Doubt::Unanswered, why: "409".to_owned() };
        }
        if let Some((seen_at, first_body, index)) = self.keys.get(key).cloned() {
            if now.duration_since(seen_at).unsigned_abs() < self.key_life {
                if first_body != body {
                    self.faults.push(format!("the key {key} came with two bodies"));
                    return Delivery::Unknown { doubt: Doubt::Conflict, why: "idempotency_error".to_owned() };
                }
                self.seen.repeats += 1;
                return self.entries[index].delivery(index, now);
            }
            self.seen.forgotten += 1;
        }
        let Some(entry) = self.decide(body, now) else {
            self.faults.push(format!("the charge {key} cannot be read"));
            let (code, message) = ("unreadable".to_owned(), "the body cannot be read".to_owned());
            return Delivery::Refused { code, message };
        };
        let index = self.entries.len();
        let delivery = entry.delivery(index, now);
        self.entries.push(entry);
        self.keys.insert(key.to_owned(), (now, body.to_vec(), index));
        delivery
    }

    /// Decides about a new charge: mostly yes, sometimes no, sometimes later. What it decides about a customer's first,
    /// second … charge does not depend on what others are charged.
    fn decide(&mut self, body: &[u8], now: Timestamp) -> Option<Entry> {
        let text = std::str::from_utf8(body).ok()?;
        let mut fields = text.split('|');
        let (reference, token) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let (currency, amount_minor) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
        let payer = fields.next()?.parse().ok();
        let documents: Vec<DocumentId> =
            fields.next()?.split_terminator(',').map(|id| id.parse().ok()).collect::<Option<_>>()?;
        let earlier = self.entries.iter().filter(|entry| entry.token == token).count() as u64;
        let mut random = Random::new(self.seed ^ digest(&token, earlier));
        let verdict = match random.below(100) {
            0..=69 => Verdict::Approved,
            70..=84 => Verdict::Declined,
            _ => {
                let pause = random.pause(Duration::from_secs(10), Duration::from_hours(3));
                Verdict::PendingUntil(now.checked_add(pause).ok()?, random.happens(700))
            }
        };
        let account = self.account.clone();
        Some(Entry {
            account,
            reference,
            token,
            currency,
            amount_minor,
            is_wrong: false,
            payer,
            documents,
            arrived_at: now,
            verdict,
        })
    }
}

/// Writes charges for the bank.
pub struct BankEncoder;

impl EncodeCharge for BankEncoder {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        let (money, payer) = (charge.money, charge.subject.account);
        let documents = digest_of(&charge.subject.documents);
        let (key, token, currency, minor) = (&charge.key, &charge.token, money.currency, money.minor);
        format!("{key}|{token}|{currency}|{minor}|{payer}|{documents}").into_bytes()
    }

    fn documents_digest(&self, documents: &[DocumentId]) -> Option<String> {
        Some(digest_of(documents))
    }
}

/// The documents of a charge as its body and its metadata name them.
fn digest_of(documents: &[DocumentId]) -> String {
    let names: Vec<String> = documents.iter().map(DocumentId::to_string).collect();
    names.join(",")
}
