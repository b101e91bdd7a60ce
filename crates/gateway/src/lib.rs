//! Payment gateways: the peers that move the money.
//!
//! * [`stripe`] implements the engine's gateway port over HTTP.
//! * [`simulator`] is a gateway server for development, tests and the demo.
//! * [`registry`] holds the gateways of a process and bounds the calls to each.
//! * [`measure`] tells how fast bare calls are, as a yardstick.

pub mod measure;
pub mod registry;
pub mod simulator;
pub mod stripe;
