//! Payment gateways that others wrote, as peers of the simulator.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{installed, python, run};

/// A gateway that knows payment intents and forgets idempotency keys, from `PyPI`.
const LOCALSTRIPE: &str = "localstripe==1.15.10";
/// A gateway that knows charges and honours idempotency keys, from npm.
const STATEFUL_MOCK: &str = "stripe-stateful-mock@0.0.16";

/// How often a peer is asked whether it is up, and how long one waits in between.
const ATTEMPTS_MAX: u32 = 1_800;
const PAUSE: Duration = Duration::from_millis(100);

/// Runs the tests that charge through both peers.
pub fn gateways(root: &Path) -> Result<()> {
    let python = python(root, "localstripe", LOCALSTRIPE)?;
    let npm = installed(root, "stripe-stateful-mock", STATEFUL_MOCK, |folder| {
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(folder);
        run(install.arg(STATEFUL_MOCK), "install npm, which must reach its registry")
    })?;
    let localstripe = Peer::start("localstripe", |port| {
        let mut start = Command::new(python.join("python"));
        start.arg(root.join("tests/foreign/start_localstripe.py")).arg(port);
        start
    })?;
    let mock = Peer::start("stripe-stateful-mock", |port| {
        let mut start = Command::new("node");
        start.arg(root.join("tests/foreign/start_stateful_mock.js"));
        start.arg(npm.join("node_modules/stripe-stateful-mock")).arg(port);
        start
    })?;
    let mut tests = Command::new("cargo");
    tests.args([
        "test",
        "--quiet",
        "--locked",
        "-p",
        "payment-runs-tests",
        "--test",
        "it",
        "--",
        "--ignored",
    ]);
    tests.arg("peers::").current_dir(root);
    tests.env("PAYMENT_RUNS_LOCALSTRIPE", &localstripe.url).env("PAYMENT_RUNS_STRIPE_MOCK", &mock.url);
    run(&mut tests, "make the server charge once through gateways of others: tests/it/peers.rs")
}

/// A running peer, which ends when this is dropped.
struct Peer {
    process: Child,
    url: String,
}

impl Peer {
    fn start(name: &str, command: impl Fn(&str) -> Command) -> Result<Self> {
        let port = free_port()?;
        let mut start = command(&port.to_string());
        // It may leave files where it runs.
        let folder = std::env::temp_dir();
        let process = start.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.with_context(|| format!("start {name}"))?;
        let mut peer = Self { process, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..ATTEMPTS_MAX {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(peer);
            }
            if let Some(status) = peer.process.try_wait().with_context(|| format!("ask after {name}"))? {
                bail!("{name} ended before it was ready ({status})");
            }
            wait();
        }
        bail!("{name} did not get ready in time")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free now. Another program may take it before the peer does, which then says so and ends.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr().context("read a free port")?.port())
}

fn wait() {
    std::thread::sleep(PAUSE);
}
