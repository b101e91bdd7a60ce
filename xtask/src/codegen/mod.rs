//! The emitters and what they share: one document in, files out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use proc_macro2::TokenStream;

use self::write::{Difference, Mode};
use crate::spec::ir::Api;
use crate::spec::{self, Faults};

pub mod client;
pub mod lower;
pub mod stubs;
pub mod types;
pub mod write;

/// The documents of the project, in the order they are generated.
pub const APIS: [&str; 3] = ["v1", "v2", "ops"];

/// Documents whose models are generated for the tests of the types crate alone.
pub const FIXTURES: [&str; 1] = ["xtask/tests/fixture/everything.yaml"];

/// One generated file.
#[derive(Clone, Debug)]
pub struct OutputFile {
    /// Relative to the project's root: `crates/types/src/generated/v1/mod.rs`.
    pub path: PathBuf,
    /// What it holds, without the header, which [`write`](mod@write) adds.
    pub contents: Contents,
}

/// The contents of a generated file.
#[derive(Clone, Debug)]
pub enum Contents {
    /// Rust, printed with prettyplease and rustfmt under the `@generated` header. Inner attributes and `//!` docs may
    /// stand first.
    Rust(TokenStream),
    /// Text that is written as it is (no header).
    Text(String),
}

/// An emitter turns one document into the files of one crate.
///
/// Paths start with the folder that [`Emitter::folder`] names for the API; anything else found there is an orphan.
pub struct Emitter {
    /// As the header names it: `types`.
    pub name: &'static str,
    /// The crate's folder below `crates/`; files go to `crates/<crate>/src/generated/<api>/`.
    pub krate: &'static str,
    /// Produces the files, or an error that names the place in the document.
    pub emit: fn(&Api) -> Result<Vec<OutputFile>>,
}

/// Every emitter, in the order they run.
pub const EMITTERS: [Emitter; 3] = [
    Emitter { name: "types", krate: "types", emit: types::emit },
    Emitter { name: "stubs", krate: "stubs", emit: stubs::emit },
    Emitter { name: "client", krate: "client", emit: client::emit },
];

impl Emitter {
    /// The folder that this emitter owns for one API, relative to the project's root.
    pub fn folder(&self, api: &str) -> PathBuf {
        Path::new("crates").join(self.krate).join("src/generated").join(api)
    }
}

/// Produces the files of one emitter for one document, printed but not yet run through rustfmt.
pub fn print_api(api: &Api, emitter: &Emitter) -> Result<BTreeMap<PathBuf, String>> {
    let mut printed = BTreeMap::new();
    let produced = (emitter.emit)(api).with_context(|| format!("emit {} of {}", emitter.name, api.file))?;
    for file in produced {
        let path = file.path.display();
        ensure!(
            file.path.starts_with(emitter.folder(&api.name)),
            "emitter {} wrote outside its folder: {path}",
            emitter.name
        );
        let text = write::print(emitter.name, &api.file, &file)?;
        let replaced = printed.insert(file.path.clone(), text);
        ensure!(replaced.is_none(), "emitter {} produced {path} twice", emitter.name);
    }
    Ok(printed)
}

/// Generates the project's code below `root` and writes or checks it; all of it, or what one emitter makes.
pub fn run(root: &Path, mode: Mode, only: Option<&str>) -> Result<Difference> {
    let emitters: Vec<Emitter> =
        EMITTERS.into_iter().filter(|emitter| only.is_none_or(|name| name == emitter.name)).collect();
    ensure!(
        !emitters.is_empty(),
        "no emitter `{}`; there are types, stubs and client",
        only.unwrap_or_default()
    );
    let apis = load_all(root)?;
    let fixtures = FIXTURES.map(|fixture| spec::load_file(root, Path::new(fixture)));
    let fixtures = fixtures.into_iter().collect::<Result<Vec<_>, _>>()?;
    let of_contract = apis.iter().flat_map(|api| emitters.iter().map(move |emitter| (api, emitter)));
    let models = emitters.iter().find(|emitter| emitter.krate == "types");
    let of_fixtures = fixtures.iter().filter_map(|api| models.map(|emitter| (api, emitter)));
    let files = in_parallel(root, of_contract.chain(of_fixtures))?;
    write::ensure_files(root, &files, &emitters, mode)
}

/// Prints and formats each pair on a thread of its own; none depends on another, and the result is sorted by path.
fn in_parallel<'a>(
    root: &Path,
    pairs: impl Iterator<Item = (&'a Api, &'a Emitter)>,
) -> Result<BTreeMap<PathBuf, String>> {
    std::thread::scope(|scope| {
        let spawn = |(api, emitter): (&'a Api, &'a Emitter)| {
            scope.spawn(move || {
                let mut files = print_api(api, emitter)?;
                write::format_all(root, &mut files)?;
                Ok::<_, anyhow::Error>(files)
            })
        };
        let threads: Vec<_> = pairs.map(spawn).collect();
        let mut files = BTreeMap::new();
        for thread in threads {
            match thread.join() {
                Ok(printed) => files.extend(printed?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(files)
    })
}

/// Tells how the checked-in code differs from what the documents generate.
pub fn check(root: &Path) -> Result<Difference> {
    run(root, Mode::Check, None)
}

/// Loads the project's documents, collecting the faults of all of them.
pub fn load_all(root: &Path) -> Result<Vec<Api>, Faults> {
    let mut apis = Vec::new();
    let mut faults = Vec::new();
    for name in APIS {
        match spec::load_file(root, Path::new(&format!("openapi/{name}.yaml"))) {
            Ok(api) => apis.push(api),
            Err(Faults(more)) => faults.extend(more),
        }
    }
    if faults.is_empty() { Ok(apis) } else { Err(Faults(faults)) }
}
