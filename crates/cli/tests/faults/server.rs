//! The real program, serving.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use payment_runs_client::{Connection, RetryPolicy};
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET};
use payment_runs_types::ops::{Clock, PaymentState, Resolution, ResolvePaymentRequest};
use payment_runs_types::v1::{CreatePaymentRunRequest, PaymentRunStatus};

/// How long to wait between two looks at something in another process.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Looks at most before a test gives up: minutes.
const LOOKS_MAX: usize = 100_000;
/// The database's name in a node's folder.
const DATABASE: &str = "node.db";
/// What the program logs lies here, in the node's folder.
const LOG: &str = "server.log";

/// How the program is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    folder: PathBuf,
    gateway: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// What the program is started by; itself when empty.
    wrapper: Vec<String>,
}

impl Launch {
    /// On the database in this folder, with this gateway.
    pub(crate) fn new(folder: &Path, gateway: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            gateway: gateway.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    /// With more arguments, parted by spaces.
    pub(crate) fn with(mut self, arguments: &str) -> Self {
        self.arguments.extend(arguments.split_whitespace().map(str::to_owned));
        self
    }

    /// With a variable in its environment.
    pub(crate) fn with_variable(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.environment.push((name, value.to_string()));
        self
    }

    /// Started by a shell, in which `$@` stands for the program and its arguments.
    pub(crate) fn within(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_payment-runs");
        let mut command = match self.wrapper.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(["serve", "--listen", "127.0.0.1:0", "--gateway", &self.gateway, "--database"]);
        command.arg(format!("sqlite:{}", self.folder.join(DATABASE).display())).args(&self.arguments);
        command.env("PAYMENT_RUNS_CLIENT_ID", CLIENT_ID).env("PAYMENT_RUNS_CLIENT_SECRET", CLIENT_SECRET);
        command.env("RUST_LOG", "warn").envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it and waits until it serves.
    ///
    /// Nobody reads its output after its address: that the pipe is closed must not disturb it.
    pub(crate) fn start(&self) -> Server {
        self.try_start().unwrap_or_else(|said| panic!("it said `{said}`, and: {}", self.log()))
    }

    /// The same where it may end before it serves; gives what it said then.
    pub(crate) fn try_start(&self) -> Result<Server, String> {
        let log = File::options().create(true).append(true).open(self.folder.join(LOG)).unwrap();
        let mut process = self.command().stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut said = Vec::new();
        for line in lines {
            if let Some(url) = line.strip_prefix("Payment runs on ") {
                return Ok(Server { process, client: connect(url) });
            }
            said.push(line);
        }
        process.wait().unwrap();
        Err(said.join("\n"))
    }

    /// Starts it without waiting for anything.
    pub(crate) fn begin(&self) -> Child {
        self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts it where it cannot serve, and gives what it says.
    pub(crate) fn refused(&self) -> Output {
        self.command().output().unwrap()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join(LOG)).unwrap_or_default()
    }
}

/// A process that serves. One that is dropped is killed.
pub(crate) struct Server {
    process: Child,
    client: Connection,
}

fn connect(url: &str) -> Connection {
    let builder = Connection::builder(url).credentials(CLIENT_ID, CLIENT_SECRET);
    builder.retry(RetryPolicy::never()).build().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    pub(crate) fn client(&self) -> &Connection {
        &self.client
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end, as a service manager does, and waits until it has.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(asked.success());
        until("the end after SIGTERM", async || self.has_ended()).await;
        self.process.wait().unwrap()
    }

    /// Whether the server says that it takes requests.
    pub(crate) async fn is_ready(&self) -> bool {
        self.client.ops().get_readiness().send().await.is_ok()
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Creates a run over everything, and gives its identifier.
    pub(crate) async fn create_run(&self) -> String {
        self.try_create_run().await.unwrap()
    }

    /// The same where the server may crash before it answers: `None` then.
    pub(crate) async fn try_create_run(&self) -> Option<String> {
        let body = due();
        self.client.v1().create_payment_run().body(body).send().await.ok().map(|run| run.into_inner().id)
    }

    /// The identifier of the only run there is, if there is one.
    pub(crate) async fn find_only_run(&self) -> Option<String> {
        let runs = self.client.v1().list_payment_runs().send().await.unwrap().into_inner().payment_runs;
        assert!(runs.len() <= 1);
        runs.first().map(|run| run.id.clone())
    }

    /// Whether every run has completed and nothing is in doubt; `false` also where it cannot be asked.
    pub(crate) async fn is_quiet(&self) -> bool {
        !self.has_work().await && self.count_in_doubt().await == Ok(0)
    }

    /// Whether a run has not completed; `true` also where it cannot be asked.
    async fn has_work(&self) -> bool {
        let Ok(runs) = self.client.v1().list_payment_runs().send().await else { return true };
        runs.payment_runs.iter().any(|run| run.status != PaymentRunStatus::Completed)
    }

    /// Whether a run has completed.
    pub(crate) async fn has_completed(&self, run: &str) -> bool {
        let run = self.client.v1().get_payment_run().payment_run_key(run).send().await;
        run.is_ok_and(|run| run.status == PaymentRunStatus::Completed)
    }

    /// Waits until a run has completed.
    pub(crate) async fn until_completed(&self, run: &str) {
        until("the end of the run", async || {
            let run = self.client.v1().get_payment_run().payment_run_key(run).send().await.unwrap();
            run.status == PaymentRunStatus::Completed
        })
        .await;
    }

    /// A run's summary.
    pub(crate) async fn summary(&self, run: &str) -> serde_json::Value {
        let summary = self.client.v1().get_payment_run_summary().payment_run_key(run).send().await.unwrap();
        serde_json::to_value(&*summary).unwrap()
    }

    /// How many payments are in a state.
    pub(crate) async fn count_payments(&self, state: PaymentState) -> Result<usize, ()> {
        let list = self.client.ops().list_payments().state(state).page_size(99);
        list.stream().try_fold(0, async |count, _| Ok(count + 1)).await.map_err(drop)
    }

    /// How many payments have no outcome.
    pub(crate) async fn count_in_doubt(&self) -> Result<usize, ()> {
        let unknown = self.count_payments(PaymentState::UnknownValue).await?;
        Ok(unknown + self.count_payments(PaymentState::Intent).await?)
    }
}

/// A run over everything.
fn due() -> CreatePaymentRunRequest {
    CreatePaymentRunRequest {
        target_date: Some(date(2024, 7, 24).into()),
        ..CreatePaymentRunRequest::default()
    }
}

/// The time of servers with a test clock, which goes on when one of them is killed.
pub(crate) struct TestTime(Timestamp);

/// How much time passes with every look while a run is at work: so little that its leases are renewed in time.
const RUN_TICK: SignedDuration = SignedDuration::from_millis(100);
/// The same while payments in doubt are looked up.
const DOUBT_TICK: SignedDuration = SignedDuration::from_secs(10);

impl TestTime {
    pub(crate) fn new() -> Self {
        Self("2024-07-24T12:00:00Z".parse().unwrap())
    }

    /// How a server is started now.
    pub(crate) fn launch(&self, launch: &Launch) -> Launch {
        launch.clone().with(&format!("--test-clock {}", self.0))
    }

    /// Lets time pass while no server runs.
    pub(crate) fn skip(&mut self, by: SignedDuration) {
        self.0 += by;
    }

    /// Lets time pass.
    pub(crate) async fn tick(&mut self, server: &Server, by: SignedDuration) {
        self.set(server, by).await.unwrap();
    }

    /// Lets time pass, unless the server has crashed: little while a run is at work.
    pub(crate) async fn try_tick(&mut self, server: &Server) -> Result<(), String> {
        let by = if server.has_work().await { RUN_TICK } else { DOUBT_TICK };
        self.set(server, by).await
    }

    async fn set(&mut self, server: &Server, by: SignedDuration) -> Result<(), String> {
        self.0 += by;
        let body = serde_json::json!({ "now": self.0.to_string() });
        let clock: Clock = serde_json::from_value(body).unwrap();
        server.client.ops().set_clock().body(clock).send().await.map(drop).map_err(|error| error.to_string())
    }

    /// Lets time pass while a run is at work.
    pub(crate) async fn tick_run(&mut self, server: &Server) {
        self.tick(server, RUN_TICK).await;
    }

    /// Lets time pass until a run has ended, in whatever way.
    pub(crate) async fn until_over(&mut self, server: &Server, run: &str) {
        until("the end of the run", async || {
            self.tick_run(server).await;
            let run = server.client().v1().get_payment_run().payment_run_key(run).send().await.unwrap();
            !matches!(run.status, PaymentRunStatus::Pending | PaymentRunStatus::Processing)
        })
        .await;
    }

    /// Lets time pass until a run has completed.
    pub(crate) async fn until_completed(&mut self, server: &Server, run: &str) {
        until("the end of the run", async || {
            self.tick_run(server).await;
            server.has_completed(run).await
        })
        .await;
    }

    /// Looks up what is in doubt until so many payments are left.
    pub(crate) async fn until_in_doubt(&mut self, server: &Server, count: usize) {
        until("an outcome for every other payment", async || {
            self.tick(server, DOUBT_TICK).await;
            server.count_in_doubt().await == Ok(count)
        })
        .await;
    }

    /// Lets time pass until the outcome of every payment is known.
    pub(crate) async fn until_nothing_is_in_doubt(&mut self, server: &Server) {
        self.until_in_doubt(server, 0).await;
    }
}

/// Looks until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..LOOKS_MAX {
        if is_so().await {
            return;
        }
        look_again().await;
    }
    panic!("{what} did not happen");
}

/// Waits for a moment.
#[expect(clippy::disallowed_methods, reason = "another process offers nothing to wait on")]
pub(crate) async fn look_again() {
    tokio::time::sleep(LOOK_EVERY).await;
}

/// A person settles everything that is unknown. What is being sent at this moment is refused, and asked for again.
pub(crate) async fn resolve_all(server: &Server, outcome: Resolution) {
    until("the end of all doubt", async || {
        let list = server.client().ops().list_payments().state(PaymentState::UnknownValue).page_size(99);
        let page = list.send().await.unwrap().into_inner();
        let is_empty = page.data.is_empty();
        for payment in page.data {
            let body = ResolvePaymentRequest {
                outcome: outcome.clone(),
                comment: "the bank's statement".to_owned(),
                gateway_reference: None,
                gateway_code: None,
                gateway_message: None,
            };
            // One that is being sent at this moment is found again by the next look.
            drop(server.client().ops().resolve_payment().key(&payment.id).body(body).send().await);
        }
        is_empty
    })
    .await;
}
