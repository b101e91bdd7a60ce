//! The real program in a world where things go wrong: killed at any moment and at named points, without room on its disk, with
//! a gateway that cuts, delays, repeats and forgets. Afterwards the gateway's journal shows that every document was charged once,
//! to the cent, that none was lost, and that the counters say the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "how often which fault struck is worth reading")]

mod backup;
mod check;
mod disk;
mod gateways;
mod kills;
mod ledger;
mod outage;
mod points;
mod restored;
mod server;
mod stopping;
