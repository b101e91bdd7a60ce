//! The work of runs: selection, chunks, intents, outcomes, look-ups.

pub(crate) mod balances;
mod chunk;
pub(crate) mod claim;
mod cutter;
pub(crate) mod finish;
pub(crate) mod look_up;
pub(crate) mod open;
mod port;
pub(crate) mod preview;
pub(crate) mod select;
pub(crate) mod settle;
pub(crate) mod view;
mod write;
