//! Lowering and the client emitter, on small documents.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use xtask::codegen::lower::{Lowered, lower};
use xtask::codegen::{Contents, client, write};
use xtask::spec::{self, ir::Api};

/// The documents of one folder below `xtask/tests/lower`, with their names.
fn documents(folder: &str) -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lower").join(folder);
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(found.len() > 1, "no documents in {}", folder.display());
    found.into_iter().map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path)).collect()
}

fn load(name: &str, path: &Path) -> Api {
    let text = std::fs::read_to_string(path).unwrap();
    let file = format!("{name}.yaml");
    spec::load(name, &file, spec::read(&file, &text).unwrap()).unwrap()
}

fn told(lowered: &Lowered) -> String {
    let mut text = String::new();
    for document in &lowered.documents {
        writeln!(text, "{}\n", serde_json::to_string_pretty(document).unwrap()).unwrap();
    }
    for (component, rust) in &lowered.replacements {
        writeln!(text, "{component} -> {rust}").unwrap();
    }
    for operation in &lowered.operations {
        writeln!(text, "\n{operation:#?}").unwrap();
    }
    text
}

#[test]
fn documents_are_lowered() {
    for (name, path) in documents("positive") {
        let lowered = lower(&load(&name, &path), "::types::module").unwrap();
        insta::assert_snapshot!(format!("lowered_{name}"), told(&lowered));
    }
}

#[test]
fn what_cannot_be_lowered_is_located() {
    for (name, path) in documents("negative") {
        let faults = lower(&load(&name, &path), "::types::module").unwrap_err();
        insta::assert_snapshot!(format!("refused_{name}"), faults);
    }
}

#[test]
fn progenitor_takes_what_was_lowered() {
    for (name, path) in documents("positive") {
        let api = load(&name, &path);
        for file in client::emit(&api).unwrap() {
            let printed = write::print("client", &api.file, &file).unwrap();
            assert!(matches!(file.contents, Contents::Rust(_)));
            // One file is enough to see the shape; the project's own clients are checked in.
            if file.path.ends_with("queued/orders.rs") {
                insta::assert_snapshot!("client_queued", printed);
            }
            if file.path.ends_with("streams/mod.rs") {
                insta::assert_snapshot!("client_streams_root", printed);
            }
        }
    }
}

#[test]
fn the_same_document_gives_the_same_code() {
    let path = documents("positive").remove(0).1;
    let emit = || format!("{:?}", client::emit(&load("same", &path)).unwrap());
    assert_eq!(emit(), emit());
}
