//! Parameters of the path, the query and headers.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts as _, RawPathParams};
use garde::Validate;
use serde::de::DeserializeOwned;

use super::coerce::{self, Pairs};
use super::{Incoming, Part};
use crate::{Category, Fault, Location};

impl Incoming {
    /// Reads the parameters of the path; `None` after adding their faults.
    pub async fn path<T>(&mut self) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()>,
    {
        let raw = RawPathParams::from_request_parts(&mut self.parts, &()).await;
        let Ok(raw) = raw else {
            self.faults.push(Fault {
                location: Location::Path,
                field: String::new(),
                message: "the path is not UTF-8 after percent decoding".to_owned(),
                category: Category::InvalidParameter,
            });
            return None;
        };
        let pairs = raw.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.parameters(Part::Path, &encode(&pairs), || pairs.clone())
    }

    /// Reads the query; `None` after adding its faults. Unknown parameters are ignored.
    pub fn query<T>(&mut self) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()>,
    {
        let query = self.parts.uri.query().unwrap_or_default().to_owned();
        self.parameters(Part::Query, &query, || coerce::pairs(query.as_bytes()))
    }

    /// Reads the documented headers, whose names stand in the contract as `names`; `None` after adding their faults.
    pub fn headers<T>(&mut self, names: &[&'static str]) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()>,
    {
        let mut pairs = Pairs::new();
        let before = self.faults.len();
        for name in names {
            for value in self.parts.headers.get_all(*name) {
                match value.to_str() {
                    Ok(text) => pairs.push(((*name).to_owned(), text.to_owned())),
                    Err(_) => self.faults.push(Fault {
                        location: Location::Header,
                        field: (*name).to_owned(),
                        message: "must be printable US-ASCII".to_owned(),
                        category: Category::InvalidParameter,
                    }),
                }
            }
        }
        let read = self.parameters(Part::Headers, &encode(&pairs), || pairs.clone());
        read.filter(|_| self.faults.len() == before)
    }

    /// All three kinds are read in the form of a query, so that one set of rules holds for them.
    fn parameters<T>(&mut self, part: Part, encoded: &str, pairs: impl Fn() -> Pairs) -> Option<T>
    where
        T: DeserializeOwned + Validate<Context = ()>,
    {
        let refused = match serde_html_form::from_str::<T>(encoded) {
            Ok(value) => match value.validate() {
                Ok(()) => return Some(value),
                Err(report) => report.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let listed = self.contract.list_texts(part, &pairs(), &refused);
        self.faults.extend(listed);
        None
    }
}

fn encode(pairs: &Pairs) -> String {
    // Text pairs always have a form; an empty one would be refused for what it lacks.
    serde_html_form::to_string(pairs).unwrap_or_default()
}

/// Values by name, in the order of names.
pub(super) fn grouped(pairs: &Pairs) -> BTreeMap<&str, Vec<&str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in pairs {
        groups.entry(name).or_default().push(value);
    }
    groups
}
