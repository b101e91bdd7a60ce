//! A simulator that tries to make the collection protocol charge twice or lose a payment.
//!
//! Each schedule is one seed. It runs the real worker over the real store on a file in memory, with a simulated clock,
//! bank and order of tasks, and lets the process die, transactions fail and answers get lost at every step. Afterwards
//! the bank's books and ours must tell the same story. Protocols that are wrong on purpose ([`Mutant`]) prove that the
//! checkers notice.

pub mod bank;
pub mod chaos;
pub mod check;
pub mod gateway;
mod many;
mod mutant;
pub mod pool;
pub mod ports;
pub mod random;
mod schedule;
pub mod world;

pub use many::{Summary, hunt, run_many};
pub use mutant::{Mutant, UnknownMutant};
pub use schedule::{Config, Report, SimError, Template, run_seed};
