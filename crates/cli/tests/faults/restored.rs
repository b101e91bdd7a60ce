//! A ledger that is restored from its backup beside a gateway that has gone on, and reconciled.

use std::path::Path;
use std::process::{Command, Output};

use payment_runs_gateway::simulator::{JournalTotals, Simulator, SimulatorConfig, SimulatorHandle};
use payment_runs_types::ops::PaymentState;
use payment_runs_types::v1::{CreatePaymentRequest, CreatePaymentRunRequest};
use serde_json::json;
use tempfile::TempDir;

use crate::backup::back_up;
use crate::check;
use crate::ledger::{Ledger, SMALL};
use crate::server::{Launch, Server, TestTime};

fn program(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payment-runs"));
    let database = format!("sqlite:{}", folder.join("node.db").display());
    command.args(arguments).args(["--database", &database]).env("RUST_LOG", "off").output().unwrap()
}

fn reconcile_since(folder: &Path, bank: &SimulatorHandle, since: &str, more: &[&str]) -> Output {
    let url = bank.url();
    let arguments = [&["reconcile", "--since", since, "--gateway", &url], more].concat();
    program(folder, &arguments)
}

fn reconcile(folder: &Path, bank: &SimulatorHandle, more: &[&str]) -> (bool, String) {
    let output = reconcile_since(folder, bank, "2020-01-01T00:00:00Z", more);
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Reconciles with a list that begins too late, and gives the time from which on it must begin.
fn reconcile_too_late(folder: &Path, bank: &SimulatorHandle) -> String {
    let late = reconcile_since(folder, bank, "2100-01-01T00:00:00Z", &["--apply"]);
    let said = String::from_utf8(late.stderr).unwrap();
    let begin = "nothing is charged yet: the comparison must begin with --since ";
    let (_, since) = said.split_once(begin).unwrap_or_else(|| panic!("{said}"));
    assert!(!late.status.success());
    since.split_whitespace().next().unwrap().to_owned()
}

fn unmatched(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = program(folder, &[&["unmatched"], arguments].concat());
    let told = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(told).unwrap())
}

/// A server over a small ledger, with a backup from before anything was collected.
struct BackedUp {
    folder: TempDir,
    /// The folder of the backup.
    other: TempDir,
    bank: SimulatorHandle,
    time: TestTime,
    server: Server,
}

async fn backed_up(ledger: Ledger, config: SimulatorConfig) -> BackedUp {
    let (folder, other) = (ledger.in_new_folder().await, tempfile::tempdir().unwrap());
    let bank = Simulator::start(config).await.unwrap();
    let time = TestTime::new();
    let server = time.launch(&Launch::new(folder.path(), &bank.url())).start();
    let made = back_up(folder.path(), &other.path().join("node.db"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    BackedUp { folder, other, bank, time, server }
}

/// Everything that the gateway has charged since the backup is taken over by its keys, and nothing is charged again, also by a
/// gateway that has forgotten the keys.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_charges_nothing_until_it_was_reconciled() {
    let config = SimulatorConfig { key_life_ms: 1, ..SimulatorConfig::default() };
    let BackedUp { folder: _folder, other, bank, mut time, server } = backed_up(SMALL, config).await;
    let run = server.create_run().await;
    time.until_completed(&server, &run).await;
    let processed = server.count_payments(PaymentState::Processed).await.unwrap();
    server.kill();
    let charged = JournalTotals::of(&bank.journal());

    let restored = time.launch(&Launch::new(other.path(), &bank.url())).start();
    let run = restored.create_run().await;
    time.until_over(&restored, &run).await;
    assert_eq!(restored.count_payments(PaymentState::Canceled).await, Ok(SMALL.count()));
    assert_eq!(JournalTotals::of(&bank.journal()), charged, "nothing was charged");
    restored.terminate().await;

    let (is_equal, report) = reconcile(other.path(), &bank, &[]);
    assert!(!is_equal && report.contains("to be adopted as payment of INV00000019"), "{report}");
    assert!(report.contains(&format!("{} differences", SMALL.count())), "{report}");
    let since = reconcile_too_late(other.path(), &bank);
    let (is_equal, again) = reconcile(other.path(), &bank, &[]);
    assert_eq!((is_equal, again), (false, report), "neither a report nor a late list changes anything");
    let applied = reconcile_since(other.path(), &bank, &since, &["--apply"]);
    let report = String::from_utf8(applied.stdout).unwrap();
    assert!(applied.status.success() && report.ends_with("Charges are sent again.\n"), "{report}");
    let (is_equal, report) = reconcile(other.path(), &bank, &[]);
    assert!(is_equal && report.ends_with("\n0 differences\n"), "{report}");

    let server = time.launch(&Launch::new(other.path(), &bank.url())).start();
    assert_eq!(server.count_payments(PaymentState::Processed).await, Ok(processed));
    let run = server.create_run().await;
    time.until_completed(&server, &run).await;
    let declined = SMALL.count() - processed;
    let totals = JournalTotals::of(&bank.journal());
    assert_eq!(totals.succeeded, charged.succeeded, "what was paid is not charged again");
    assert_eq!(totals.declined, charged.declined + declined as u64, "what was declined is tried again");
    check::nothing_twice("restored", &bank.journal());
    server.kill();
    bank.stop().await;
}

/// A person who has compared the charges lets them be sent again; the differences are left as they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_ended_by_hand_changes_nothing_else() {
    let ledger = Ledger { accounts: 2, invoices: 3 };
    let config = SimulatorConfig::default();
    let BackedUp { folder: _folder, other, bank, mut time, server } = backed_up(ledger, config).await;
    let run = server.create_run().await;
    time.until_completed(&server, &run).await;
    server.kill();
    let restored = time.launch(&Launch::new(other.path(), &bank.url()).with("--restored")).start();
    restored.terminate().await;

    let (_, held) = reconcile(other.path(), &bank, &[]);
    let (differences, reason) = held.split_once("Nothing is charged until").unwrap();
    assert!(differences.ends_with(&format!("\n{} differences\n", ledger.count())), "{held}");
    assert!(reason.contains("--restored"), "{held}");
    let by_hand = reconcile(other.path(), &bank, &["--apply", "--by-hand"]);
    assert_eq!(by_hand, (true, "Charges are sent again.\n".to_owned()));
    let (is_equal, after) = reconcile(other.path(), &bank, &[]);
    assert_eq!((is_equal, after.as_str()), (false, differences), "the hold alone has ended");
    bank.stop().await;
}

/// Collects everything that is due, one payment for each account.
async fn collect(time: &mut TestTime, server: &Server) {
    let body = json!({ "targetDate": "2024-07-24", "collectPayment": true, "consolidatedPayment": true });
    let body: CreatePaymentRunRequest = serde_json::from_value(body).unwrap();
    let run = server.client().v1().create_payment_run().body(body).send().await.unwrap().into_inner();
    time.until_completed(server, &run.id).await;
}

/// What was charged for documents that the restored ledger cannot tell keeps its account from being charged, until a person says
/// which documents it paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_cannot_be_matched_waits_for_a_person() {
    let ledger = Ledger { accounts: 2, invoices: 3 };
    let config = SimulatorConfig::default();
    let BackedUp { folder: _folder, other, bank, mut time, server } = backed_up(ledger, config).await;
    collect(&mut time, &server).await;
    server.kill();
    let charged = JournalTotals::of(&bank.journal());
    assert_eq!((charged.succeeded, charged.declined), (1, 1));

    // One of the three invoices is paid otherwise before the ledger is reconciled.
    let restored = time.launch(&Launch::new(other.path(), &bank.url())).start();
    let paid = json!({
        "accountNumber": "A00000001", "amount": 1.04, "currency": "USD", "type": "External",
        "invoices": [{ "invoiceNumber": "INV00000004", "amount": 1.04 }],
    });
    let paid: CreatePaymentRequest = serde_json::from_value(paid).unwrap();
    restored.client().v1().create_payment().body(paid).send().await.unwrap();
    restored.terminate().await;

    let (is_applied, report) = reconcile(other.path(), &bank, &["--apply"]);
    assert!(is_applied && report.contains("its documents cannot be told from its metadata"), "{report}");
    let (_, list) = unmatched(other.path(), &["list"]);
    let number = list.split_whitespace().next().unwrap().to_owned();
    assert!(list.contains("account A00000001  3.12 USD, 3.12 USD unapplied"), "{list}");
    assert!(list.ends_with("2 open documents held\n"), "{list}");
    let server = time.launch(&Launch::new(other.path(), &bank.url())).start();
    collect(&mut time, &server).await;
    server.terminate().await;
    assert_eq!(JournalTotals::of(&bank.journal()).succeeded, 1, "the account is not charged");

    let apply = |documents: &[&str]| {
        let documents = documents.iter().flat_map(|one| ["--document", one]);
        unmatched(other.path(), &["apply", &number].into_iter().chain(documents).collect::<Vec<_>>())
    };
    let (is_done, told) = apply(&["INV00000003", "INV00000004"]);
    assert!(!is_done && told.contains("no free open document INV00000004"), "{told}");
    let (is_done, told) = apply(&["INV00000003"]);
    assert_eq!(
        (is_done, told),
        (true, format!("{number}: 2.09 USD stay unapplied; the account's documents are free\n"))
    );
    let (is_done, told) = unmatched(other.path(), &["release", &number]);
    assert!(!is_done && told.contains("there is no unmatched payment"), "{told}");

    let server = time.launch(&Launch::new(other.path(), &bank.url())).start();
    collect(&mut time, &server).await;
    assert_eq!(JournalTotals::of(&bank.journal()).succeeded, 2, "INV00000005 is collected");
    server.kill();
    bank.stop().await;
}
