//! A preview says exactly what the run that follows does, on a thousand random ledgers.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a test may fail by panicking, and its numbers are small"
)]

mod ledger;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::account::Scope;
use payment_runs_engine::command::{Command, NewRun, Output, Request};
use payment_runs_engine::ids::{EntityKey, Key, PaymentId, RunId};
use payment_runs_engine::ports::ledger::{DecisionPosition, DecisionQuery};
use payment_runs_engine::ports::{
    Access, Charge, EncodeCharge, Executed, Ids, LEDGER_ID_NAME, Ledger, LedgerError, Outcome, Preview,
    PreviewQuery, Previewed, PreviewedDecision, Settlement, Work,
};
use payment_runs_engine::run::{Count, Tallies};
use payment_runs_store::{Executor, SqliteStore};

use ledger::{Random, USER, now};

/// Decisions read at once; more than any ledger here has.
const ALL: u32 = 1_000;

struct Numbers(AtomicU64);

impl Ids for Numbers {
    fn next_id(&self) -> u128 {
        (0x0190_u128 << 112) | u128::from(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

struct Encoder;

impl EncodeCharge for Encoder {
    fn encode(&self, charge: &Charge) -> Vec<u8> {
        charge.token.clone().into_bytes()
    }
}

/// A store of its own, and a second pair of eyes on its file.
struct Bench {
    store: SqliteStore,
    eyes: rusqlite::Connection,
    ids: Arc<Numbers>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        // In memory where that is possible: a thousand ledgers are as many times durable.
        let shared = std::path::Path::new("/dev/shm");
        let folder = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        let path = folder.path().join("store.db");
        let store = SqliteStore::open(&path, Executor::Inline).unwrap();
        let eyes = rusqlite::Connection::open(&path).unwrap();
        let ledger_id = (LEDGER_ID_NAME, [7_u8; 32]);
        eyes.execute("INSERT INTO secret (name, value) VALUES (?1, ?2)", ledger_id).unwrap();
        Self { store, eyes, ids: Arc::new(Numbers(AtomicU64::new(1))), _folder: folder }
    }

    /// Changes whenever anybody else commits anything.
    fn version(&self) -> i64 {
        self.eyes.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap()
    }

    async fn preview(&self, query: PreviewQuery) -> Preview {
        let before = self.version();
        let previewed = self.store.preview_run(query).await.unwrap();
        assert_eq!(self.version(), before, "a preview writes nothing");
        match previewed {
            Previewed::Plan(preview) => preview,
            Previewed::TooLarge => panic!("no ledger here is too large"),
        }
    }

    async fn create(&self, entity: EntityKey, new: NewRun) {
        let scope = Scope::entity(entity);
        let request = Request { scope, user: USER, now: now(), command: Command::CreateRun(new) };
        let ids: Arc<dyn Ids> = Arc::<Numbers>::clone(&self.ids);
        let executed = self.store.execute(request, None, Arc::new(Encoder), ids).await.unwrap();
        assert!(matches!(executed, Executed::Fresh(Output::Run(_))), "{executed:?}");
    }

    /// Cuts and plans the whole run; settles each chunk when it is planned, or none.
    async fn work(&self, documents_per_chunk: usize, settles: bool) {
        let ids: Arc<dyn Ids> = Arc::<Numbers>::clone(&self.ids);
        let claim = self.store.claim_selection(now(), lease(), ids).await.unwrap().unwrap();
        while !self.store.extend_selection(&claim, now(), 3, documents_per_chunk).await.unwrap() {}
        while let Some(claim) = self.store.claim_chunk(now(), lease()).await.unwrap() {
            let ids: Arc<dyn Ids> = Arc::<Numbers>::clone(&self.ids);
            let opened = self.store.open_chunk(&claim, now(), Arc::new(Encoder), ids).await.unwrap();
            if settles {
                let settlements = opened.intents.iter().map(|intent| approved(intent.payment)).collect();
                self.store.settle(&claim, now(), settlements).await.unwrap();
                self.store.close_chunk(&claim, now()).await.unwrap();
            }
        }
    }

    /// What the run decided, with the gateways of its payments and without their identifiers.
    async fn decisions(&self, entity: EntityKey, run: RunId) -> Vec<PreviewedDecision> {
        let query = DecisionQuery { limit: ALL, ..DecisionQuery::default() };
        let mut told = Vec::new();
        for (position, mut decision) in self.store.list_decisions(entity, run, query).await.unwrap() {
            let mut gateway = None;
            if let Some(payment) = decision.payment.take() {
                let key = Key::new(payment.to_string());
                let payment = self.store.find_payment(&Scope::entity(entity), &key).await.unwrap().unwrap();
                assert_eq!(payment.payment_method, decision.payment_method);
                gateway = payment.gateway;
            }
            told.push(PreviewedDecision { position, decision, gateway });
        }
        told
    }
}

fn lease() -> Timestamp {
    now() + SignedDuration::from_hours(1)
}

fn approved(payment: PaymentId) -> Settlement {
    Settlement { payment, outcome: Outcome::Approved { reference: format!("ch_{payment}") } }
}

fn query(entity: EntityKey, run: NewRun, documents_per_chunk: usize) -> PreviewQuery {
    PreviewQuery {
        scope: Scope::entity(entity),
        user: USER,
        now: now(),
        run,
        documents_per_chunk,
        documents_max: u64::from(ALL),
        after: None,
        limit: ALL,
    }
}

/// Decisions without the payments that exist nowhere.
fn without_payments(decisions: &[PreviewedDecision]) -> Vec<PreviewedDecision> {
    let mut decisions = decisions.to_vec();
    for one in &mut decisions {
        one.decision.payment = None;
    }
    decisions
}

/// The counters that a plan has once every payment in it was approved, as far as they depend on the plan alone.
fn if_approved(planned: &Tallies) -> Tallies {
    let mut tallies = planned.clone();
    for tally in tallies.values_mut() {
        tally.payments = std::mem::take(&mut tally.processing);
        tally.unprocessed_invoices = Count::default();
        tally.unprocessed_debit_memos = Count::default();
        tally.processed_records = 0;
    }
    tallies
}

/// The same part of counters that are real.
fn approved_part(tallies: &Tallies) -> Tallies {
    let mut tallies = tallies.clone();
    for tally in tallies.values_mut() {
        tally.unprocessed_invoices = Count::default();
        tally.unprocessed_debit_memos = Count::default();
        tally.processed_records = 0;
    }
    tallies
}

/// Pages of a preview, put together.
async fn in_pages(bench: &Bench, whole: &PreviewQuery, limit: u32) -> Vec<PreviewedDecision> {
    let mut after: Option<DecisionPosition> = None;
    let mut all = Vec::new();
    loop {
        let page = bench.preview(PreviewQuery { after, limit, ..whole.clone() }).await;
        let Some(last) = page.decisions.last() else { return all };
        after = Some(last.position);
        all.extend(page.decisions);
    }
}

/// What a number of ledgers had in them, to show that they had everything.
#[derive(Debug, Default)]
struct Seen {
    decisions: usize,
    payments: i64,
    credits: i64,
    follows: usize,
    records: usize,
    refused_records: i64,
    reasons: std::collections::BTreeSet<String>,
}

async fn compare(bench: &Bench, seed: u64, found: &mut Seen) {
    let entity = EntityKey(i32::try_from(seed).unwrap() + 1);
    let ledger = ledger::make(seed, u128::from(seed + 1) * 1_000_000);
    bench.store.put_settings(entity, ledger.settings.clone()).await.unwrap();
    bench.store.load(entity, ledger.load).await.unwrap();
    let whole = query(entity, ledger.run.clone(), ledger.documents_per_chunk);
    let preview = bench.preview(whole.clone()).await;
    assert_eq!(in_pages(bench, &whole, 1 + (seed % 5) as u32).await, preview.decisions, "seed {seed}: pages");

    let settles = Random::new(!seed).chance(50);
    let (run, records) = (ledger.run.id, ledger.run.records.len());
    bench.create(entity, ledger.run).await;
    bench.work(ledger.documents_per_chunk, settles).await;
    let decided = bench.decisions(entity, run).await;
    assert_eq!(without_payments(&preview.decisions), decided, "seed {seed}: decisions");
    let tallies = bench.store.run_tallies(entity, run).await.unwrap();
    if settles {
        assert_eq!(approved_part(&tallies), if_approved(&preview.tallies), "seed {seed}: totals");
    } else {
        assert_eq!(tallies, preview.tallies, "seed {seed}: totals");
    }
    found.decisions += decided.len();
    found.records += records;
    for tally in preview.tallies.values() {
        found.payments += tally.processing.number;
        found.credits +=
            tally.credit_memos.number + tally.unapplied_payments.number + tally.credit_balance.number;
        found.refused_records += tally.error_records;
    }
    found.follows += decided
        .windows(2)
        .filter(|pair| pair[0].decision.account == pair[1].decision.account)
        .filter(|pair| pair[0].position.chunk != pair[1].position.chunk)
        .count();
    found.reasons.extend(decided.iter().filter_map(|one| Some(format!("{:?}", one.decision.skipped?))));
}

/// The ledgers of a range of seeds, and that they had enough of everything in them.
async fn compare_all(seeds: std::ops::Range<u64>) {
    let bench = Bench::new();
    let mut seen = Seen::default();
    for seed in seeds {
        compare(&bench, seed, &mut seen).await;
    }
    assert!(seen.decisions > 1_000 && seen.payments > 300 && seen.credits > 150, "{seen:?}");
    assert!(seen.follows > 200 && seen.records > 400 && seen.refused_records > 100, "{seen:?}");
    assert!(seen.reasons.len() >= 10, "{seen:?}");
}

#[tokio::test]
async fn a_preview_equals_the_run_that_follows_on_ledgers_0_to_249() {
    compare_all(0..250).await;
}

#[tokio::test]
async fn a_preview_equals_the_run_that_follows_on_ledgers_250_to_499() {
    compare_all(250..500).await;
}

#[tokio::test]
async fn a_preview_equals_the_run_that_follows_on_ledgers_500_to_749() {
    compare_all(500..750).await;
}

#[tokio::test]
async fn a_preview_equals_the_run_that_follows_on_ledgers_750_to_999() {
    compare_all(750..1_000).await;
}

#[tokio::test]
async fn a_run_that_is_too_large_is_not_previewed() {
    let bench = Bench::new();
    let entity = EntityKey(1);
    let mut ledger = ledger::make(1, 1_000_000);
    ledger.run.filter = payment_runs_engine::run::RunFilter::default();
    ledger.run.records.clear();
    ledger.run.options = payment_runs_engine::run::RunOptions::default();
    bench.store.load(entity, ledger.load).await.unwrap();
    let asked = PreviewQuery { documents_max: 1, ..query(entity, ledger.run, 1) };
    assert_eq!(bench.store.preview_run(asked).await.unwrap(), Previewed::TooLarge);
}

#[tokio::test]
async fn a_run_that_would_be_refused_is_not_previewed() {
    let bench = Bench::new();
    let mut ledger = ledger::make(1, 1_000_000);
    ledger.run.target_date = None;
    ledger.run.filter.account = Some(payment_runs_engine::ids::AccountId::from_u128(404));
    let refused = bench.store.preview_run(query(EntityKey(1), ledger.run, 10)).await;
    let Err(LedgerError::Refused(reasons)) = refused else { panic!("{refused:?}") };
    assert!(reasons.len() >= 2, "{reasons:?}");
}
