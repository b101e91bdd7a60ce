//! Small documents, good and bad: what the generator makes of them, and how it refuses them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use xtask::codegen::{EMITTERS, print_api, write};
use xtask::spec::ir::Api;
use xtask::spec::{Faults, lint, load_file};

fn load(path: &Path) -> Result<Api, Faults> {
    load_file(path.parent().unwrap(), Path::new(path.file_name().unwrap()))
}

/// The operations as the emitters see them, and the models.
#[test]
fn good_documents_are_read() {
    insta::glob!("positive/*.yaml", |path| {
        let api = load(path).unwrap();
        let mut files: BTreeMap<PathBuf, String> = print_api(&api, &EMITTERS[0]).unwrap();
        write::format_all(&xtask::root(), &mut files).unwrap();
        let mut text = format!("base path: {:?}\n{:#?}\n", api.base_path(), api.operations);
        for (path, contents) in files {
            write!(text, "\n==== {}\n{contents}", path.display()).unwrap();
        }
        insta::assert_snapshot!(text);
    });
}

#[test]
fn bad_documents_are_refused_with_place_and_remedy() {
    insta::glob!("negative/*.yaml", |path| {
        insta::assert_snapshot!(load(path).unwrap_err());
    });
}

#[test]
fn the_house_rules_are_checked() {
    insta::glob!("negative/lint/*.yaml", |path| {
        let faults = lint::rules(&load(path).unwrap());
        insta::assert_snapshot!(Faults(faults));
    });
}

#[test]
fn the_contract_follows_the_house_rules() {
    if let Err(faults) = lint::run(&xtask::root()) {
        panic!("{faults}");
    }
}

#[test]
fn generated_code_is_current() {
    let difference = xtask::codegen::check(&xtask::root()).unwrap();
    assert!(difference.is_empty(), "\n{difference}");
}

/// The same documents give the same bytes, in a fresh folder too; what is edited, lost or left over is told.
#[test]
fn stale_missing_and_orphan_files_are_told() {
    let root = tempfile::tempdir().unwrap();
    let api = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/positive/minimal.yaml")).unwrap();
    let emitters = &EMITTERS[..1];
    let files = print_api(&api, &emitters[0]).unwrap();
    assert_eq!(files, print_api(&api, &emitters[0]).unwrap());
    let run = |mode| write::ensure_files(root.path(), &files, emitters, mode).unwrap();
    assert_eq!(run(write::Mode::Write).missing.len(), files.len());
    assert!(run(write::Mode::Check).is_empty());

    let folder = root.path().join("crates/types/src/generated/minimal");
    std::fs::write(folder.join("mod.rs"), "// edited").unwrap();
    std::fs::write(folder.join("left_over.rs"), "").unwrap();
    std::fs::remove_file(folder.join("schemas.json")).unwrap();
    insta::assert_snapshot!(run(write::Mode::Check), @r"
       stale  crates/types/src/generated/minimal/mod.rs
     missing  crates/types/src/generated/minimal/schemas.json
      orphan  crates/types/src/generated/minimal/left_over.rs
    run `cargo xtask codegen`
    ");
    run(write::Mode::Write);
    assert!(run(write::Mode::Check).is_empty());
}
