//! How many requests a caller may send: quotas per time window, and requests at once. Time comes from the clock of the
//! ports, so that a replay counts alike.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// Clients whose requests are counted at once. Only clients that have proved who they are get a place, so it takes as many
/// registered ones, all at work on the same day, to fill it.
const CLIENTS_MAX: usize = 10_000;

/// Seconds of the windows of a client's quotas.
const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// Refusals of one client that are kept under idempotency keys in a day; later ones are carried out again when they are repeated.
const REFUSALS_KEPT_MAX: u64 = 10_000;

/// Refused lines of one client whose reasons are kept in a day: those of ten imports that are refused from end to end. Further
/// ones are counted only.
const REFUSED_LINES_KEPT_MAX: u64 = 50_000;

/// Where the window of a day stands among a client's windows.
const DAY: usize = 2;

/// Bits of an IPv6 address that name its owner's network; the rest is the owner's to choose.
const NETWORK_BITS: u32 = 64;

/// Quotas of requests in fixed windows of time, which begin with each minute, hour and day (UTC), and of requests at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one client in a minute.
    pub requests_per_minute: u64,
    /// Requests of one client in an hour.
    pub requests_per_hour: u64,
    /// Requests of one client in a day.
    pub requests_per_day: u64,
    /// Requests of one client under `/v1` that may be under way at once, those on accounts apart.
    pub concurrent_requests: u32,
    /// Requests of one client on accounts that may be under way at once.
    pub concurrent_account_requests: u32,
    /// Requests for a token from one network address in a minute.
    pub tokens_per_minute_and_address: u64,
    /// Requests for a token in a minute, from anywhere.
    pub tokens_per_minute: u64,
}

/// The documented quotas of a production tenant.
impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: 50_000,
            requests_per_hour: 2_250_000,
            requests_per_day: 27_000_000,
            concurrent_requests: 40,
            concurrent_account_requests: 200,
            tokens_per_minute_and_address: 100,
            tokens_per_minute: 2_000,
        }
    }
}

/// Which limit of requests at once a request falls under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Most of them.
    Default,
    /// Operations that callers use in bulk.
    HighVolume,
}

/// A quota in a window.
#[derive(Debug, Clone, Copy)]
struct Quota {
    requests: u64,
    window_s: i64,
}

/// What was used of a quota in the window of this number, counted from 1970.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    window: i64,
    requests: u64,
}

impl Used {
    /// Counts anew where the window is another one.
    fn enter(&mut self, window: i64) {
        if self.window != window {
            *self = Self { window, requests: 0 };
        }
    }
}

/// Where a caller stands: the window nearest to exhaustion, and all quotas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The quota of that window, then every quota with its window in seconds.
    pub(crate) policy: String,
    /// Requests left in that window.
    pub(crate) remaining: u64,
    /// Seconds until that window's quota is renewed.
    pub(crate) reset_s: u64,
}

/// How many requests of a kind may run at once, and how many more may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Concurrency {
    /// Which limit it is.
    pub(crate) lane: Lane,
    /// How many may run at once.
    pub(crate) limit: u32,
    /// How many more may start now.
    pub(crate) remaining: u32,
}

/// What was decided about a request, and what its caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The caller's quotas.
    pub(crate) standing: Standing,
    /// The limit of requests at once, where one applies.
    pub(crate) concurrency: Option<Concurrency>,
    /// Whether the request may go on.
    pub(crate) outcome: Outcome,
}

/// Whether a request may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It may.
    Admitted,
    /// A window's quota is used up.
    QuotaUsedUp,
    /// Too many requests are under way.
    TooManyAtOnce,
}

/// A request's place among those under way, which is free again when the slot is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    limiter: Arc<Limiter>,
    client: String,
    lane: Lane,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(usage) = lock(&self.limiter.clients).get_mut(&self.client) {
            let running = usage.running_mut(self.lane);
            *running = running.saturating_sub(1);
        }
    }
}

/// One client's requests.
#[derive(Debug, Default)]
struct Usage {
    windows: [Used; 3],
    /// Refusals that were kept today.
    refusals: Used,
    /// Refused lines of imports for which there was room today.
    refused_lines: Used,
    running: u32,
    running_high_volume: u32,
}

impl Usage {
    fn running_mut(&mut self, lane: Lane) -> &mut u32 {
        match lane {
            Lane::Default => &mut self.running,
            Lane::HighVolume => &mut self.running_high_volume,
        }
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.running_high_volume == 0
    }
}

/// Requests for tokens in one minute. Addresses get a place only with a request that was let through, so there are never
/// more of them than the quota of all, and they are forgotten with their minute.
#[derive(Debug, Default)]
struct TokenUsage {
    all: Used,
    addresses: HashMap<IpAddr, u64>,
    /// Tokens that were given, by client.
    given: HashMap<String, u64>,
}

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    clients: Mutex<HashMap<String, Usage>>,
    tokens: Mutex<TokenUsage>,
}

impl Limiter {
    /// A limiter that has counted nothing.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, clients: Mutex::default(), tokens: Mutex::default() }
    }

    /// Decides about a client's request. Where requests at once are limited, the slot is to be held until the answer is
    /// made. A request that finds too many others under way is counted all the same.
    pub(crate) fn request(
        self: &Arc<Self>,
        client: &str,
        lane: Option<Lane>,
        now: Timestamp,
    ) -> (Verdict, Option<Slot>) {
        let quotas = self.quotas();
        let mut clients = lock(&self.clients);
        let usage = usage_of(&mut clients, client, now);
        let (in_quota, standing) = take(&quotas, &mut usage.windows, now.as_second());
        let Some(lane) = lane else {
            return (Verdict { standing, concurrency: None, outcome: of_quota(in_quota) }, None);
        };
        let limit = match lane {
            Lane::Default => self.limits.concurrent_requests,
            Lane::HighVolume => self.limits.concurrent_account_requests,
        };
        let running = usage.running_mut(lane);
        let outcome = if in_quota && *running >= limit { Outcome::TooManyAtOnce } else { of_quota(in_quota) };
        let slot = (outcome == Outcome::Admitted).then(|| {
            *running += 1;
            Slot { limiter: Arc::clone(self), client: client.to_owned(), lane }
        });
        let concurrency = Concurrency { lane, limit, remaining: limit.saturating_sub(*running) };
        (Verdict { standing, concurrency: Some(concurrency), outcome }, slot)
    }

    /// Whether one more refusal of this client is kept under its idempotency key.
    pub(crate) fn may_keep_refusal(&self, client: &str, now: Timestamp) -> bool {
        let quota = Quota { requests: REFUSALS_KEPT_MAX, window_s: DAY_S };
        let mut clients = lock(&self.clients);
        let usage = usage_of(&mut clients, client, now);
        take(&[quota], std::slice::from_mut(&mut usage.refusals), now.as_second()).0
    }

    /// Reserves room for the reasons of up to `lines` refused lines of a client. Returns how many lines got room today.
    pub(crate) fn take_room_for_refused_lines(&self, client: &str, lines: u64, now: Timestamp) -> u64 {
        let mut clients = lock(&self.clients);
        let used = &mut usage_of(&mut clients, client, now).refused_lines;
        used.enter(now.as_second().div_euclid(DAY_S));
        let room = lines.min(REFUSED_LINES_KEPT_MAX.saturating_sub(used.requests));
        used.requests += room;
        room
    }

    /// Returns reserved room that was not used. `taken_at` is the time of the reservation: room of an earlier day is not returned.
    pub(crate) fn give_room_back(&self, client: &str, lines: u64, taken_at: Timestamp) {
        if let Some(usage) = lock(&self.clients).get_mut(client)
            && usage.refused_lines.window == taken_at.as_second().div_euclid(DAY_S)
        {
            usage.refused_lines.requests = usage.refused_lines.requests.saturating_sub(lines);
        }
    }

    /// Counts a token that a client has earned, and no longer as a guess of its address, if it was `counted` as one. Fails with the
    /// seconds to wait where the client has had its quota of tokens.
    pub(crate) fn token_given(
        &self,
        address: IpAddr,
        counted: bool,
        client: &str,
        now: Timestamp,
    ) -> Result<(), u64> {
        let address = network(address);
        let mut tokens = lock(&self.tokens);
        let given = tokens.given.get(client).copied().unwrap_or_default() + 1;
        if given > self.limits.tokens_per_minute_and_address {
            return Err(u64::try_from(MINUTE_S - now.as_second().rem_euclid(MINUTE_S)).unwrap_or_default());
        }
        tokens.given.insert(client.to_owned(), given);
        if !counted {
            return Ok(());
        }
        if let Some(requests) = tokens.addresses.get_mut(&address) {
            *requests = requests.saturating_sub(1);
        }
        tokens.all.requests = tokens.all.requests.saturating_sub(1);
        Ok(())
    }

    /// Decides about a request for a token.
    pub(crate) fn token(&self, address: IpAddr, now: Timestamp) -> Verdict {
        let quota = |requests| Quota { requests, window_s: MINUTE_S };
        let quotas = [quota(self.limits.tokens_per_minute_and_address), quota(self.limits.tokens_per_minute)];
        let window = now.as_second().div_euclid(MINUTE_S);
        let address = network(address);
        let mut tokens = lock(&self.tokens);
        if tokens.all.window != window {
            tokens.addresses.clear();
            tokens.given.clear();
        }
        let requests = tokens.addresses.get(&address).copied().unwrap_or_default();
        let mut used = [Used { window, requests }, tokens.all];
        let (in_quota, standing) = take(&quotas, &mut used, now.as_second());
        tokens.all = used[1];
        if in_quota {
            tokens.addresses.insert(address, used[0].requests);
        }
        Verdict { standing, concurrency: None, outcome: of_quota(in_quota) }
    }

    fn quotas(&self) -> [Quota; 3] {
        [
            Quota { requests: self.limits.requests_per_minute, window_s: MINUTE_S },
            Quota { requests: self.limits.requests_per_hour, window_s: HOUR_S },
            Quota { requests: self.limits.requests_per_day, window_s: DAY_S },
        ]
    }
}

fn of_quota(in_quota: bool) -> Outcome {
    if in_quota { Outcome::Admitted } else { Outcome::QuotaUsedUp }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counters stay usable after a panic elsewhere.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a client has used; one that is not known yet gets a place.
fn usage_of<'c>(clients: &'c mut HashMap<String, Usage>, client: &str, now: Timestamp) -> &'c mut Usage {
    if !clients.contains_key(client) {
        make_room(clients, now.as_second().div_euclid(DAY_S));
    }
    clients.entry(client.to_owned()).or_default()
}

/// Makes room for one more client: those without a request today go first, then the one that asked least. Clients with
/// requests under way stay; there are never more of those than connections.
fn make_room(clients: &mut HashMap<String, Usage>, today: i64) {
    if clients.len() < CLIENTS_MAX {
        return;
    }
    let is_of_today = |usage: &Usage| {
        [usage.windows[DAY], usage.refusals, usage.refused_lines].iter().any(|used| used.window == today)
    };
    clients.retain(|_, usage| !usage.is_idle() || is_of_today(usage));
    if clients.len() < CLIENTS_MAX {
        return;
    }
    let idle = clients.iter().filter(|(_, usage)| usage.is_idle());
    let least = idle.min_by_key(|(_, usage)| usage.windows[DAY].requests).map(|(client, _)| client.clone());
    if let Some(client) = least {
        clients.remove(&client);
    }
}

/// Counts a request in every window, unless one of them is used up: then it counts in none.
fn take(quotas: &[Quota], used: &mut [Used], now_s: i64) -> (bool, Standing) {
    for (quota, used) in quotas.iter().zip(used.iter_mut()) {
        used.enter(now_s.div_euclid(quota.window_s));
    }
    let in_quota = quotas.iter().zip(used.iter()).all(|(quota, used)| used.requests < quota.requests);
    if in_quota {
        for used in used.iter_mut() {
            used.requests += 1;
        }
    }
    (in_quota, standing(quotas, used, now_s))
}

/// The window nearest to exhaustion is the one with the smallest part of its quota left. Of those that are used up it is
/// the one that takes longest, so that who waits for it does not wait in vain.
fn standing(quotas: &[Quota], used: &[Used], now_s: i64) -> Standing {
    let left = |(quota, used): &(&Quota, &Used)| quota.requests.saturating_sub(used.requests);
    let reset_s = |quota: &Quota| quota.window_s - now_s.rem_euclid(quota.window_s);
    let nearest = quotas.iter().zip(used).min_by(|one, other| {
        let (mine, theirs) = (u128::from(left(one)), u128::from(left(other)));
        let by_part = (mine * u128::from(other.0.requests)).cmp(&(theirs * u128::from(one.0.requests)));
        let by_wait = reset_s(other.0).cmp(&reset_s(one.0));
        if mine == 0 && theirs == 0 { by_wait } else { by_part }
    });
    let (requests, remaining, reset_s) =
        nearest.map_or((0, 0, 0), |both| (both.0.requests, left(&both), reset_s(both.0)));
    let each = quotas.iter().map(|quota| format!("{};w={}", quota.requests, quota.window_s));
    let policy: Vec<String> = std::iter::once(requests.to_string()).chain(each).collect();
    Standing { policy: policy.join(", "), remaining, reset_s: u64::try_from(reset_s).unwrap_or_default() }
}

/// What an address counts as: an IPv4 address also where it is written as IPv6, and the network of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let owner = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & owner))
        }
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
