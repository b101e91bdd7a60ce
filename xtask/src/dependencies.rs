//! `cargo xtask dependencies`: licences, bans and sources of everything that is built in, by cargo-deny.
#![allow(clippy::print_stdout, reason = "a command tells how far it is")]

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// The version of cargo-deny that is installed where there is none.
const VERSION: &str = "0.20.2";

/// Checks what `.cargo/deny.toml` says. Advisories are left to the workflow: their database is not reachable from everywhere.
pub fn check(root: &Path) -> Result<()> {
    install(root)?;
    // Libraries in several versions are warned of, which `cargo deny check bans` shows.
    let arguments = "deny --locked --log-level error check --hide-inclusion-graph --allow duplicate licenses bans sources";
    let status = cargo(root, arguments).status().context("start cargo")?;
    ensure!(
        status.success(),
        "cargo-deny refuses what is built in\n  mend: use another library, or explain the exception in .cargo/deny.toml"
    );
    Ok(())
}

/// Without optimisation it is built in half the time, and its work takes seconds all the same.
fn install(root: &Path) -> Result<()> {
    let mut ask = cargo(root, "deny --version");
    if ask.stdout(Stdio::null()).stderr(Stdio::null()).status().context("start cargo")?.success() {
        return Ok(());
    }
    println!("installing cargo-deny {VERSION}, which takes a minute or two");
    let mut install = cargo(root, "install cargo-deny --locked --debug --quiet --version");
    let status = install.arg(VERSION).status().context("start cargo")?;
    ensure!(status.success(), "cargo-deny cannot be installed\n  mend: cargo install cargo-deny --locked");
    Ok(())
}

fn cargo(root: &Path, arguments: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments.split(' ')).current_dir(root);
    command
}
