//! What keeps guesses at secrets slow without shutting out who knows one.
//!
//! Requests for a token are counted by address and in all. Once a quota is used up, the next ones are still answered, but one at a
//! time for each address and after a pause; a wrong secret is then told to wait. A secret that was found right before is known
//! again without a pause, and without the work that makes guesses expensive.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use payment_runs_engine::ports::Client;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request beyond the quota waits, so that there are no more than sixty guesses in a minute beyond it.
const PAUSE: Duration = Duration::from_secs(1);

/// Requests beyond the quota that wait for each other at one address; one more is refused at once.
const WAITING_MAX: usize = 4;

/// Addresses whose requests beyond the quota are answered at once: as many checks of a secret as a core makes in a second.
const ADDRESSES_MAX: usize = 16;

/// Clients whose secrets are known again; as many as have a place in the quotas.
const KNOWN_MAX: usize = 10_000;

/// A request for a token, as the quotas see it. The layer of quotas leaves it with the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenAttempt {
    /// Where it comes from.
    pub(crate) address: IpAddr,
    /// The quota is used up for so many seconds.
    pub(crate) wait_s: Option<u64>,
}

/// Secrets that were right, and addresses that have used up their quota.
#[derive(Debug, Default)]
pub(crate) struct Guesses {
    /// By client: a digest of its secret and of the hash that the secret belongs to.
    known: Mutex<HashMap<String, [u8; 32]>>,
    lanes: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// A turn to guess beyond the quota.
#[derive(Debug)]
pub(super) struct Turn<'g> {
    guesses: &'g Guesses,
    address: IpAddr,
    lane: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.permit = None;
        let mut lanes = lock(&self.guesses.lanes);
        // The map and this turn have the lane, and nobody else.
        if Arc::strong_count(&self.lane) <= 2 {
            lanes.remove(&self.address);
        }
    }
}

impl Guesses {
    /// Whether this secret was found right before, for the hash that the client has now. `key` is the server's own, so that what is
    /// kept in memory cannot be tried by who sees it.
    pub(super) fn is_known(&self, key: &[u8; 32], client: &Client, secret: &str) -> bool {
        lock(&self.known).get(&client.id) == Some(&digest(key, client, secret))
    }

    /// Notes that this secret is right.
    pub(super) fn learn(&self, key: &[u8; 32], client: &Client, secret: &str) {
        let mut known = lock(&self.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(client.id.clone(), digest(key, client, secret));
    }

    /// Waits for a turn to guess beyond the quota; nothing where too many others wait.
    pub(super) async fn turn(&self, address: IpAddr) -> Option<Turn<'_>> {
        let mut turn = self.line_up(address)?;
        turn.permit = Some(Arc::clone(&turn.lane).acquire_owned().await.ok()?);
        #[expect(clippy::disallowed_methods, reason = "who guesses is slowed down in real time")]
        tokio::time::sleep(PAUSE).await;
        Some(turn)
    }

    fn line_up(&self, address: IpAddr) -> Option<Turn<'_>> {
        let mut lanes = lock(&self.lanes);
        if lanes.len() >= ADDRESSES_MAX && !lanes.contains_key(&address) {
            return None;
        }
        let lane = lanes.entry(address).or_insert_with(|| Arc::new(Semaphore::new(1)));
        // The map has one, and each who waits.
        if Arc::strong_count(lane) > WAITING_MAX {
            return None;
        }
        Some(Turn { guesses: self, address, lane: Arc::clone(lane), permit: None })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept stays usable after a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn digest(key: &[u8; 32], client: &Client, secret: &str) -> [u8; 32] {
    let hash = client.secret_hash.as_bytes();
    let length = u64::try_from(hash.len()).unwrap_or(u64::MAX).to_be_bytes();
    let parts = [&b"known secret"[..], key, &length, hash, secret.as_bytes()];
    parts.iter().fold(Sha256::new(), Digest::chain_update).finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use payment_runs_engine::ids::UserId;

    use super::*;

    fn client(secret_hash: &str) -> Client {
        Client {
            id: "client".into(),
            secret_hash: secret_hash.to_owned(),
            user: UserId::from_u128(1),
            entities: vec![],
            organizations: None,
            permissions: vec![],
            is_active: true,
        }
    }

    #[test]
    fn a_secret_is_known_as_long_as_it_is_the_clients() {
        let (guesses, key) = (Guesses::default(), [7; 32]);
        assert!(!guesses.is_known(&key, &client("old"), "secret"));
        guesses.learn(&key, &client("old"), "secret");
        assert!(guesses.is_known(&key, &client("old"), "secret"));
        assert!(!guesses.is_known(&key, &client("old"), "secret2"));
        assert!(!guesses.is_known(&key, &client("new"), "secret"), "it was replaced");
        assert!(!guesses.is_known(&[8; 32], &client("old"), "secret"));
    }

    #[test]
    fn lanes_are_bounded_and_forgotten() {
        let guesses = Guesses::default();
        let at = |last: usize| IpAddr::from([127, 0, 0, u8::try_from(last).unwrap()]);
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| guesses.line_up(at(0)).unwrap()).collect();
        assert!(guesses.line_up(at(0)).is_none());
        waiting.pop();
        waiting.push(guesses.line_up(at(0)).unwrap());
        waiting.extend((1..ADDRESSES_MAX).map(|last| guesses.line_up(at(last)).unwrap()));
        assert!(guesses.line_up(at(ADDRESSES_MAX)).is_none());
        drop(waiting);
        assert!(lock(&guesses.lanes).is_empty());
    }
}
