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
