//! The samples of the contract, as files.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::contract::root;

/// A request as documented.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleRequest {
    /// Upper-case method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// The JSON body, or the fields of a form.
    pub body: Option<Value>,
}

/// A response as documented.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleResponse {
    /// Status.
    pub status: u16,
    /// Headers.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// The JSON body.
    pub body: Option<Value>,
}

/// One case of an operation.
#[derive(Debug, Clone)]
pub struct Sample {
    /// `v1`, `object-query`, `v2` or `ops`.
    pub api: String,
    /// `operationId`.
    pub operation: String,
    /// The case's name.
    pub case: String,
    /// Whether it is ours, and not from the public documents.
    pub own: bool,
    /// The request, if there is one.
    pub request: Option<SampleRequest>,
    /// The response, if there is one.
    pub response: Option<SampleResponse>,
}

impl Sample {
    /// The document that describes the sample's surface.
    pub fn document(&self) -> &'static str {
        match self.api.as_str() {
            "v2" => "v2",
            "ops" => "ops",
            _ => "v1",
        }
    }

    /// A name for messages.
    pub fn name(&self) -> String {
        let own = if self.own { "own/" } else { "" };
        format!("{own}{}/{}/{}", self.api, self.operation, self.case)
    }
}

/// Every sample, in the order of the file names.
pub fn samples() -> Vec<Sample> {
    let folder = root().join("openapi/samples");
    let mut found = Vec::new();
    for own in [false, true] {
        let folder = if own { folder.join("own") } else { folder.clone() };
        for api in ["v1", "object-query", "v2", "ops"] {
            for operation in folders(&folder.join(api)) {
                found.extend(cases(api, own, &operation));
            }
        }
    }
    found
}

/// One sample of the public documents.
pub fn documented(api: &str, operation: &str, case: &str) -> Sample {
    samples()
        .into_iter()
        .find(|sample| {
            !sample.own && sample.api == api && sample.operation == operation && sample.case == case
        })
        .unwrap_or_else(|| panic!("there is no sample {api}/{operation}/{case}"))
}

fn cases(api: &str, own: bool, folder: &Path) -> Vec<Sample> {
    let mut cases: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder of samples can be read")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.split_once('.').map(|(case, _)| case.to_owned()))
        .collect();
    cases.sort();
    cases.dedup();
    let operation = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    cases
        .into_iter()
        .map(|case| Sample {
            api: api.to_owned(),
            operation: operation.clone(),
            own,
            request: read(&folder.join(format!("{case}.request.json"))),
            response: read(&folder.join(format!("{case}.response.json"))),
            case,
        })
        .collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}
