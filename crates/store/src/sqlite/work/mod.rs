//! The work of runs: selection, chunks, intents, outcomes, look-ups.

pub(crate) mod balances;
mod chunk;
mod claim;
mod cutter;
mod finish;
mod look_up;
mod open;
mod port;
mod select;
pub(crate) mod settle;
mod view;
mod write;
