//! The real binary, killed at random moments of a run: started again, it finishes the run, and the gateway's journal
//! shows that every document was charged once, to the cent, and none was lost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::civil::date;
use payment_runs_client::{Connection, RetryPolicy};
use payment_runs_engine::account::{Account, AccountStatus, Stamps};
use payment_runs_engine::command::Load;
use payment_runs_engine::document::{Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey, PaymentMethodId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment_method::{
    Instrument, PaymentMethod, PaymentMethodKind, PaymentMethodStatus,
};
use payment_runs_engine::ports::Ledger;
use payment_runs_gateway::simulator::{JournalEntry, Simulator, SimulatorConfig, SimulatorHandle};
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, TestNode, USER};
use payment_runs_types::v1::{CreatePaymentRunRequest, PaymentRunStatus};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How often the server is killed. Each moment comes from its own seed.
const KILLS: u64 = 20;
/// Accounts in the ledger.
const ACCOUNTS: u32 = 125;
/// Invoices of each: two chunks and a half in all.
const INVOICES: u32 = 20;
/// Every tenth account has a card that declines.
const DECLINE_EVERY: u32 = 10;
/// How long to wait between two looks at the journal or the run.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Looks at most before a test gives up: over a minute.
const LOOKS_MAX: usize = 30_000;
/// The database's name in a node's folder.
const DATABASE: &str = "node.db";

fn all() -> usize {
    usize::try_from(ACCOUNTS * INVOICES).unwrap()
}

fn amount(ordinal: u32) -> i64 {
    100 + i64::from(ordinal)
}

/// Accounts with cards and invoices, as they are before any run.
fn ledger() -> Load {
    let stamps = Stamps::new("2024-01-01T00:00:00Z".parse().unwrap(), USER);
    let mut load = Load::default();
    for account in 0..ACCOUNTS {
        let id = AccountId::from_u128(1_000_000 + u128::from(account));
        let method = PaymentMethodId::from_u128(2_000_000 + u128::from(account));
        let token = if account % DECLINE_EVERY == 0 { "pm_card_chargeCustomerFail" } else { "pm_card_visa" };
        load.accounts.push(Account {
            id,
            number: format!("A{account:08}"),
            name: format!("Account {account}"),
            currency: Currency::USD,
            auto_pay: true,
            batch: None,
            bill_cycle_day: 1,
            gateway: None,
            default_payment_method: Some(method),
            status: AccountStatus::Active,
            organization: None,
            credit_balance_minor: 0,
            stamps,
        });
        load.payment_methods.push(PaymentMethod {
            id: method,
            account: Some(id),
            kind: PaymentMethodKind::CreditCard,
            kind_name: "CreditCard".to_owned(),
            status: PaymentMethodStatus::Active,
            instrument: Instrument { token: Some(token.to_owned()), ..Instrument::default() },
            use_default_retry_rule: true,
            retry_rule: payment_runs_engine::account::RetryRule::default(),
            consecutive_failures: 0,
            last_failed_at: None,
            last_transaction_at: None,
            last_transaction: None,
            processed_payments: 0,
            error_payments: 0,
            stamps,
        });
        load.documents.extend((0..INVOICES).map(|n| invoice(id, account * INVOICES + n, stamps)));
    }
    load
}

fn invoice(account: AccountId, ordinal: u32, stamps: Stamps) -> Document {
    Document {
        id: DocumentId::from_u128(3_000_000 + u128::from(ordinal)),
        number: format!("INV{ordinal:08}"),
        kind: DocumentKind::Invoice,
        account,
        status: DocumentStatus::Posted,
        currency: Currency::USD,
        amount_minor: amount(ordinal),
        balance_minor: amount(ordinal),
        paid_minor: 0,
        credited_minor: 0,
        document_date: date(2024, 1, 1),
        due_date: date(2024, 1, 1),
        auto_pay: true,
        bill_run: None,
        payment_method: None,
        held_by: None,
        comment: None,
        reason_code: None,
        posted_at: Some(stamps.created_at),
        stamps,
    }
}

/// The real program, serving.
///
/// Nobody reads its output after the first line: that the pipe is closed must not disturb it.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path, gateway: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_payment-runs"))
            .args(["serve", "--listen", "127.0.0.1:0", "--gateway", gateway, "--database"])
            .arg(format!("sqlite:{}", folder.join(DATABASE).display()))
            .env("PAYMENT_RUNS_CLIENT_ID", CLIENT_ID)
            .env("PAYMENT_RUNS_CLIENT_SECRET", CLIENT_SECRET)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let url = first
            .trim_end()
            .strip_prefix("Payment runs on ")
            .expect("the first line is the address")
            .to_owned();
        Self { process, url }
    }

    fn client(&self) -> Connection {
        let builder = Connection::builder(&self.url).credentials(CLIENT_ID, CLIENT_SECRET);
        builder.retry(RetryPolicy::never()).build().unwrap()
    }

    /// Ends the process as `kill -9` does.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Looks until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if is_so().await {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "another process offers nothing to wait on")]
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("{what} did not happen");
}

/// A folder with a database that holds the ledger. It is never copied: a copy could miss what lies in the log beside it.
async fn folder_with_ledger() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let node = TestNode::builder().with_system_clock().in_folder(folder.path()).without_worker();
    let node = node.start().await.unwrap();
    node.store().load(EntityKey::FIRST, ledger()).await.unwrap();
    node.stop().await;
    folder
}

async fn bank() -> SimulatorHandle {
    Simulator::start(SimulatorConfig { latency_ms: 1, ..SimulatorConfig::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_finishes_its_run_and_charges_nothing_twice() {
    for seed in 0..KILLS {
        let folder = folder_with_ledger().await;
        let bank = bank().await;
        let kill_after = StdRng::seed_from_u64(seed).random_range(0..all());

        let server = Server::start(folder.path(), &bank.url());
        let request = CreatePaymentRunRequest {
            target_date: Some(date(2024, 7, 24).into()),
            ..CreatePaymentRunRequest::default()
        };
        let client = server.client();
        let created = client.v1().create_payment_run().body(request).send().await.unwrap().into_inner();
        let run = created.id;
        let moment = format!("the moment to kill, after {kill_after} charges (seed {seed})");
        until(&moment, async || bank.journal().len() >= kill_after).await;
        server.kill();

        let server = Server::start(folder.path(), &bank.url());
        let client = server.client();
        until("the end of the run", async || {
            let run = client.v1().get_payment_run().payment_run_key(&run).send().await.unwrap();
            run.status == PaymentRunStatus::Completed
        })
        .await;
        let summary = client.v1().get_payment_run_summary().payment_run_key(&run).send().await.unwrap();
        let summary = serde_json::to_value(&*summary).unwrap();
        server.kill();
        check(seed, kill_after, &bank.journal(), &summary);
        bank.stop().await;
    }
}

/// Every document once, to the cent, none lost, and the counters say the same.
fn check(seed: u64, kill_after: usize, journal: &[JournalEntry], summary: &serde_json::Value) {
    let told = format!("seed {seed}, killed after {kill_after} charges");
    let mut charged: BTreeMap<&str, Vec<&JournalEntry>> = BTreeMap::new();
    for entry in journal.iter().filter(|entry| !entry.replay) {
        charged.entry(entry.reference.as_deref().unwrap()).or_default().push(entry);
    }
    let twice: Vec<_> = charged.iter().filter(|(_, entries)| entries.len() > 1).collect();
    assert!(twice.is_empty(), "{told}: charged twice: {twice:?}");
    assert_eq!(charged.len(), all(), "{told}: a document was lost or charged under two payments");
    let mut amounts: Vec<i64> = charged.values().map(|entries| entries[0].amount_minor).collect();
    amounts.sort_unstable();
    let owed: Vec<i64> = (0..ACCOUNTS * INVOICES).map(amount).collect();
    assert_eq!(amounts, owed, "{told}: the amounts differ");

    let approved = journal.iter().filter(|entry| !entry.replay && entry.moved_money()).count();
    assert_eq!(summary["numberOfPayments"], approved, "{told}: {summary}");
    assert_eq!(summary["numberOfErrors"], all() - approved, "{told}: {summary}");
    assert_eq!(summary["numberOfInvoices"], all(), "{told}: {summary}");
}
