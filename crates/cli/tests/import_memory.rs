//! Imports of any length fit into little memory: the real program sends documents to the real server, and the most memory
//! that either ever used is measured.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a measurement is told")]
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET};
use serde_json::Value;

/// The most that either process may use: 128 MB, in KiB.
const PEAK_KIB_MAX: u64 = 125_000;

/// Documents of each account.
const DOCUMENTS_EACH: u64 = 100;

/// How often the program's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

fn program(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payment-runs"));
    command.env("PAYMENT_RUNS_CLIENT_ID", CLIENT_ID).env("PAYMENT_RUNS_CLIENT_SECRET", CLIENT_SECRET);
    command.env("PAYMENT_RUNS_URL", url).env("RUST_LOG", "warn").stdout(Stdio::piped());
    command
}

/// A server, ended with the test.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let database = format!("sqlite:{}", folder.join("imports.db").display());
        let mut process =
            program("").args(["serve", "--listen", "127.0.0.1:0", "--database", &database]).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find_map(|line| line.strip_prefix("Payment runs on ").map(str::to_owned));
        Self { process, url: url.expect("it tells its address") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where this fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The most memory that a process has used so far, in KiB; nothing once it has ended.
fn peak_kib(process: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Imports a file; gives what the program told and its peak.
fn import(server: &Server, kind: &str, file: &Path) -> (Value, u64) {
    let mut process = program(&server.url).args(["import", kind, "--json"]).arg(file).spawn().unwrap();
    let mut peak = 0;
    while process.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(&process).unwrap_or(0));
        std::thread::sleep(LOOK_EVERY);
    }
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    (serde_json::from_slice(&output.stdout).unwrap(), peak)
}

fn import_documents(documents: u64) {
    let folder = tempfile::tempdir().unwrap();
    let accounts = folder.path().join("accounts.csv");
    let mut file = BufWriter::new(File::create(&accounts).unwrap());
    writeln!(file, "number,name,currency").unwrap();
    for account in 0..documents.div_ceil(DOCUMENTS_EACH) {
        writeln!(file, "A{account:06},Account {account},USD").unwrap();
    }
    file.flush().unwrap();
    let lines = folder.path().join("documents.ndjson");
    let mut file = BufWriter::new(File::create(&lines).unwrap());
    for document in 0..documents {
        writeln!(
            file,
            r#"{{"type":"Invoice","number":"INV{document:08}","account":"A{:06}","amount":{}.25,"document_date":"2026-01-01","due_date":"2026-01-31"}}"#,
            document / DOCUMENTS_EACH,
            1 + document % 1_000,
        )
        .unwrap();
    }
    file.flush().unwrap();

    let server = Server::start(folder.path());
    import(&server, "accounts", &accounts);
    let (told, program_kib) = import(&server, "documents", &lines);
    let server_kib = peak_kib(&server.process).unwrap();
    println!(
        "{} documents in {:.1} s, {} a second; peak of the program {program_kib} KiB, of the server {server_kib} KiB",
        told["lines"],
        told["seconds"].as_f64().unwrap(),
        told["lines_per_second"],
    );
    assert_eq!(told["import"]["lines_stored"], documents, "{told}");
    assert!(program_kib > 0 && program_kib < PEAK_KIB_MAX, "the program used {program_kib} KiB");
    assert!(server_kib < PEAK_KIB_MAX, "the server used {server_kib} KiB");
}

#[test]
fn an_import_fits_into_little_memory() {
    import_documents(20_000);
}

/// `cargo test --release -p payment-runs-cli --test import_memory -- --ignored --nocapture` tells the rate.
#[test]
#[ignore = "takes minutes; `cargo xtask test --full` runs it, optimised"]
fn an_import_of_a_million_documents_fits_into_little_memory() {
    let documents = std::env::var("PAYMENT_RUNS_IMPORT_DOCUMENTS").ok();
    import_documents(documents.map_or(1_000_000, |count| count.parse().unwrap()));
}
