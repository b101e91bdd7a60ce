//! `payment-runs import` and `export` against a running server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use payment_runs_client::Connection;
use payment_runs_client::types::ops::{CreateImportRequest, ImportFormat, ImportKind};
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, TestNode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The program, as somebody calls it who has set the environment, in a folder of its own.
struct Program {
    url: String,
    folder: TempDir,
}

impl Program {
    fn new(node: &TestNode) -> Self {
        Self { url: node.url(), folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_payment-runs"));
        command.env("PAYMENT_RUNS_URL", &self.url).env("PAYMENT_RUNS_CLIENT_ID", CLIENT_ID);
        command.env("PAYMENT_RUNS_CLIENT_SECRET", CLIENT_SECRET).env_remove("RUST_LOG");
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command
    }

    async fn output(&self, line: &str) -> Output {
        let mut command = self.command(line);
        // The server of the test answers in this process, so its threads must not wait for the program.
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// What it tells when it succeeds.
    async fn text(&self, line: &str) -> String {
        let output = self.output(line).await;
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it tells, and why it fails.
    async fn failure(&self, line: &str) -> (String, String) {
        let output = self.output(line).await;
        assert!(!output.status.success(), "{line} succeeds");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

fn counts(import: &Value) -> (i64, i64, i64) {
    let count = |name: &str| import[name].as_i64().unwrap();
    (count("next_line"), count("lines_stored"), count("lines_refused"))
}

const ACCOUNTS: &str = "number,name,currency\nA-1,\"Ada, Countess\",USD\nA-2,Charles,USD\n";

fn invoices(numbers: std::ops::RangeInclusive<usize>) -> String {
    let mut lines = String::new();
    for number in numbers {
        let line = json!({ "type": "Invoice", "number": format!("I-{number}"), "account": "A-1", "amount": 1, "document_date": "2026-01-01" });
        writeln!(lines, "{line}").unwrap();
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_in_are_collected_and_come_out() {
    let node = TestNode::builder().with_system_clock().start().await.unwrap();
    let program = Program::new(&node);
    program.write("accounts.csv", ACCOUNTS);
    let told = program.text("import accounts accounts.csv").await;
    assert!(told.starts_with("2 lines in ") && told.contains(" a second; the import "), "{told}");
    assert!(told.ends_with(" has 2 lines stored, 0 refused\n"), "{told}");
    let method =
        json!({ "account": "A-1", "type": "CreditCardReferenceTransaction", "token": "pm_card_visa" });
    program.write("methods", &method.to_string());
    let (_, unknown) = program.failure("import payment-methods methods").await;
    assert!(unknown.contains("--format"), "{unknown}");
    program.text("import payment-methods methods --format ndjson").await;
    program.write("documents.ndjson", &invoices(1..=1_500));
    let told: Value =
        serde_json::from_str(&program.text("import documents documents.ndjson --json").await).unwrap();
    assert_eq!(counts(&told["import"]), (1_501, 1_500, 0));
    assert_eq!((&told["lines"], &told["import"]["name"]), (&json!(1_500), &json!("documents.ndjson")));
    assert!(told["lines_per_second"].as_u64().unwrap() > 0 && told["seconds"].as_f64().unwrap() > 0.0);

    program.text("runs create --target-date 2026-01-31 --consolidated --watch").await;
    let decisions = program.text("export decisions --run PR-00000001").await;
    assert_eq!(decisions.lines().count(), 1_500);
    assert_eq!(
        serde_json::from_str::<Value>(decisions.lines().next().unwrap()).unwrap()["outcome"],
        "collected"
    );
    let told = program.text("export decisions --run PR-00000001 --format csv --output decisions.csv").await;
    let csv = program.read("decisions.csv");
    assert_eq!(told, format!("{} bytes in decisions.csv\n", csv.len()));
    assert_eq!(csv.lines().count(), 1_501);
    let told = program.text("export payments --run PR-00000001 --output payments.ndjson --json").await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let payments = program.read("payments.ndjson");
    assert_eq!(told, json!({ "file": "payments.ndjson", "bytes": payments.len() }));
    assert!(payments.lines().all(|line| line.contains("\"processed\"")), "{payments}");
    let (_, missing) = program.failure("export payments --run PR-00000009 --output none.ndjson").await;
    assert!(missing.contains("404"), "{missing}");
    assert!(!Path::new(program.folder.path()).join("none.ndjson").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_lines_are_told_and_an_import_goes_on() {
    let node = TestNode::builder().with_system_clock().start().await.unwrap();
    let program = Program::new(&node);
    program.write("accounts.csv", ACCOUNTS);
    program.text("import accounts accounts.csv").await;
    let documents = format!("{}{{}}\nnothing\n{}", invoices(1..=1_200), invoices(1_201..=25_000));
    program.write("documents.ndjson", &documents);

    // Somebody began it, and got as far as the middle of the second batch.
    let connection = Connection::builder(&program.url).credentials(CLIENT_ID, CLIENT_SECRET).build().unwrap();
    let request = CreateImportRequest {
        kind: ImportKind::Documents,
        format: ImportFormat::Ndjson,
        name: Some("begun".to_owned()),
    };
    let id = connection.ops().create_import().body(request).send().await.unwrap().into_inner().id;
    let call = connection.ops().send_import_lines().id(id.clone()).content_type("application/x-ndjson");
    call.body(invoices(1..=1_100)).send().await.unwrap();
    let (_, other) = program.failure(&format!("import accounts accounts.csv --resume {id}")).await;
    assert!(other.contains("is one of documents as ndjson"), "{other}");
    let (_, other) =
        program.failure(&format!("import documents accounts.csv --format ndjson --resume {id}")).await;
    assert!(other.contains("goes on with line 1101, but the file ends with line 3"), "{other}");

    let line = format!("import documents documents.ndjson --resume {id} --faults-to faults.ndjson --json");
    let (told, why) = program.failure(&line).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(counts(&told["import"]), (25_003, 25_000, 2));
    assert_eq!(told["lines"], json!(25_002 - 1_100));
    assert!(why.contains("2 lines were refused"), "{why}");
    let faults = program.read("faults.ndjson");
    let faults: Vec<Value> = faults.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((faults.len(), &faults[0]["line"], &faults[1]["line"]), (2, &json!(1_201), &json!(1_202)));
    assert_eq!(faults[0]["errors"].as_array().unwrap().len(), 5, "{faults:?}");

    let (_, told) = program.failure("import documents documents.ndjson").await;
    assert!(told.contains("line 1: number: ") && told.contains("--faults-to FILE writes all"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_is_a_file_too_and_a_dead_server_is_told() {
    let node = TestNode::builder().with_system_clock().start().await.unwrap();
    let program = Program::new(&node);
    let mut command = program.command("import accounts - --format csv");
    program.write("accounts.csv", ACCOUNTS);
    command.stdin(std::fs::File::open(program.folder.path().join("accounts.csv")).unwrap());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.ends_with(" has 2 lines stored, 0 refused\n"), "{told}");
    let (_, missing) = program.failure("import accounts nowhere.csv").await;
    assert!(missing.contains("`nowhere.csv` could not be opened"), "{missing}");
    node.stop().await;
    let (_, dead) = program.failure("import accounts accounts.csv").await;
    assert!(dead.contains("the import could not be begun"), "{dead}");
}
