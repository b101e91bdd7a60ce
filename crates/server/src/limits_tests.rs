//! Quotas, on a clock of numbers.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn limiter(limits: Limits) -> Arc<Limiter> {
    Arc::new(Limiter::new(limits))
}

fn told(verdict: &Verdict) -> (&str, u64, u64) {
    let standing = &verdict.standing;
    (&standing.policy, standing.remaining, standing.reset_s)
}

#[test]
fn the_window_nearest_to_exhaustion_comes_first() {
    let limits =
        Limits { requests_per_minute: 10, requests_per_hour: 12, requests_per_day: 100, ..Limits::default() };
    let limiter = limiter(limits);
    let ask = |client: &str, second| limiter.request(client, None, at(second)).0;
    let first = ask("a", 20);
    assert_eq!(told(&first), ("10, 10;w=60, 12;w=3600, 100;w=86400", 9, 40));
    for _ in 0..9 {
        assert_eq!(ask("a", 30).outcome, Outcome::Admitted);
    }
    let refused = ask("a", 59);
    assert_eq!(refused.outcome, Outcome::QuotaUsedUp);
    assert_eq!(told(&refused), ("10, 10;w=60, 12;w=3600, 100;w=86400", 0, 1));
    let next = ask("a", 60);
    assert_eq!(told(&next), ("12, 10;w=60, 12;w=3600, 100;w=86400", 1, 3540));
    assert_eq!(ask("a", 60).outcome, Outcome::Admitted);
    assert_eq!(told(&ask("a", 61)).2, 3539);
    assert_eq!(ask("b", 61).outcome, Outcome::Admitted, "another client");
    assert_eq!(ask("a", 3600).outcome, Outcome::Admitted);
}

#[test]
fn a_refused_request_uses_nothing_of_the_other_windows() {
    let limits = Limits { requests_per_minute: 1, requests_per_hour: 2, ..Limits::default() };
    let limiter = limiter(limits);
    let ask = |client: &str, second| limiter.request(client, None, at(second)).0;
    for second in [0, 1, 2, 3] {
        ask("a", second);
    }
    assert_eq!(ask("a", 60).outcome, Outcome::Admitted);
    let refused = ask("a", 61);
    assert_eq!(told(&refused).2, 3539, "the hour is used up, too, and takes longer");
}

#[test]
fn a_place_is_free_again_when_its_request_has_ended() {
    let limiter =
        limiter(Limits { concurrent_requests: 2, concurrent_account_requests: 1, ..Limits::default() });
    let ask = |lane| limiter.request("a", Some(lane), at(0));
    let (one, two) = (ask(Lane::Default), ask(Lane::Default));
    assert_eq!(two.0.concurrency, Some(Concurrency { lane: Lane::Default, limit: 2, remaining: 0 }));
    assert_eq!(ask(Lane::Default).0.outcome, Outcome::TooManyAtOnce);
    assert_eq!(ask(Lane::HighVolume).0.outcome, Outcome::Admitted, "it has a limit of its own");
    drop(one);
    assert_eq!(ask(Lane::Default).0.concurrency.unwrap().remaining, 0);
    assert_eq!(ask(Lane::Default).0.outcome, Outcome::Admitted, "the last one has ended at once");
    drop(two);
    assert_eq!(ask(Lane::Default).0.concurrency.unwrap().remaining, 1);
}

#[test]
fn tokens_are_counted_by_address_and_in_all() {
    let limiter =
        limiter(Limits { tokens_per_minute_and_address: 2, tokens_per_minute: 3, ..Limits::default() });
    let ask = |address: &str, second| limiter.token(address.parse().unwrap(), at(second));
    assert_eq!(told(&ask("10.0.0.1", 0)), ("2, 2;w=60, 3;w=60", 1, 60));
    assert_eq!(ask("::ffff:10.0.0.1", 1).outcome, Outcome::Admitted);
    assert_eq!(ask("10.0.0.1", 2).outcome, Outcome::QuotaUsedUp);
    assert_eq!(ask("2001:db8::1", 3).outcome, Outcome::Admitted);
    let refused = ask("2001:db8::ffff:2", 4);
    assert_eq!(refused.outcome, Outcome::QuotaUsedUp);
    assert_eq!(told(&refused), ("3, 2;w=60, 3;w=60", 0, 56));
    assert_eq!(lock(&limiter.tokens).addresses.len(), 2);
    assert_eq!(ask("10.0.0.1", 60).outcome, Outcome::Admitted);
    assert_eq!(lock(&limiter.tokens).addresses.len(), 1, "a minute's addresses are forgotten with it");
}

#[test]
fn memory_is_bounded() {
    let limiter = limiter(Limits::default());
    let ask = |client: &str, second| limiter.request(client, None, at(second)).0;
    let busy = limiter.request("busy", Some(Lane::Default), at(0));
    for client in 0..CLIENTS_MAX + 50 {
        ask(&client.to_string(), 0);
        if client == 0 {
            ask("0", 0);
        }
    }
    let known = |client: &str| lock(&limiter.clients).contains_key(client);
    assert_eq!(lock(&limiter.clients).len(), CLIENTS_MAX);
    assert!(known("busy") && known("0"), "who is at work, and who asked most, stays");
    drop(busy);
    ask("tomorrow", DAY_S);
    assert_eq!(lock(&limiter.clients).len(), 1);
}

#[test]
fn refusals_are_kept_by_a_quota_of_each_client_and_day() {
    let limiter = limiter(Limits::default());
    for _ in 0..REFUSALS_KEPT_MAX {
        assert!(limiter.may_keep_refusal("a", at(20)));
    }
    assert!(!limiter.may_keep_refusal("a", at(DAY_S - 1)));
    assert!(limiter.may_keep_refusal("b", at(DAY_S - 1)), "another client");
    assert!(limiter.may_keep_refusal("a", at(DAY_S)), "another day");
    for _ in 1..REFUSALS_KEPT_MAX {
        limiter.may_keep_refusal("a", at(DAY_S));
    }
    assert!(!limiter.may_keep_refusal("a", at(DAY_S)), "the new day has the same quota");
}

#[test]
fn a_clock_that_goes_back_begins_a_new_window() {
    let limiter = limiter(Limits { requests_per_minute: 1, ..Limits::default() });
    let ask = |client: &str, second| limiter.request(client, None, at(second)).0;
    ask("a", 120);
    assert_eq!(ask("a", 30).outcome, Outcome::Admitted);
}

#[test]
fn a_clients_own_tokens_are_no_guesses_and_have_a_quota_of_their_own() {
    let limiter =
        limiter(Limits { tokens_per_minute_and_address: 2, tokens_per_minute: 3, ..Limits::default() });
    let here = "10.0.0.1".parse().unwrap();
    for _ in 0..2 {
        assert_eq!(limiter.token(here, at(0)).standing.remaining, 1);
        assert_eq!(limiter.token_given(here, true, "a", at(0)), Ok(()));
    }
    assert_eq!(limiter.token_given(here, true, "a", at(20)), Err(40));
    assert_eq!(limiter.token_given(here, true, "b", at(20)), Ok(()));
    for _ in 0..2 {
        assert_eq!(limiter.token(here, at(20)).outcome, Outcome::Admitted);
    }
    assert_eq!(limiter.token(here, at(20)).outcome, Outcome::QuotaUsedUp);
    assert_eq!(limiter.token_given(here, false, "b", at(20)), Ok(()), "it was not counted");
    assert_eq!(limiter.token(here, at(20)).outcome, Outcome::QuotaUsedUp);
    assert_eq!(limiter.token(here, at(60)).outcome, Outcome::Admitted, "another minute");
    assert_eq!(limiter.token_given(here, true, "a", at(60)), Ok(()));
}

#[test]
fn room_for_refused_lines_is_given_back_within_its_day() {
    let limiter = limiter(Limits::default());
    let most = REFUSED_LINES_KEPT_MAX;
    assert_eq!(limiter.take_room_for_refused_lines("a", most - 1, at(0)), most - 1);
    assert_eq!(limiter.take_room_for_refused_lines("a", 5, at(1)), 1);
    limiter.give_room_back("a", 3, at(1));
    assert_eq!(limiter.take_room_for_refused_lines("a", 5, at(2)), 3);
    assert_eq!(limiter.take_room_for_refused_lines("a", 5, at(DAY_S)), 5);
    limiter.give_room_back("a", 9, at(2));
    assert_eq!(
        limiter.take_room_for_refused_lines("a", most, at(DAY_S)),
        most - 5,
        "yesterday's is not given back"
    );
}
