//! A real node in process for tests: a free port, a temporary database file, the built-in simulator, and time, identifiers
//! and random bytes that a test can hold in its hands.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use payment_runs_node::testing::TestNode;
//!
//! let node = TestNode::builder().at("2026-01-31T08:00:00Z".parse()?).start().await?;
//! node.clock().advance(jiff::SignedDuration::from_hours(1));
//! let charges = node.simulator().map(|simulator| simulator.journal().len());
//! node.stop().await;
//! # Ok(())
//! # }
//! ```

mod node;
mod seams;

pub use node::{TestNode, TestNodeBuilder, TestNodeError};
pub use seams::{TestEntropy, TestIds};

pub use crate::test_clock::TestClock;

use payment_runs_engine::ids::{EntityId, GatewayId, UserId};

/// The client of a test node.
pub const CLIENT_ID: &str = "test-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "test-secret";
/// The public identifier of a test node's first entity.
pub const ENTITY: EntityId = EntityId::from_u128(0x7e57_0000_0000_7000_8000_0000_0000_0001);
/// The user as whom the client acts.
pub const USER: UserId = UserId::from_u128(0x7e57_0000_0000_7000_8000_0000_0000_0002);
/// The identifier of the default gateway.
pub const GATEWAY: GatewayId = GatewayId::from_u128(0x7e57_0000_0000_7000_8000_0000_0000_0003);
