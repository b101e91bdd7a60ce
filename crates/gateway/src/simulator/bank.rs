//! The simulated bank: charges, idempotency keys and look-up. No network and no clock: every call
//! is told the time, so a seed and a list of deliveries give the same answers again. Only the bank's account differs: it
//! tells two banks apart that have the same seed.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::answer::{
    Answer, ApiError, account_answer, charge_answer, intent_answer, method_answer, search_answer,
};
use super::faults::{Fault, FaultCounts, Faults, Plan};
use super::intent::{Hex, Intent, IntentId, hex_bytes};
use super::journal::{JournalEntry, JournalError, JournalFile};
use super::keys::{Identity, KeyRecord, Saved, Used};
use super::request::{ChargeRequest, MethodRequest};
use super::shard::{Replay, SHARDS, Shard, lock};
use super::timeline::Timeline;
use super::token::Token;

/// The unique part of a token: 64 bits.
const TOKEN_UNIQUE_BYTES: usize = 8;
/// What stands for an answer that is no JSON.
const GARBLED_BODY: &str = "<html><body>upstream error</body></html>";

/// How the bank behaves.
#[derive(Clone, Debug)]
pub struct BankSettings {
    /// The seed of the faults and of all ids.
    pub seed: u64,
    /// What goes wrong, and how often.
    pub faults: Faults,
    /// How long each answer takes, in milliseconds. Until then the key is in flight.
    pub latency_ms: u64,
    /// How long a key is remembered, in milliseconds from its first use.
    pub key_life_ms: i64,
    /// Whether keys are honoured at all; a bank that ignores them charges at every delivery.
    pub honours_keys: bool,
    /// How long a new charge stays invisible to a search, in milliseconds. With 0 a search is
    /// authoritative: what it does not find was not charged.
    pub search_lag_ms: i64,
}

/// What becomes of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The answer, and what the network does to it.
    Answered {
        /// The answer.
        answer: Answer,
        /// How long it is held back, in milliseconds.
        delay_ms: u64,
        /// Whether the connection is cut.
        cut: Cut,
    },
    /// The charge happens later: call [`Bank::charge_late`] after so many milliseconds, whether
    /// or not the caller still listens.
    Later {
        /// Milliseconds from now.
        after_ms: u64,
    },
}

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere.
    None,
    /// Before the first byte of the answer.
    BeforeAnswer,
    /// In the middle of the answer.
    MidAnswer,
}

/// The bank.
#[derive(Debug)]
pub struct Bank {
    settings: BankSettings,
    /// The account at which it charges.
    account: String,
    shards: Box<[Mutex<Shard>]>,
    references: Box<[Mutex<References>]>,
    reference_hasher: RandomState,
    pub(super) timeline: Timeline,
    sequence: AtomicU64,
    struck: FaultCounts,
    file: Option<JournalFile>,
}

/// The charges with a reference, oldest first.
type References = HashMap<Box<str>, Vec<IntentId>>;

fn to_i64(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}

impl Bank {
    /// A bank without a past.
    pub fn new(settings: BankSettings) -> Self {
        Self::with_file(settings, new_account(), None)
    }

    /// A bank that keeps its journal in a file and knows what the file says.
    pub fn open(settings: BankSettings, path: &std::path::Path) -> Result<Self, JournalError> {
        let (file, account, entries) = JournalFile::open(path)?;
        let account = match account {
            Some(account) => account,
            None => file.append_account(new_account())?,
        };
        let bank = Self::with_file(settings, account, Some(file));
        for (entry, line) in entries.iter().zip(1..) {
            bank.restore(entry).map_err(|what| JournalError::Foreign { line, what })?;
        }
        Ok(bank)
    }

    fn with_file(settings: BankSettings, account: String, file: Option<JournalFile>) -> Self {
        Self {
            settings,
            account,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            references: (0..SHARDS).map(|_| Mutex::default()).collect(),
            reference_hasher: RandomState::new(),
            timeline: Timeline::default(),
            sequence: AtomicU64::new(1),
            struck: FaultCounts::default(),
            file,
        }
    }

    /// Takes one delivery of a charge.
    pub fn deliver(&self, request: &ChargeRequest, key: Option<&str>, now_ms: i64) -> Delivery {
        let identity = self.identity(key);
        let mut shard = lock(&self.shards[identity.shard()]);
        let mut record = shard.take_record(key);
        record.deliveries = record.deliveries.saturating_add(1);
        record.forget(now_ms, &self.settings);
        let delivery = self.deliver_to(&mut shard, &mut record, &identity, &Visit { request, key, now_ms });
        shard.put_record(key, record);
        delivery
    }

    /// Makes the charge that a [`Delivery::Later`] announced.
    pub fn charge_late(&self, request: &ChargeRequest, key: Option<&str>, now_ms: i64) -> Answer {
        let identity = self.identity(key);
        let mut shard = lock(&self.shards[identity.shard()]);
        let mut record = shard.take_record(key);
        let answer = self.charge_or_replay(
            &mut shard,
            &mut record,
            &identity,
            &Visit { request, key, now_ms },
            Held { delay_ms: 0, saved_error: false },
        );
        shard.put_record(key, record);
        answer
    }

    fn deliver_to(
        &self,
        shard: &mut Shard,
        record: &mut KeyRecord,
        identity: &Identity,
        visit: &Visit<'_>,
    ) -> Delivery {
        let latency_ms = self.settings.latency_ms;
        let at_once = |answer| Delivery::Answered { answer, delay_ms: latency_ms, cut: Cut::None };
        if let Some(used) = &record.used {
            if used.fingerprint != visit.request.fingerprint {
                return at_once(ApiError::key_reused().answer());
            }
            if visit.now_ms < used.busy_until_ms {
                return at_once(ApiError::key_in_use().answer());
            }
        }
        let plan = self.settings.faults.plan(identity.fault_seed(), record.deliveries);
        if let Some(delivery) = self.before_charge(&plan, record, visit) {
            self.count(plan.fault.map(|(fault, _)| fault));
            return delivery;
        }
        let after = plan.fault.map(|(fault, _)| fault).filter(|fault| fault.strikes_after_charge());
        self.count(after);
        self.count((plan.delay_ms > 0).then_some(Fault::DelayMs));
        self.count(plan.duplicate.then_some(Fault::Duplicate));
        let delay_ms = latency_ms.saturating_add(plan.delay_ms);
        let saved_error = matches!(plan.fault, Some((Fault::Saved500AfterCharge, _)));
        let held = Held { delay_ms, saved_error };
        let answer = self.charge_or_replay(shard, record, identity, visit, held);
        if plan.duplicate {
            record.forget(visit.now_ms, &self.settings);
            self.charge_or_replay(shard, record, identity, visit, held);
        }
        after_charge(&plan, answer, delay_ms)
    }

    /// The account at which it charges. A journal keeps it.
    pub fn account(&self) -> Answer {
        account_answer(&self.account)
    }

    /// How often each fault has struck, by name.
    pub fn struck(&self) -> Vec<(&'static str, u64)> {
        self.struck.struck()
    }

    fn count(&self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.struck.add(fault);
        }
    }

    /// The faults that strike before anything is charged.
    fn before_charge(&self, plan: &Plan, record: &mut KeyRecord, visit: &Visit<'_>) -> Option<Delivery> {
        let delay_ms = self.settings.latency_ms;
        let (fault, value) = plan.fault?;
        let answered =
            |error: &ApiError| Delivery::Answered { answer: error.answer(), delay_ms, cut: Cut::None };
        let first = record.used.is_none();
        match fault {
            Fault::DropBeforeCharge => {
                let answer = ApiError::internal().answer();
                Some(Delivery::Answered { answer, delay_ms, cut: Cut::BeforeAnswer })
            }
            Fault::RateLimit429 => {
                let answer = Answer { retry_after_s: Some(value), ..ApiError::rate_limited().answer() };
                Some(Delivery::Answered { answer, delay_ms, cut: Cut::None })
            }
            Fault::LockTimeout429 => Some(answered(&ApiError::lock_timeout())),
            Fault::InFlight409 => Some(answered(&ApiError::key_in_use())),
            Fault::Error500 => Some(answered(&ApiError::internal())),
            Fault::Saved500 if first => {
                record.used = Some(visit.uses_key(Saved::Error, delay_ms));
                Some(answered(&ApiError::internal()))
            }
            Fault::LateChargeMs if first => {
                record.used = Some(visit.uses_key(Saved::Nothing, value));
                Some(Delivery::Later { after_ms: value })
            }
            _ => None,
        }
    }

    /// Charges, or answers as the key was answered before.
    fn charge_or_replay(
        &self,
        shard: &mut Shard,
        record: &mut KeyRecord,
        identity: &Identity,
        visit: &Visit<'_>,
        held: Held,
    ) -> Answer {
        match record.used.map(|used| used.saved) {
            Some(Saved::Charge(index)) => self.replay(shard, index, visit.now_ms),
            Some(Saved::Error) => Answer { replayed: true, ..ApiError::internal().answer() },
            Some(Saved::Nothing) | None => self.charge(shard, record, identity, visit, held),
        }
    }

    fn charge(
        &self,
        shard: &mut Shard,
        record: &mut KeyRecord,
        identity: &Identity,
        visit: &Visit<'_>,
        held: Held,
    ) -> Answer {
        let request = visit.request;
        let intent = Intent {
            sequence: self.next_sequence(),
            at_ms: visit.now_ms,
            id: identity.intent_id(record.charges),
            idempotency_key: visit.key.map(Box::from),
            fingerprint: request.fingerprint,
            amount_minor: request.amount_minor,
            currency: request.currency,
            payment_method: request.payment_method.clone(),
            behaviour: request.behaviour,
            description: request.description.clone(),
            metadata: request.metadata.clone(),
            saved_error: held.saved_error,
        };
        // The journal comes first: a charge it does not hold must not be answered.
        if !self.write(|| JournalEntry::of_charge(&intent)) {
            return ApiError::internal().answer();
        }
        let answer = answer_of(&intent);
        record.charges += 1;
        record.used = Some(visit.uses_key(Saved::Charge(shard.intents.len()), held.delay_ms));
        self.index(&intent);
        shard.insert(intent);
        answer
    }

    fn replay(&self, shard: &mut Shard, index: usize, now_ms: i64) -> Answer {
        let Some(intent) = shard.intents.get(index) else {
            return ApiError::internal().answer();
        };
        let sequence = self.next_sequence();
        if !self.write(|| JournalEntry::of_replay(intent, sequence, now_ms)) {
            return ApiError::internal().answer();
        }
        shard.replays.push(Replay { sequence, at_ms: now_ms, intent: index });
        Answer { replayed: true, ..answer_of(intent) }
    }

    fn write(&self, entry: impl FnOnce() -> JournalEntry) -> bool {
        let Some(file) = &self.file else { return true };
        match file.append(&entry()) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the journal cannot be written, so the charge is refused");
                false
            }
        }
    }

    /// One charge as it stands now, by its payment intent id.
    pub fn find(&self, id: &str, now_ms: i64) -> Option<Answer> {
        let found = self.intent(IntentId::parse(id)?)?;
        Some(intent_answer(&found, now_ms))
    }

    /// The charges with a reference, oldest first: at most `limit` after the first `skip`.
    pub fn search(&self, reference: &str, skip: usize, limit: usize, now_ms: i64) -> Answer {
        let ids = lock(self.reference_shard(reference)).get(reference).cloned().unwrap_or_default();
        let visible_until_ms = now_ms.saturating_sub(self.settings.search_lag_ms);
        let found: Vec<Intent> = ids
            .iter()
            .filter_map(|id| self.intent(*id))
            .filter(|intent| intent.at_ms <= visible_until_ms)
            .skip(skip)
            .take(limit.saturating_add(1))
            .collect();
        let next_page = (found.len() > limit).then(|| skip.saturating_add(limit));
        search_answer(found.iter().take(limit), now_ms, next_page)
    }

    pub(super) fn intent(&self, id: IntentId) -> Option<Intent> {
        let shard = lock(&self.shards[usize::from(id.0[0]) % SHARDS]);
        shard.by_id.get(&id).and_then(|index| shard.intents.get(*index)).cloned()
    }

    /// Stores a payment method, which means: writes its token. The same key writes the same token.
    pub fn tokenise(&self, request: MethodRequest, key: Option<&str>, now_ms: i64) -> Answer {
        let name = match key {
            Some(key) => key.as_bytes().to_vec(),
            None => [now_ms.to_le_bytes(), self.next_sequence().to_le_bytes()].concat(),
        };
        let unique = Hex(&Identity::of(self.settings.seed, &name).0[..TOKEN_UNIQUE_BYTES]).to_string();
        let token = Token { unique, ..request.token };
        method_answer(&token, &token.to_string(), now_ms)
    }

    /// Every delivery that charged or replayed, in order.
    pub fn journal(&self) -> Vec<JournalEntry> {
        let mut entries = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            entries.extend(shard.intents.iter().map(JournalEntry::of_charge));
            entries.extend(shard.replays.iter().filter_map(|replay| {
                let intent = shard.intents.get(replay.intent)?;
                Some(JournalEntry::of_replay(intent, replay.sequence, replay.at_ms))
            }));
        }
        entries.sort_unstable_by_key(|entry| entry.sequence);
        entries
    }

    /// Takes one line of an earlier life.
    fn restore(&self, entry: &JournalEntry) -> Result<(), &'static str> {
        self.sequence.fetch_max(entry.sequence.saturating_add(1), Ordering::Relaxed);
        let id = IntentId::parse(&entry.payment_intent).ok_or("payment intent")?;
        let key = entry.idempotency_key.as_deref();
        let mut shard = lock(&self.shards[usize::from(id.0[0]) % SHARDS]);
        let mut record = shard.take_record(key);
        record.deliveries = record.deliveries.saturating_add(1);
        let restored = if entry.replay {
            shard.by_id.get(&id).copied().ok_or("payment intent").map(|intent| {
                shard.replays.push(Replay { sequence: entry.sequence, at_ms: entry.at_ms, intent });
            })
        } else {
            restored_intent(entry, id).map(|intent| {
                record.charges += 1;
                record.used = Some(Used {
                    since_ms: intent.at_ms,
                    fingerprint: intent.fingerprint,
                    busy_until_ms: intent.at_ms,
                    saved: Saved::Charge(shard.intents.len()),
                });
                self.index(&intent);
                shard.insert(intent);
            })
        };
        shard.put_record(key, record);
        restored
    }

    fn identity(&self, key: Option<&str>) -> Identity {
        if let Some(key) = key {
            return Identity::of(self.settings.seed, key.as_bytes());
        }
        // Header values hold no zero byte, so no key of a caller's has this name.
        let mut name = [0; 9];
        name[..8].copy_from_slice(&self.next_sequence().to_le_bytes());
        Identity::of(self.settings.seed, &name)
    }

    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    fn reference_shard(&self, reference: &str) -> &Mutex<References> {
        let [first, ..] = self.reference_hasher.hash_one(reference).to_le_bytes();
        &self.references[usize::from(first) % SHARDS]
    }

    fn index(&self, intent: &Intent) {
        self.timeline.add(intent);
        if let Some(reference) = super::request::reference_in(&intent.metadata) {
            lock(self.reference_shard(reference)).entry(reference.into()).or_default().push(intent.id);
        }
    }
}

/// An account that no other bank has.
fn new_account() -> String {
    format!("acct_{:016x}", RandomState::new().hash_one(0))
}

/// One delivery: what, under which key, when.
struct Visit<'a> {
    request: &'a ChargeRequest,
    key: Option<&'a str>,
    now_ms: i64,
}

impl Visit<'_> {
    fn uses_key(&self, saved: Saved, busy_ms: u64) -> Used {
        Used {
            since_ms: self.now_ms,
            fingerprint: self.request.fingerprint,
            busy_until_ms: self.now_ms.saturating_add(to_i64(busy_ms)),
            saved,
        }
    }
}

/// How a charge's answer is kept.
#[derive(Clone, Copy)]
struct Held {
    /// How long the key is in flight, in milliseconds.
    delay_ms: u64,
    /// Whether the key answers 500 from now on.
    saved_error: bool,
}

/// The answer a key has saved: the charge as it stood when it was made.
fn answer_of(intent: &Intent) -> Answer {
    if intent.saved_error { ApiError::internal().answer() } else { charge_answer(intent, intent.at_ms) }
}

/// The faults that strike the answer.
fn after_charge(plan: &Plan, answer: Answer, delay_ms: u64) -> Delivery {
    let (answer, cut) = match plan.fault.map(|(fault, _)| fault) {
        Some(Fault::DropAfterCharge) => (answer, Cut::BeforeAnswer),
        Some(Fault::CutAnswer) => (answer, Cut::MidAnswer),
        Some(Fault::GarbledAnswer) => (Answer::new(200, GARBLED_BODY.into()), Cut::None),
        Some(Fault::Error500AfterCharge) => (ApiError::internal().answer(), Cut::None),
        _ => (answer, Cut::None),
    };
    Delivery::Answered { answer, delay_ms, cut }
}

fn restored_intent(entry: &JournalEntry, id: IntentId) -> Result<Intent, &'static str> {
    let fingerprint = hex_bytes(&entry.fingerprint).and_then(|bytes| bytes.try_into().ok());
    Ok(Intent {
        sequence: entry.sequence,
        at_ms: entry.at_ms,
        id,
        idempotency_key: entry.idempotency_key.as_deref().map(Box::from),
        fingerprint: fingerprint.ok_or("fingerprint")?,
        amount_minor: entry.amount_minor,
        currency: entry.currency.as_bytes().try_into().map_err(|_| "currency")?,
        payment_method: entry.payment_method.as_str().into(),
        behaviour: Token::behaviour_of(&entry.payment_method).ok_or("payment method")?,
        description: entry.description.as_deref().map(Box::from),
        metadata: entry
            .metadata
            .iter()
            .map(|(name, value)| (Box::from(name.as_str()), Box::from(value.as_str())))
            .collect(),
        saved_error: entry.saved_error,
    })
}

#[cfg(test)]
#[path = "bank_tests.rs"]
mod tests;
