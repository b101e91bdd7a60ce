//! Being asked to stop.

use anyhow::Context as _;

/// Waits for Ctrl-C or, on Unix, SIGTERM. A second one ends the process at once, in case a stop takes too long.
pub(crate) struct StopSignal {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

/// What a shell expects of a program that was interrupted.
const INTERRUPTED: i32 = 130;

impl StopSignal {
    /// Starts to listen, so that no signal is missed from here on.
    #[cfg(unix)]
    pub(crate) fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        Ok(Self { terminate, interrupt })
    }

    /// Starts to listen.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    /// Waits until somebody asks.
    #[cfg(unix)]
    pub(crate) async fn asked(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }

    /// Waits until somebody asks.
    #[cfg(not(unix))]
    pub(crate) async fn asked(&mut self) -> anyhow::Result<()> {
        tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")
    }

    /// Does the work of stopping; a second signal ends the process without it.
    pub(crate) async fn or_at_once<T>(mut self, stop: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            stopped = stop => stopped,
            _ = self.asked() => std::process::exit(INTERRUPTED),
        }
    }
}
