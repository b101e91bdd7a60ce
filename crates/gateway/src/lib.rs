//! Payment gateways: the peer that moves the money.
//!
//! [`simulator`] is a gateway server for development, tests and the demo.

pub mod simulator;
