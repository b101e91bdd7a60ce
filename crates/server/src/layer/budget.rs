//! Bytes that request bodies hold of the server's memory, as they were sent and as they were inflated: bounded in all, and for
//! each caller, so that nobody can use up what others need.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use payment_runs_stubs::{Category, Rejection};

use crate::app::BODY_BYTES_MAX;

/// Bytes of all bodies: two of the largest as sent and inflated, and some more. To read a body takes up to eight times as much, two
/// at a time.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes of the bodies of one client: the largest one, as sent and inflated.
const CLIENT_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;

/// Bytes of the bodies from one address whose senders are not known: a hundred requests for a token.
const ADDRESS_BYTES_MAX: usize = 1024 * 1024;

/// Seconds after which a refused request may be sent again; most bodies have been answered by then.
const RETRY_S: u64 = 1;

/// Whose bytes they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A client that has proved who it is.
    Client(String),
    /// Anybody at an address.
    Address(IpAddr),
}

/// How much may be held.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    all: usize,
    client: usize,
    address: usize,
}

#[derive(Debug, Default)]
struct Used {
    all: usize,
    /// Those who hold something now; never more than there are connections.
    holders: HashMap<Holder, usize>,
}

/// Counts the bytes.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    bounds: Bounds,
    used: Mutex<Used>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self::new(Bounds { all: BYTES_MAX, client: CLIENT_BYTES_MAX, address: ADDRESS_BYTES_MAX })
    }
}

impl BodyBudget {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, used: Mutex::default() }
    }

    /// Nothing yet, for a body of this holder.
    pub(crate) fn open(self: &Arc<Self>, holder: Holder) -> HeldBytes {
        HeldBytes { budget: Arc::clone(self), holder, bytes: 0 }
    }

    fn change<T>(&self, work: impl FnOnce(&mut Used) -> T) -> T {
        // Counters stay usable after a panic elsewhere.
        work(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The bytes of one body, which are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct HeldBytes {
    budget: Arc<BodyBudget>,
    holder: Holder,
    bytes: usize,
}

impl HeldBytes {
    /// Takes more, unless that is too much.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Rejection> {
        let bounds = self.budget.bounds;
        let bound = match self.holder {
            Holder::Client(_) => bounds.client,
            Holder::Address(_) => bounds.address,
        };
        self.budget.change(|used| {
            let own = used.holders.get(&self.holder).copied().unwrap_or_default().saturating_add(bytes);
            let all = used.all.saturating_add(bytes);
            if own > bound {
                let message = "the bodies of this caller's requests under way are too large together";
                return Err(Rejection::new(Category::OverLimit, message).retry_after_s(RETRY_S));
            }
            if all > bounds.all {
                let message = "the bodies of all requests under way are too large together";
                return Err(Rejection::new(Category::Temporary, message).retry_after_s(RETRY_S));
            }
            used.all = all;
            used.holders.insert(self.holder.clone(), own);
            Ok(())
        })?;
        self.bytes += bytes;
        Ok(())
    }

    /// Hands over what is held to another, who goes on with it.
    pub(crate) fn lend(&mut self) -> Self {
        let bytes = std::mem::take(&mut self.bytes);
        Self { budget: Arc::clone(&self.budget), holder: self.holder.clone(), bytes }
    }

    /// Gives some back.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.change(|used| {
            used.all -= bytes;
            if let Some(own) = used.holders.get_mut(&self.holder) {
                *own -= bytes;
                if *own == 0 {
                    used.holders.remove(&self.holder);
                }
            }
        });
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn budget() -> Arc<BodyBudget> {
        Arc::new(BodyBudget::new(Bounds { all: 25, client: 10, address: 5 }))
    }

    fn client(name: &str) -> Holder {
        Holder::Client(name.to_owned())
    }

    fn refused(held: &mut HeldBytes, bytes: usize) -> Category {
        let rejection = held.grow(bytes).unwrap_err();
        assert_eq!(rejection.retry_after_s, Some(RETRY_S));
        rejection.category
    }

    #[test]
    fn each_caller_has_a_share_and_all_have_a_bound() {
        let budget = budget();
        let (mut one, mut two) = (budget.open(client("a")), budget.open(client("a")));
        one.grow(6).unwrap();
        two.grow(4).unwrap();
        assert_eq!(refused(&mut two, 1), Category::OverLimit);
        let mut nobody = budget.open(Holder::Address("127.0.0.1".parse().unwrap()));
        nobody.grow(5).unwrap();
        assert_eq!(refused(&mut nobody, 1), Category::OverLimit);
        let mut other = budget.open(client("b"));
        other.grow(10).unwrap();
        let mut last = budget.open(client("c"));
        assert_eq!(refused(&mut last, 1), Category::Temporary);
        drop(one);
        last.grow(6).unwrap();
        assert_eq!(refused(&mut last, 1), Category::Temporary);
    }

    #[test]
    fn what_is_given_back_can_be_had_again_and_holders_are_forgotten() {
        let budget = budget();
        let mut held = budget.open(client("a"));
        held.grow(10).unwrap();
        held.shrink(7);
        held.grow(7).unwrap();
        held.shrink(100);
        drop(held);
        budget.change(|used| assert_eq!((used.all, used.holders.len()), (0, 0)));
    }
}
