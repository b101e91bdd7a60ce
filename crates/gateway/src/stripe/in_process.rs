//! Calls to a simulated bank without a network: the same protocol, faults and answers, but time
//! and tasks come from the ports, so that a seed replays a whole run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use payment_runs_engine::ports::{Clock, LISTED_PAGE_MAX, Spawner};

use super::exchange::{Exchange, ExchangeAnswer, ExchangeError, ExchangeRequest, Target};
use super::form::SEARCH_LIMIT;
use crate::simulator::answer::Answer;
use crate::simulator::bank::{Bank, Cut, Delivery};
use crate::simulator::request::{ChargeRequest, parse_charge, parse_method};

/// A bank in the same process.
pub struct InProcess {
    bank: Arc<Bank>,
    clock: Arc<dyn Clock>,
    spawner: Arc<dyn Spawner>,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("bank", &self.bank).finish_non_exhaustive()
    }
}

impl InProcess {
    /// Reaches `bank`.
    pub fn new(bank: Arc<Bank>, clock: Arc<dyn Clock>, spawner: Arc<dyn Spawner>) -> Self {
        Self { bank, clock, spawner }
    }

    async fn pause_ms(&self, duration_ms: u64) {
        if duration_ms > 0 {
            let now = self.clock.now();
            let until = now.checked_add(Duration::from_millis(duration_ms)).unwrap_or(now);
            self.clock.sleep_until(until).await;
        }
    }

    async fn charge(
        &self,
        call: &ExchangeRequest,
        timeout: Duration,
    ) -> Result<ExchangeAnswer, ExchangeError> {
        let request = match parse_charge(&call.body) {
            Ok(request) => request,
            Err(error) => return Ok(wire(error.answer())),
        };
        let key = call.idempotency_key.as_deref();
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        match self.bank.deliver(&request, key, self.now_ms()) {
            Delivery::Answered { answer, delay_ms, cut } if delay_ms < timeout_ms => {
                self.pause_ms(delay_ms).await;
                match cut {
                    Cut::None => Ok(wire(answer)),
                    Cut::BeforeAnswer | Cut::MidAnswer => Err(ExchangeError::Broken("cut on purpose".into())),
                }
            }
            Delivery::Answered { .. } => {
                self.pause_ms(timeout_ms).await;
                Err(ExchangeError::TimedOut(timeout))
            }
            Delivery::Later { after_ms } => {
                let charged = self.charge_later(request, key, after_ms);
                self.pause_ms(after_ms.min(timeout_ms)).await;
                if after_ms < timeout_ms { charged.take() } else { None }
                    .map(wire)
                    .ok_or(ExchangeError::TimedOut(timeout))
            }
        }
    }

    /// The charge lands in a task of its own: it does not end with the call that asked for it.
    fn charge_later(&self, request: ChargeRequest, key: Option<&str>, after_ms: u64) -> Arc<LateAnswer> {
        let late = Arc::new(LateAnswer::default());
        let (bank, clock, key) = (Arc::clone(&self.bank), Arc::clone(&self.clock), key.map(str::to_owned));
        let landed = Arc::clone(&late);
        let now = self.clock.now();
        let at = now.checked_add(Duration::from_millis(after_ms)).unwrap_or(now);
        self.spawner.spawn(
            "late charge",
            Box::pin(async move {
                clock.sleep_until(at).await;
                landed.put(bank.charge_late(&request, key.as_deref(), clock.now().as_millisecond()));
            }),
        );
        late
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

/// The answer of a charge that lands later.
#[derive(Debug, Default)]
struct LateAnswer(Mutex<Option<Answer>>);

impl LateAnswer {
    fn put(&self, answer: Answer) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }

    fn take(&self) -> Option<Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn wire(answer: Answer) -> ExchangeAnswer {
    let retry_after = answer.retry_after_s.map(Duration::from_secs);
    ExchangeAnswer { status: answer.status, retry_after, body: Bytes::from(answer.body) }
}

#[async_trait]
impl Exchange for InProcess {
    async fn exchange(
        &self,
        request: &ExchangeRequest,
        timeout: Duration,
    ) -> Result<ExchangeAnswer, ExchangeError> {
        let answer = match &request.target {
            Target::CreatePaymentIntent => return self.charge(request, timeout).await,
            Target::SearchPaymentIntents { reference } => {
                self.bank.search(reference, 0, SEARCH_LIMIT, self.now_ms())
            }
            Target::ListPaymentIntents { since_s, after } => {
                self.bank.list(*since_s, after.as_deref(), LISTED_PAGE_MAX, self.now_ms())
            }
            Target::GetAccount => self.bank.account(),
            Target::CreatePaymentMethod => match parse_method(&request.body) {
                Ok(method) => self.bank.tokenise(method, request.idempotency_key.as_deref(), self.now_ms()),
                Err(error) => error.answer(),
            },
        };
        Ok(wire(answer))
    }
}
