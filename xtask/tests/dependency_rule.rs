//! Who may know whom.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Each package and the packages of this workspace that it may depend on.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("payment-runs-types", &[]),
    ("payment-runs-engine", &[]),
    ("payment-runs-client", &["payment-runs-types"]),
    ("payment-runs-stubs", &["payment-runs-types"]),
    ("payment-runs-store", &["payment-runs-engine"]),
    ("payment-runs-gateway", &["payment-runs-engine"]),
    ("payment-runs-server", &["payment-runs-stubs", "payment-runs-types", "payment-runs-engine"]),
    (
        "payment-runs-node",
        &["payment-runs-store", "payment-runs-gateway", "payment-runs-engine", "payment-runs-server"],
    ),
    // The engine and the gateway only for the demo's loading and the simulator of a bank.
    (
        "payment-runs-cli",
        &[
            "payment-runs-node",
            "payment-runs-client",
            "payment-runs-types",
            "payment-runs-engine",
            "payment-runs-gateway",
        ],
    ),
    // Plays the engine over the real store, and stands in for the bank itself.
    ("payment-runs-sim", &["payment-runs-engine", "payment-runs-store", "payment-runs-gateway"]),
    ("payment-runs-tests", &[EVERYTHING]),
    ("xtask", &[]),
];

/// The integration tests may use any package.
const EVERYTHING: &str = "*";

/// What the engine must not know: HTTP, SQL and the models of the wire.
const FOREIGN_TO_THE_ENGINE: [&str; 12] = [
    "axum",
    "http",
    "hyper",
    "hyper-util",
    "reqwest",
    "rusqlite",
    "schemars",
    "sqlx",
    "tokio-postgres",
    "tower",
    "utoipa",
    "deadpool-postgres",
];

/// The packages of the workspace.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(xtask::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The names of a package's dependencies, those for tests alone or the others.
fn dependencies(package: &Value, dev: bool) -> Vec<String> {
    let all = package["dependencies"].as_array().unwrap().iter();
    let kept = all.filter(|dependency| (dependency["kind"] == "dev") == dev);
    kept.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

fn allowed(package: &str) -> &'static [&'static str] {
    let found = ALLOWED.iter().find(|(name, _)| *name == package);
    found.unwrap_or_else(|| panic!("give the package `{package}` its place in this table")).1
}

#[test]
fn packages_know_only_whom_they_may() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    let mut faults = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let allowed = allowed(name);
        for dependency in dependencies(package, false) {
            let fine = allowed.contains(&EVERYTHING) || allowed.contains(&dependency.as_str());
            if ours.contains(dependency.as_str()) && !fine {
                faults.push(format!("{name} must not depend on {dependency}"));
            }
        }
        let node_or_tests = ["payment-runs-node", "payment-runs-tests"].contains(&name);
        if !node_or_tests
            && dependencies(package, true).iter().any(|dependency| dependency == "payment-runs-server")
        {
            faults.push(format!(
                "the tests of {name} must not depend on payment-runs-server: move them to tests/"
            ));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn the_engine_knows_neither_http_nor_sql() {
    let packages = packages();
    let engine = packages.iter().find(|package| package["name"] == "payment-runs-engine").unwrap();
    let known = dependencies(engine, false);
    let foreign: Vec<_> =
        known.iter().filter(|name| FOREIGN_TO_THE_ENGINE.contains(&name.as_str())).collect();
    assert!(foreign.is_empty(), "the engine depends on {foreign:?}");
}
