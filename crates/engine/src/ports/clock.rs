//! Time, identifiers and tasks.

use jiff::Timestamp;

use super::BoxFuture;

/// The time, and waiting for it.
pub trait Clock: Send + Sync + 'static {
    /// The time now (UTC).
    fn now(&self) -> Timestamp;
    /// Waits until the time has come; returns at once when it is past.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;
}

/// Why a clock was not set: it is later already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is {0} already")]
pub struct ClockIsLater(pub Timestamp);

/// A clock that stands still until it is set, for tests that must not wait.
pub trait SettableClock: Clock {
    /// Moves the time forward. Whoever waits for a time that has come is awake when this returns; what they then do goes on
    /// by itself.
    fn set_forward(&self, to: Timestamp) -> Result<(), ClockIsLater>;
}

/// New identifiers. Those made later are larger, as far as the clock allows.
pub trait Ids: Send + Sync + 'static {
    /// A new identifier's number.
    fn next_id(&self) -> u128;
}

/// Background tasks.
pub trait Spawner: Send + Sync + 'static {
    /// Starts a task; the name is for logs. The task ends by itself.
    fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>);
}

/// Unpredictable bytes, for tokens and secrets.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}
