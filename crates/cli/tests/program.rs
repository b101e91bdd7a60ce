//! The real program: what it prints, how it ends, and that it stops in order when it is asked to.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use payment_runs_client::Connection;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payment-runs"));
    for name in
        ["PAYMENT_RUNS_CLIENT_ID", "PAYMENT_RUNS_CLIENT_SECRET", "PAYMENT_RUNS_GATEWAY_SECRET", "RUST_LOG"]
    {
        command.env_remove(name);
    }
    command
}

fn demo(more: &[&str]) -> Output {
    program().args(["demo", "--once", "--scale", "0.0005"]).args(more).output().unwrap()
}

/// A running program whose lines are read as they come.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child =
            program().args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What follows the words on the first line that starts with them.
    fn told(&mut self, words: &str) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(rest) = line.strip_prefix(words) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the program ended without `{words}`");
    }

    /// Asks it to stop as a service manager does.
    fn stop(mut self) -> (ExitStatus, String) {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind; one that has ended cannot be killed, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn database(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("serve.db").display())
}

async fn runs_of(url: &str, id: &str, secret: &str) -> Result<usize, payment_runs_client::Error> {
    let connection = Connection::builder(url).credentials(id, secret).build().unwrap();
    let answer = connection.v1().list_payment_runs().send().await?.into_inner();
    Ok(answer.payment_runs.len())
}

#[test]
fn the_demo_ends_with_one_line_for_programs() {
    let output = demo(&["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("no number `{name}` in {line}"));
    assert_eq!(number("receivables"), 750);
    assert_eq!(number("collected") + number("declined") + number("skipped"), 750);
    assert_eq!(number("collected") + number("declined"), number("gatewayCharges"));
    assert!(number("declined") > 0 && number("skipped") > 0, "{line}");
    assert_eq!((number("doubleCharges"), number("lostPayments"), number("faults")), (0, 0, 0));
    assert!(line["amountCollected"].is_string() && line["reconciled"] == true, "{line}");
}

#[test]
fn the_demo_collects_the_same_every_time() {
    let collected = || {
        let text = String::from_utf8(demo(&["--json"]).stdout).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        [&line["collected"], &line["declined"], &line["skipped"], &line["amountCollected"]]
            .map(ToString::to_string)
    };
    assert_eq!(collected(), collected());
}

#[test]
fn the_demo_shows_tables_to_people() {
    let output = demo(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for words in ["payments collected", "auto_pay_off_account", "Every cent agrees.", "receivables a second"]
    {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    assert!(!text.contains('\u{1b}') && output.stderr.is_empty(), "no terminal, no colours and no bars");
}

#[tokio::test]
async fn serve_makes_credentials_up_once_and_stops_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database", &database];
    let mut first = Running::start(&arguments);
    assert!(first.line().starts_with("New database: sqlite:"), "it was made");
    let url = first.told("Payment runs on ");
    let gateway = first.told("Gateway: ");
    assert!(gateway.starts_with("built-in simulator on http://127.0.0.1:"), "{gateway}");
    let (id, secret) = (first.told("Client id: "), first.told("Client secret: "));
    assert_eq!(runs_of(&url, &id, &secret).await.unwrap(), 0);
    let (status, rest) = first.stop();
    assert!(status.success(), "{status}: {rest}");

    let mut second = Running::start(&arguments);
    let url = second.line();
    let url = url.strip_prefix("Payment runs on ").expect("there is nothing to say of the database");
    assert_eq!(second.told("Clients: "), "those of the database");
    assert_eq!(runs_of(url, &id, &secret).await.unwrap(), 0);
    assert!(second.stop().0.success());
}

/// How often a server is stopped in the middle of calls. It left its log once in five times.
const STOPS: usize = 8;
/// Calls that a stop meets.
const CALLS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_in_order_leaves_a_single_file() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    for _ in 0..STOPS {
        let mut server = Running::start(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--database",
            &database,
            "--client-id",
            "tour",
            "--client-secret",
            "not-a-secret",
        ]);
        let url = server.told("Payment runs on ");
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..CALLS {
            let url = url.clone();
            calls.spawn(async move { runs_of(&url, "tour", "not-a-secret").await.is_ok() });
        }
        assert_eq!(runs_of(&url, "tour", "not-a-secret").await.unwrap(), 0);
        assert!(server.stop().0.success());
        assert_eq!(calls.join_all().await.len(), CALLS, "whatever they were told");
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["serve.db", "serve.db.gateway-journal"]);
    }
}

#[test]
fn a_copy_of_a_serving_file_is_refused_unless_it_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        |database: &str| ["serve", "--listen", "127.0.0.1:0", "--database", database].map(str::to_owned);
    let original = arguments(&database(folder.path()));
    let mut server = Running::start(&original.each_ref().map(String::as_str));
    server.told("Payment runs on ");
    let copy = folder.path().join("copy.db");
    std::fs::copy(folder.path().join("serve.db"), &copy).unwrap();
    let copy = arguments(&format!("sqlite:{}", copy.display()));
    let refused = program().args(&copy).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("was copied while a server had it open") && said.contains("--restored"), "{said}");
    let restored: Vec<&str> = copy.iter().map(String::as_str).chain(["--restored"]).collect();
    let mut restored = Running::start(&restored);
    assert!(restored.line().starts_with("Copy: "));
    restored.told("Payment runs on ");
    assert!(restored.stop().0.success());
    assert!(server.stop().0.success());
}

#[tokio::test]
async fn serve_uses_the_simulator_it_is_pointed_at() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let mut bank = Running::start(&[
        "gateway-simulator",
        "--listen",
        "127.0.0.1:0",
        "--journal",
        journal.to_str().unwrap(),
    ]);
    let gateway = bank.told("Gateway simulator on ");
    let database = database(folder.path());
    let mut server = Running::start(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database",
        &database,
        "--gateway",
        &gateway,
        "--client-id",
        "tour",
        "--client-secret",
        "not-a-secret",
    ]);
    let url = server.told("Payment runs on ");
    assert_eq!(server.told("Gateway: "), gateway);
    assert_eq!(runs_of(&url, "tour", "not-a-secret").await.unwrap(), 0);
    assert!(runs_of(&url, "tour", "another").await.is_err());
    assert!(server.stop().0.success());
    assert!(bank.stop().0.success());
    assert!(journal.exists());
}

#[test]
fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = format!("sqlite:{}", folder.path().join("no/such/folder/x.db").display());
    let output =
        program().args(["serve", "--listen", "127.0.0.1:0", "--database", &nowhere]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("the server could not start: the database `sqlite:"), "{words}");
    assert!(words.contains("does not exist and could not be made"), "{words}");
    std::fs::write(folder.path().join("empty.db"), []).unwrap();
    for (database, code, words) in [
        ("sqlite:empty.db", 1, "is a file of 0 bytes"),
        ("sqlite::memory:", 2, "one in memory would forget what was charged"),
    ] {
        let mut serve = program();
        serve.current_dir(folder.path()).args(["serve", "--listen", "127.0.0.1:0", "--database", database]);
        let output = serve.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && said.contains(words), "{said}");
    }
    for (more, words) in [
        (["--gateway", "ftp://bank.example"].as_slice(), "the gateway `ftp://bank.example` cannot be used"),
        (&["--gateway", "https://bank.example", "--gateway-ca", "no.pem"], "the authorities in `no.pem`"),
        (&["--tls-certificate", "no.pem", "--tls-key", "no.pem"], "the certificate `no.pem` cannot be read"),
    ] {
        let mut serve = program();
        serve.current_dir(folder.path()).args(["serve", "--listen", "127.0.0.1:0"]);
        let output = serve.args(["--database", "sqlite:unused.db"]).args(more).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(words), "{said}");
    }
}
