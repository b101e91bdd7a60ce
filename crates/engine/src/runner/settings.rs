//! How much a worker does at once, and how long it waits.

use std::time::Duration;

use crate::collect::SendPolicy;
use crate::recover::LookUpPolicy;

/// Documents of a chunk, about, unless a worker is set up otherwise: as many as one payment pays at most.
pub const DOCUMENTS_PER_CHUNK: usize = 1_000;

/// Bounds and patience of a worker. What is in doubt after a crash is at most `chunks_at_once` × `documents_per_chunk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Chunks in work at once.
    pub chunks_at_once: usize,
    /// Documents of a chunk, about.
    pub documents_per_chunk: usize,
    /// Chunks cut by one transaction of the selection at most.
    pub chunks_per_step: usize,
    /// Charges of one chunk under way at once at most; each gateway has a bound of its own, too.
    pub in_flight_per_chunk: usize,
    /// Outcomes recorded in one transaction at most.
    pub settle_count: usize,
    /// How long an outcome waits for company before it is recorded.
    pub settle_delay: Duration,
    /// How long a claim holds without being renewed. It is renewed three times as often.
    pub lease: Duration,
    /// How often the worker of a chunk asks whether its run was stopped by another process. A stop in this process is heard at
    /// once.
    pub stop_poll: Duration,
    /// How often an idle worker looks for work that nobody told it of, such as chunks of a dead worker.
    pub idle_poll: Duration,
    /// Attempts at one transaction before its chunk is left to lapse.
    pub store_attempts_max: u32,
    /// Pause after the first failed transaction; each later one is twice as long.
    pub store_first_pause: Duration,
    /// No such pause is longer.
    pub store_longest_pause: Duration,
    /// How charges are sent again.
    pub send: SendPolicy,
    /// How payments in doubt are looked up.
    pub look_ups: LookUpPolicy,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            chunks_at_once: 4,
            documents_per_chunk: DOCUMENTS_PER_CHUNK,
            chunks_per_step: 8,
            in_flight_per_chunk: 256,
            settle_count: 1_000,
            settle_delay: Duration::from_millis(20),
            lease: Duration::from_mins(1),
            stop_poll: Duration::from_secs(1),
            idle_poll: Duration::from_secs(1),
            store_attempts_max: 8,
            store_first_pause: Duration::from_millis(50),
            store_longest_pause: Duration::from_secs(5),
            send: SendPolicy::default(),
            look_ups: LookUpPolicy::default(),
        }
    }
}
