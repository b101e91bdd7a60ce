//! What happens in a schedule, written out: the parts of the world that take part, and every fault with its place.
//!
//! A seed draws a schedule. A script takes the world of a seed and says which of its parts there are and exactly what goes
//! wrong, so that a schedule can be made shorter step by step and still be repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::fault::{Fault, Place, UnknownPart};

/// A part of a world that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// An invoice or debit memo that exists at the start, by its position.
    Document(usize),
    /// A credit memo that exists at the start.
    Credit(usize),
    /// An unapplied payment that exists at the start.
    Unapplied(usize),
    /// A run that exists at the start.
    Run(usize),
    /// Something that a caller asks for while the runs are at work.
    Operation(usize),
    /// Tasks that are ready run in a random order, not in the order in which they became ready.
    Order,
    /// Answers take random times, not always the same.
    Latency,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(index) => write!(f, "document#{index}"),
            Self::Credit(index) => write!(f, "credit#{index}"),
            Self::Unapplied(index) => write!(f, "unapplied#{index}"),
            Self::Run(index) => write!(f, "run#{index}"),
            Self::Operation(index) => write!(f, "operation#{index}"),
            Self::Order => f.write_str("order"),
            Self::Latency => f.write_str("latency"),
        }
    }
}

impl FromStr for Part {
    type Err = UnknownPart;
    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        let unknown = || UnknownPart(text.to_owned());
        let (name, index) = text.split_once('#').unwrap_or((text, "0"));
        let index = index.parse().map_err(|_| unknown())?;
        match name {
            "document" => Ok(Self::Document(index)),
            "credit" => Ok(Self::Credit(index)),
            "unapplied" => Ok(Self::Unapplied(index)),
            "run" => Ok(Self::Run(index)),
            "operation" => Ok(Self::Operation(index)),
            "order" => Ok(Self::Order),
            "latency" => Ok(Self::Latency),
            _ => Err(unknown()),
        }
    }
}

/// One entry of a script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// A part that takes part.
    Part(Part),
    /// Something that goes wrong.
    Fault(Place, Fault),
}

/// Exactly what happens in a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// The parts of the world that there are.
    pub parts: BTreeSet<Part>,
    /// What goes wrong where; nothing else does.
    pub faults: BTreeMap<Place, Fault>,
}

impl Script {
    /// The script's entries: faults first, since they are mostly not needed.
    pub fn entries(&self) -> Vec<Entry> {
        let faults = self.faults.iter().map(|(place, fault)| Entry::Fault(place.clone(), *fault));
        faults.chain(self.parts.iter().copied().map(Entry::Part)).collect()
    }
}

impl FromIterator<Entry> for Script {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut script = Self::default();
        for entry in entries {
            match entry {
                Entry::Part(part) => drop(script.parts.insert(part)),
                Entry::Fault(place, fault) => drop(script.faults.insert(place, fault)),
            }
        }
        script
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(part) => write!(f, "{part}"),
            Self::Fault(place, fault) => write!(f, "{place}={fault}"),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> = self.entries().iter().map(ToString::to_string).collect();
        f.write_str(&entries.join(","))
    }
}

impl FromStr for Script {
    type Err = UnknownPart;
    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        let entry = |text: &str| match text.split_once('=') {
            Some((place, fault)) => Ok(Entry::Fault(place.parse()?, fault.parse()?)),
            None => Ok(Entry::Part(text.parse()?)),
        };
        text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reads_back_as_it_was_written() {
        let text = "charge#3=late:40000,settle#0=doubt-after,document#2,run#0,operation#11,order";
        let script: Result<Script, UnknownPart> = text.parse();
        assert_eq!(script.as_ref().map(|script| script.faults.len()), Ok(2));
        assert_eq!(script.map(|script| script.to_string()), Ok(text.to_owned()));
        assert!("charge=late".parse::<Script>().is_err());
        assert!("charge#1=nonsense".parse::<Script>().is_err());
        assert!("nonsense".parse::<Script>().is_err());
    }
}
