//! Throws input at a parser: first every file that is kept for it, then mutations of these, then anything.
//!
//! The files are `tests/corpus/<target>/<name>`, raw bytes. What a run finds is made as small as possible and written
//! beside them, so that it is committed with its mend and tried first from then on. `PROPTEST_CASES=100000` runs longer.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// How long one input may take, on a busy machine and without optimisation. Honest parsers take less than a millisecond.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Changes to a kept input at most.
const EDITS_MAX: usize = 8;
/// Bytes of input that is made from nothing, at most.
const BYTES_MAX: usize = 300;
/// Bytes of mutated input at most.
const MUTATED_BYTES_MAX: usize = 64 * 1024;

/// A change to an input. Places are relative to its length.
#[derive(Debug, Clone)]
enum Edit {
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Flip(Index, u8),
    Repeat(Index, usize, usize),
    Cut(Index),
    Splice(Index, Index),
}

fn edit(words: &'static [&'static str]) -> impl Strategy<Value = Edit> {
    let word = any::<Index>().prop_map(move |at| {
        if words.is_empty() { b"0".to_vec() } else { words[at.index(words.len())].as_bytes().to_vec() }
    });
    prop_oneof![
        3 => (any::<Index>(), word).prop_map(|(at, word)| Edit::Insert(at, word)),
        2 => (any::<Index>(), vec(any::<u8>(), 1..5)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        2 => (any::<Index>(), 1_usize..20).prop_map(|(at, length)| Edit::Remove(at, length)),
        3 => (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        1 => (any::<Index>(), 1_usize..20, 1_usize..50).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        1 => any::<Index>().prop_map(Edit::Cut),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(other, at)| Edit::Splice(other, at)),
    ]
}

fn change(bytes: &mut Vec<u8>, edit: &Edit, kept: &[(PathBuf, Vec<u8>)]) {
    let place = |at: &Index, length: usize| at.index(length + 1);
    match edit {
        Edit::Insert(at, more) => {
            let at = place(at, bytes.len());
            bytes.splice(at..at, more.iter().copied());
        }
        Edit::Remove(at, length) => {
            let at = place(at, bytes.len());
            bytes.drain(at..bytes.len().min(at + length));
        }
        Edit::Flip(at, bit) => {
            let at = place(at, bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        Edit::Repeat(at, length, times) => {
            let at = place(at, bytes.len());
            let part = bytes[at..bytes.len().min(at + length)].repeat(*times);
            bytes.splice(at..at, part);
        }
        Edit::Cut(at) => bytes.truncate(place(at, bytes.len())),
        Edit::Splice(other, at) => {
            let other = &kept[other.index(kept.len())].1;
            let at = place(at, bytes.len().min(other.len()));
            bytes.truncate(at);
            bytes.extend_from_slice(&other[at..]);
        }
    }
    bytes.truncate(MUTATED_BYTES_MAX);
}

fn folder(target: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root =
        here.ancestors().find(|folder| folder.join("tests/corpus").is_dir()).expect("the project's root");
    root.join("tests/corpus").join(target)
}

fn kept(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect()
}

/// Runs one input, and holds it to its time.
#[expect(clippy::disallowed_methods, reason = "the time that a parser takes is measured in real time")]
fn timed(check: &impl Fn(&[u8]), input: &[u8]) {
    let started = Instant::now();
    check(input);
    let took = started.elapsed();
    assert!(took < TIME_MAX, "took {took:?}");
}

/// Runs `check` on every kept input and on `effort` times as many made-up ones as the configuration says. It panics where
/// its property does not hold. `words` are what the parser's language is made of.
pub(crate) fn throw_at(target: &str, effort: u32, words: &'static [&'static str], check: impl Fn(&[u8])) {
    let folder = folder(target);
    let kept = kept(&folder);
    for (path, input) in &kept {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| timed(&check, input))) {
            eprintln!("the input is {}", path.display());
            resume_unwind(panic);
        }
    }
    let mutated = (any::<Index>(), vec(edit(words), 1..=EDITS_MAX)).prop_map(|(at, edits)| {
        let mut bytes = kept[at.index(kept.len())].1.clone();
        for edit in &edits {
            change(&mut bytes, edit, &kept);
        }
        bytes
    });
    let inputs = prop_oneof![8 => mutated, 1 => vec(any::<u8>(), 0..BYTES_MAX)];
    let config = Config::default();
    let cases = config.cases.saturating_mul(effort);
    let config = Config { cases, failure_persistence: None, ..config };
    // The same inputs each time, so that no change fails for what an older one did; others for whoever asks for more of them.
    let mut runner = if std::env::var_os("PROPTEST_CASES").is_some() {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let run = runner.run(&inputs, |input| {
        catch_unwind(AssertUnwindSafe(|| timed(&check, &input)))
            .map_err(|_| TestCaseError::fail("the property does not hold"))
    });
    match run {
        Ok(()) => {}
        Err(TestError::Fail(_, input)) => {
            let name = format!(
                "found-{:016x}",
                input.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
                })
            );
            let path = folder.join(name);
            std::fs::write(&path, &input).expect("write what was found");
            panic!("{} shows it: {:?}", path.display(), String::from_utf8_lossy(&input));
        }
        Err(error) => panic!("{error}"),
    }
}
