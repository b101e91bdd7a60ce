//! A simulator that tries to make the collection protocol charge twice or lose a payment.
//!
//! Each schedule is one seed. It runs the real workers over the real store on a file in memory, with a simulated clock,
//! bank and order of tasks, while callers ask for things. The process dies, workers die or stand still, transactions
//! fail, answers get lost and clocks jump at every step. Afterwards the bank's books and ours must tell the same story.
//! Protocols that are wrong on purpose ([`Mutant`]) prove that the checkers notice. A schedule that fails is made as
//! short as it can be ([`shrink`]), and is repeated by its seed or by its script.

pub mod bank;
mod caller;
pub mod chaos;
pub mod check;
pub mod fault;
pub mod gateway;
mod many;
mod mutant;
pub mod operations;
pub mod pool;
pub mod ports;
pub mod random;
mod restore;
mod schedule;
pub mod script;
mod shrink;
pub mod world;

pub use bank::Border;
pub use many::{Amount, Summary, hunt, run_many};
pub use mutant::{Mutant, Saboteur, UnknownMutant};
pub use schedule::{Config, Report, SimError, Template, run_script, run_seed};
pub use script::Script;
pub use shrink::{Shrunk, shrink};
