//! The word that work is to end: what is in flight ends, nothing new is begun.

use std::future::pending;

use tokio::sync::watch;

/// Hears that work is to end.
#[derive(Debug, Clone)]
pub struct Stopping(Option<watch::Receiver<bool>>);

/// Says that work is to end. Dropping it does not.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopping {
    /// One that never stops.
    pub const fn never() -> Self {
        Self(None)
    }

    /// A pair of who says it and who hears it.
    pub fn pair() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Self(Some(receiver)))
    }

    /// Whether it has been said.
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|receiver| *receiver.borrow())
    }

    /// Waits until it is said.
    pub async fn wait(&self) {
        if let Some(mut receiver) = self.0.clone()
            && receiver.wait_for(|is_set| *is_set).await.is_ok()
        {
            return;
        }
        pending::<()>().await;
    }
}

impl Stopper {
    /// Says it.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}
