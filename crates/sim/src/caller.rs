//! Callers: each asks for one thing, again if it hears nothing, under one idempotency key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::account::Scope;
use payment_runs_engine::command::{Command, Load, NewPayment, Request, Resolution};
use payment_runs_engine::ids::{Key, PaymentId};
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ledger::PaymentQuery;
use payment_runs_engine::ports::{
    EncodeCharge, Executed, Gateways, Ids, Ledger, LedgerError, Once, OnceKey, Output, Settlement,
    StoreError, StoredResponse,
};
use payment_runs_engine::single::{collect_single, deliver_by as deliver_by_of};
use payment_runs_store::SqliteStore;

use crate::bank::Bank;
use crate::chaos::PAY;
use crate::mutant::{Mutant, Saboteur};
use crate::operations::{Operation, What};
use crate::ports::Hand;
use crate::world::{ENTITY, USER};

/// How often a caller asks at most.
const ATTEMPTS_MAX: u32 = 3;

/// How long it waits before it asks again.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the server remembers an idempotency key: longer than any schedule, however its clock jumps.
const ONCE_LIFE: Duration = Duration::from_hours(24 * 1_000);

/// How long a payment is in doubt at least before a person looks at it: longer than anything is on its way to the bank.
const DOUBT_MIN: Duration = Duration::from_mins(5);

/// Payments that a person settles at once, at most.
const RESOLVED_MAX: u32 = 100;

/// Attempts of one caller have identifiers this far apart.
const ATTEMPT_STRIDE: u128 = 1 << 64;

/// What a caller remembers of its request. It outlives the server's process.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    attempts: AtomicU32,
    is_done: AtomicBool,
}

impl Memory {
    /// Whether it asks no more.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }
}

/// Somebody who asks for one thing.
pub(crate) struct Caller {
    pub(crate) store: SqliteStore,
    pub(crate) hand: Hand,
    pub(crate) gateways: Arc<dyn Gateways>,
    pub(crate) encoder: Arc<dyn EncodeCharge>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) saboteur: Option<Arc<Saboteur>>,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) operation: Operation,
    pub(crate) load: Load,
    pub(crate) banks: [Arc<Bank>; 2],
    /// The idempotency key.
    pub(crate) key: String,
    pub(crate) memory: Arc<Memory>,
}

/// What became of a request.
enum Heard {
    /// It was done, now or before.
    Done(Option<Box<Output>>),
    /// It was refused, or is being worked on.
    No,
    /// Nobody can tell.
    Nothing,
}

impl Caller {
    /// Asks until there is an answer or patience ends.
    pub(crate) async fn ask(self) {
        self.hand.sleep_until(self.operation.at).await;
        while self.memory.attempts.fetch_add(1, Ordering::Relaxed) < ATTEMPTS_MAX {
            if !matches!(self.attempt().await, Heard::Nothing) {
                break;
            }
            self.hand.sleep(PATIENCE).await;
        }
        self.memory.is_done.store(true, Ordering::Relaxed);
    }

    async fn attempt(&self) -> Heard {
        let name = self.operation.name;
        match &self.operation.what {
            What::Pay(payment) => self.pay(payment.clone()).await,
            What::Command(command) => self.execute(name, command.clone()).await,
            What::Resolve => self.resolve().await,
            What::LoadAgain => {
                let call = self.store.load(ENTITY, self.load.clone());
                let loaded = self.hand.step(name, call).await;
                self.hand.chaos.note(|| format!("{name}: {loaded:?}"));
                if loaded.is_ok() { Heard::Done(None) } else { Heard::Nothing }
            }
        }
    }

    /// Creates a payment, charges it, and records what came of it; what fails is left to the workers.
    async fn pay(&self, mut payment: NewPayment) -> Heard {
        let attempt = u128::from(self.memory.attempts.load(Ordering::Relaxed));
        payment.id = PaymentId::from_u128(payment.id.as_u128() + attempt * ATTEMPT_STRIDE);
        let clock = Arc::new(self.hand.clock.clone());
        let deliver_by = deliver_by_of(clock.as_ref());
        let heard = self.execute(PAY, Command::CreatePayment(payment)).await;
        let Heard::Done(Some(output)) = heard else { return heard };
        let Output::PaymentIntent(payment, intent) = *output else { return Heard::Done(None) };
        let deliver_by = match self.mutant {
            Some(Mutant::LateCaller) => deliver_by_of(clock.as_ref()),
            _ => deliver_by,
        };
        let outcome = collect_single(self.gateways.clone(), clock, &intent, deliver_by).await;
        let settlement = Settlement { payment: payment.id, outcome };
        self.execute("settle-payment", Command::SettlePayment(settlement)).await;
        Heard::Done(None)
    }

    /// Settles the payments that have been in doubt for a while, as a person does who has the bank's word. What is still
    /// on its way to the bank is left alone.
    async fn resolve(&self) -> Heard {
        let query = PaymentQuery {
            states: vec![PaymentState::Pending, PaymentState::Unknown],
            limit: RESOLVED_MAX,
            ..PaymentQuery::default()
        };
        let Ok(payments) = self.store.list_payments(&Scope::entity(ENTITY), query).await else {
            return Heard::No;
        };
        let now = self.hand.now();
        for payment in payments {
            let age = now.duration_since(payment.stamps.updated_at);
            if age.unsigned_abs() < DOUBT_MIN || age.is_negative() {
                continue;
            }
            let Some(collected) = payment.charge_key.as_deref().and_then(|key| self.word(key)) else {
                continue;
            };
            let resolution = Resolution {
                collected,
                reference: None,
                code: None,
                message: None,
                comment: "the bank says so".to_owned(),
            };
            let key = Key::new(payment.id.to_string());
            let doing = format!("{}-{}", self.key, payment.id);
            self.execute_as("resolve", Command::ResolvePayment(key, resolution), doing).await;
        }
        Heard::Done(None)
    }

    /// Whether money moved, as the banks of both accounts say.
    fn word(&self, key: &str) -> Option<bool> {
        let now = self.hand.clock.true_now();
        let words: Option<Vec<bool>> = self.banks.iter().map(|bank| bank.word(key, now)).collect();
        words.map(|words| words.contains(&true))
    }

    async fn execute(&self, doing: &'static str, command: Command) -> Heard {
        self.execute_as(doing, command, self.key.clone()).await
    }

    async fn execute_as(&self, doing: &'static str, command: Command, key: String) -> Heard {
        let call = self.call(command, key);
        let result = self.hand.step(doing, call).await;
        self.hand.chaos.note(|| match &result {
            Ok(Ok(_)) => format!("{doing}: done"),
            Ok(Err(why)) => format!("{doing}: {why}"),
            Err(error) => format!("{doing}: {error}"),
        });
        match result {
            Ok(Ok(output)) => Heard::Done(output.map(Box::new)),
            Ok(Err(_)) => Heard::No,
            Err(_) => Heard::Nothing,
        }
    }

    /// Carries a command out, in the mutant's way if there is one. What the caller did wrong is no error here.
    async fn call(
        &self,
        command: Command,
        key: String,
    ) -> Result<Result<Option<Output>, String>, StoreError> {
        let now = self.hand.now();
        let once = Some(once(key, now.checked_add(ONCE_LIFE).unwrap_or(now)));
        let command = match (&self.saboteur, command) {
            (Some(saboteur), Command::SettlePayment(settlement)) => {
                Command::SettlePayment(saboteur.before_settling(settlement)?)
            }
            (_, command) => command,
        };
        let stopped = match &command {
            Command::StopRun(run) => Some(run.clone()),
            _ => None,
        };
        let request = Request { scope: Scope::entity(ENTITY), user: USER, now, command };
        let executed = self.store.execute(request, once, self.encoder.clone(), self.ids.clone()).await;
        if let Some(saboteur) = &self.saboteur {
            saboteur.let_go()?;
            if let (Some(run), Ok(_)) = (stopped, &executed) {
                saboteur.after_stop(&self.store, &run, now).await?;
            }
        }
        match executed {
            Ok(Executed::Fresh(output)) => Ok(Ok(Some(output))),
            Ok(Executed::Replayed(_)) => Ok(Ok(None)),
            Ok(Executed::InFlight) => Ok(Err("in flight".to_owned())),
            Ok(Executed::Mismatch) => Ok(Err("another request has this key".to_owned())),
            Err(LedgerError::Refused(refusals)) => Ok(Err(format!("refused: {refusals:?}"))),
            Err(LedgerError::Store(error)) => Err(error),
        }
    }
}

fn once(key: String, expires_at: Timestamp) -> Once {
    Once {
        key: OnceKey { client: "caller".to_owned(), key, fingerprint: [7; 32] },
        expires_at,
        encode: Box::new(|_| StoredResponse(b"done".to_vec())),
    }
}
