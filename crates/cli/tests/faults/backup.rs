//! A backup of a server that collects, and the server that starts from it.

use std::path::Path;
use std::process::{Command, Output};

use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};
use payment_runs_types::ops::PaymentState;

use crate::check;
use crate::ledger::LARGE;
use crate::server::{Launch, TestTime, until};

pub(crate) fn back_up(folder: &Path, to: &Path) -> Output {
    let database = format!("sqlite:{}", folder.join("node.db").display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_payment-runs"));
    command.arg("backup").arg(to).args(["--database", &database]).output().unwrap()
}

/// A backup does not disturb a run at work, and a server starts from it. With `--restored` that server charges nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_while_charges_go_on_and_starts() {
    let (folder, other) = (LARGE.in_new_folder().await, tempfile::tempdir().unwrap());
    let bank = SimulatorConfig { latency_ms: 2, ..SimulatorConfig::default() };
    let bank = Simulator::start(bank).await.unwrap();
    let mut time = TestTime::new();
    let server = time.launch(&Launch::new(folder.path(), &bank.url())).start();
    let run = server.create_run().await;
    until("some charges", async || {
        time.tick_run(&server).await;
        bank.journal().len() >= 200
    })
    .await;
    let backup = other.path().join("node.db");
    let made = back_up(folder.path(), &backup);
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(made.status.success(), "{said}{}", String::from_utf8_lossy(&made.stderr));
    let counts = format!("{} accounts, {} documents, ", LARGE.accounts, LARGE.count());
    assert!(said.contains(&counts) && said.trim_end().ends_with("1 payment runs; verified"), "{said}");
    let again = back_up(folder.path(), &backup);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(!again.status.success() && said.contains("a backup overwrites nothing"), "{said}");

    time.until_completed(&server, &run).await;
    let summary = server.summary(&run).await;
    server.kill();
    check::everything_once("a backup meanwhile", LARGE, &bank.journal(), &summary);

    let deliveries = bank.journal().len();
    let restored = time.launch(&Launch::new(other.path(), &bank.url()).with("--restored")).start();
    let found = restored.find_only_run().await;
    assert_eq!(found.as_ref(), Some(&run), "it was at work when the backup was made");
    time.until_over(&restored, &run).await;
    // What was declined before the backup is due again, whatever else is.
    let next = restored.create_run().await;
    time.until_over(&restored, &next).await;
    assert!(restored.count_payments(PaymentState::Canceled).await.unwrap() > 0, "charges were kept back");
    assert_eq!(bank.journal().len(), deliveries, "nothing was charged");
    restored.kill();
    bank.stop().await;
}
