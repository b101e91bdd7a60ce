//! The simulated bank behind the simulated gateway. It outlives every crash, and its books are the truth.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::ports::{Charge, EncodeCharge, LookUp, Outcome};

use crate::pool::lock;
use crate::random::Random;

/// How long the bank remembers an idempotency key.
pub const KEY_LIFE: Duration = Duration::from_hours(24);

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
    /// Our reference.
    pub reference: String,
    /// What is charged.
    pub token: String,
    /// Currency code.
    pub currency: String,
    /// Minor units.
    pub amount_minor: i64,
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

    fn outcome(&self, index: usize, now: Timestamp) -> Outcome {
        let reference = format!("ch_{index}");
        match self.verdict {
            Verdict::PendingUntil(at, _) if now < at => Outcome::Pending { reference },
            _ if self.is_approved(now) => Outcome::Approved { reference },
            _ => Outcome::Declined {
                code: "card_declined".to_owned(),
                message: "The card was declined.".to_owned(),
                reference: Some(reference),
            },
        }
    }
}

struct Books {
    random: Random,
    /// By key: when it was first seen, the body, and the place in the books.
    keys: BTreeMap<String, (Timestamp, Vec<u8>, usize)>,
    entries: Vec<Entry>,
    /// Deliveries that are still under way, by when they arrive. They do not die with their sender.
    wandering: BTreeMap<(Timestamp, u64), (String, Vec<u8>)>,
    faults: Vec<String>,
}

/// The bank.
pub struct Bank(Mutex<Books>);

impl Bank {
    /// A bank without entries.
    pub fn new(random: Random) -> Self {
        Self(Mutex::new(Books {
            random,
            keys: BTreeMap::new(),
            entries: Vec::new(),
            wandering: BTreeMap::new(),
            faults: Vec::new(),
        }))
    }

    /// Lets a delivery arrive later.
    pub fn wander(&self, key: String, body: Vec<u8>, arrives_at: Timestamp) {
        let mut books = lock(&self.0);
        let ordinal = books.wandering.len() as u64;
        books.wandering.insert((arrives_at, ordinal), (key, body));
    }

    /// Charges, or answers a repetition of a key with what the first delivery led to.
    pub fn charge(&self, key: &str, body: &[u8], now: Timestamp) -> Outcome {
        let mut books = lock(&self.0);
        books.arrive(now);
        books.charge(key, body, now)
    }

    /// What became of the first charge with this reference.
    pub fn look_up(&self, reference: &str, now: Timestamp) -> LookUp {
        let mut books = lock(&self.0);
        books.arrive(now);
        let found = books.entries.iter().enumerate().find(|(_, entry)| entry.reference == reference);
        found.map_or(LookUp::NeverSeen, |(index, entry)| LookUp::Found(entry.outcome(index, now)))
    }

    /// The books, once everything under way has arrived.
    pub fn entries(&self) -> Vec<Entry> {
        let mut books = lock(&self.0);
        books.arrive(Timestamp::MAX);
        books.entries.clone()
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
            self.charge(&key, &body, at);
        }
    }

    fn charge(&mut self, key: &str, body: &[u8], now: Timestamp) -> Outcome {
        let books = self;
        if let Some((seen_at, first_body, index)) = books.keys.get(key).cloned()
            && now.duration_since(seen_at).unsigned_abs() < KEY_LIFE
        {
            if first_body != body {
                books.faults.push(format!("the key {key} came with two bodies"));
            }
            return books.entries[index].outcome(index, now);
        }
        let Some(entry) = books.decide(body, now) else {
            books.faults.push(format!("the charge {key} cannot be read"));
            return Outcome::NotSent { why: "the body cannot be read".to_owned(), retry_after: None };
        };
        let index = books.entries.len();
        let outcome = entry.outcome(index, now);
        books.entries.push(entry);
        books.keys.insert(key.to_owned(), (now, body.to_vec(), index));
        outcome
    }

    /// Decides about a new charge: mostly yes, sometimes no, sometimes later.
    fn decide(&mut self, body: &[u8], now: Timestamp) -> Option<Entry> {
        let text = std::str::from_utf8(body).ok()?;
        let mut fields = text.split('|');
        let (reference, token) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        let (currency, amount_minor) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
        let verdict = match self.random.below(100) {
            0..=69 => Verdict::Approved,
            70..=84 => Verdict::Declined,
            _ => {
                let pause = self.random.pause(Duration::from_secs(10), Duration::from_hours(3));
                Verdict::PendingUntil(now.checked_add(pause).ok()?, self.random.happens(700))
            }
        };
        Some(Entry { reference, token, currency, amount_minor, verdict })
    }
}

/// Writes charges for the bank.
pub struct BankEncoder;

impl EncodeCharge for BankEncoder {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        let money = charge.money;
        format!("{}|{}|{}|{}", charge.payment, charge.token, money.currency, money.minor).into_bytes()
    }
}
