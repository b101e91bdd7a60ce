#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
//! The worker alone: batches, bounds, leases, stopping, and a store that gives up. The store here is a script that
//! remembers what it was told; the real one is in the schedules.

mod bench;

use std::sync::Mutex;
use std::time::Duration;

use payment_runs_engine::ports::{Clock, StoreError};
use payment_runs_engine::runner::WorkerSettings;
use payment_runs_sim::pool::SimClock;

use bench::{Bench, Script, Told};

fn settings() -> WorkerSettings {
    WorkerSettings {
        chunks_at_once: 2,
        in_flight_per_chunk: 10,
        settle_count: 25,
        ..WorkerSettings::default()
    }
}

const FAST: Duration = Duration::from_millis(4);

#[test]
fn every_chunk_is_opened_charged_settled_and_closed() {
    let mut bench = Bench::new(Script::with_chunks(&[100, 0, 7]), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 3);
    assert_eq!(bench.script.settled(), 107);
    for chunk in 0..3 {
        let of_chunk = |told: &Told| match told {
            Told::Open(one) | Told::Settle(one, _) | Told::Close(one) => *one == chunk,
            _ => false,
        };
        let told: Vec<_> = bench.script.told().into_iter().filter(of_chunk).collect();
        assert_eq!(told.first(), Some(&Told::Open(chunk)));
        assert_eq!(told.last(), Some(&Told::Close(chunk)));
    }
    let finishes = bench.script.count(|told| *told == Told::Finish);
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > finishes);
}

#[test]
fn outcomes_are_recorded_in_batches() {
    let mut bench = Bench::new(Script::with_chunks(&[100]), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    let batches: Vec<usize> = bench
        .script
        .told()
        .iter()
        .filter_map(|told| if let Told::Settle(_, number) = told { Some(*number) } else { None })
        .collect();
    assert!(batches.len() <= 5, "{batches:?}");
    assert!(batches[0] >= 25, "the first batch waits for company: {batches:?}");
    // A slow gateway does not hold an outcome back for longer than the delay.
    let slow = Duration::from_secs(1);
    let mut bench = Bench::new(Script::with_chunks(&[11]), slow, &settings());
    bench.until(|bench| bench.script.settled() >= 10);
    assert!(bench.script.count(|told| matches!(told, Told::Close(_))) == 0);
}

#[test]
fn what_is_under_way_is_bounded() {
    let mut bench = Bench::new(Script::with_chunks(&[50, 50, 50, 50]), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 4);
    assert_eq!(bench.gateway.under_way.lock().unwrap().1, 20, "two chunks of ten each");
}

#[test]
fn a_lease_is_renewed_while_charges_take_long() {
    let slow = Duration::from_mins(3);
    let mut bench = Bench::new(Script::with_chunks(&[1]), slow, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    let renewals = bench.script.count(|told| matches!(told, Told::Renew(_)));
    assert!((8..=9).contains(&renewals), "a lease of a minute, for three minutes: {renewals}");
}

#[test]
fn a_lost_lease_ends_the_work_on_its_chunk() {
    let script = Script { loses_leases: true, ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, Duration::from_mins(3), &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Renew(_))) == 1);
    let finishes = bench.script.count(|told| *told == Told::Finish);
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > finishes + 300);
    assert_eq!(bench.script.settled(), 0);
    assert_eq!(bench.script.count(|told| matches!(told, Told::Close(_))), 0);
}

#[test]
fn a_chunk_that_took_longer_to_open_than_its_lease_is_renewed_before_anything_is_sent() {
    let any_clock = SimClock::new("2026-03-01T00:00:00Z".parse().unwrap());
    let slowly = || Mutex::new(Some((any_clock.clone(), Duration::from_mins(2))));
    let script = Script { loses_leases: true, opening: slowly(), ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Renew(_))) == 1);
    let finishes = bench.script.count(|told| *told == Told::Finish);
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > finishes + 300);
    assert_eq!(bench.gateway.under_way.lock().unwrap().1, 0, "the new owner sends, and nobody else");
    let script = Script { opening: slowly(), ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    let is_of_the_chunk = |told: &Told| !matches!(told, Told::Finish | Told::LookUp);
    let told: Vec<_> = bench.script.told().into_iter().filter(is_of_the_chunk).collect();
    assert_eq!(told[..2], [Told::Open(0), Told::Renew(0)], "{told:?}");
    assert_eq!(bench.script.settled(), 5);
}

#[test]
fn a_run_whose_time_comes_during_a_round_starts_right_after_it() {
    let takes = Duration::from_millis(500);
    for due_after in [Duration::from_millis(1), takes / 2, takes] {
        let mut bench = Bench::new(Script::default(), FAST, &settings());
        // An idle worker: the only thing that wakes it is its poll.
        bench.until(|bench| bench.script.count(|told| *told == Told::Finish) == 3);
        *bench.script.finishing.lock().unwrap() = Some((bench.pool.clock.clone(), takes));
        bench.until(|bench| bench.script.finishing.lock().unwrap().is_none());
        let began = bench.pool.clock.now();
        *bench.script.run_at.lock().unwrap() = Some(began.checked_add(due_after).unwrap());
        bench.until(|bench| bench.script.count(|told| matches!(told, Told::Select(_))) == 1);
        let ended = began.checked_add(takes).unwrap();
        assert!(
            bench.script.told().contains(&Told::Select(ended)),
            "{due_after:?}: {:?}",
            bench.script.told()
        );
    }
}

#[test]
fn a_time_of_day_that_was_set_back_makes_no_lease_longer() {
    let any_clock = SimClock::new("2026-03-01T00:00:00Z".parse().unwrap());
    let opening = Mutex::new(Some((any_clock, Duration::from_mins(2))));
    // A lease from now on ends before the claim's, which the store takes for one that is given back.
    let set_back = Duration::from_hours(1);
    let script = Script { loses_leases: true, opening, set_back, ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::GiveBack(_))) == 1);
    let finishes = bench.script.count(|told| *told == Told::Finish);
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > finishes + 300);
    assert_eq!(
        bench.gateway.under_way.lock().unwrap().1,
        0,
        "the lease had ended two minutes after the claim"
    );
}

#[test]
fn a_time_of_day_that_was_set_back_delays_no_look_up() {
    let mut bench = Bench::new(Script::default(), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| *told == Told::LookUp) == 2);
    bench.pool.clock.jump_back(Duration::from_hours(1));
    let every = settings().look_ups.every;
    bench.pool.clock.skip(every);
    // The machine's clock wakes whoever sleeps through this, which that of the simulation does not.
    bench.script.news.notify_waiters();
    let now = bench.pool.clock.now();
    bench.until(|bench| bench.script.count(|told| *told == Told::LookUp) == 3);
    assert_eq!(bench.pool.clock.now(), now, "at once");
}

#[test]
fn a_lease_that_cannot_be_renewed_ends_the_work_when_it_ends() {
    let script = Script { fails_to_renew: true, ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, Duration::from_secs(50), &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    assert_eq!(bench.script.settled(), 5, "while it lasts, the work goes on");
    let script = Script { fails_to_renew: true, ..Script::with_chunks(&[5]) };
    let mut bench = Bench::new(script, Duration::from_secs(70), &settings());
    let start = bench.pool.clock.now();
    bench.until(|bench| bench.pool.clock.now().duration_since(start).as_mins() >= 5);
    assert_eq!((bench.script.settled(), bench.gateway.under_way.lock().unwrap().1), (0, 5));
}

#[test]
fn stopping_ends_what_is_under_way_and_begins_nothing_new() {
    let mut bench = Bench::new(Script::with_chunks(&[100]), Duration::from_secs(5), &settings());
    bench.until(|bench| bench.gateway.under_way.lock().unwrap().0 == 10);
    bench.stopper.stop();
    bench.until(Bench::has_returned);
    assert_eq!(bench.script.settled(), 10);
    assert_eq!(bench.script.told().last(), Some(&Told::GiveBack(0)), "{:?}", bench.script.told());
}

#[test]
fn a_stopped_run_sends_nothing_more() {
    // Another process stopped it: nobody is told, so that it is heard when the worker asks next.
    for is_told in [true, false] {
        let slow = Duration::from_secs(20);
        let mut bench = Bench::new(Script::with_chunks(&[100]), slow, &settings());
        bench.until(|bench| bench.gateway.under_way.lock().unwrap().0 == 10);
        let stopped_at = bench.pool.clock.now();
        *bench.script.is_stopping.lock().unwrap() = true;
        if is_told {
            bench.script.news.notify_waiters();
        }
        bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
        let took = bench.pool.clock.now().duration_since(stopped_at);
        assert!(took.as_secs() <= 21, "what was under way ends, and the rest is given up meanwhile: {took}");
        assert_eq!(bench.gateway.charges(), 10);
        assert_eq!(bench.script.settled(), 100);
        assert_eq!(bench.script.count_not_sent(), 90);
    }
}

#[test]
fn an_idle_worker_stops_at_once() {
    let mut bench = Bench::new(Script::default(), FAST, &settings());
    bench.until(|bench| bench.script.count(|told| *told == Told::Finish) > 0);
    bench.stopper.stop();
    bench.until(Bench::has_returned);
}

#[test]
fn a_failed_transaction_is_tried_again_and_then_left() {
    let fail = || StoreError::Write { doing: "settle", source: "disk".into() };
    let script = Script::with_chunks(&[3]);
    *script.settle_errors.lock().unwrap() = [fail(), fail()].into();
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    assert_eq!(bench.script.settled(), 3);
    let script = Script::with_chunks(&[3, 2]);
    let most = usize::try_from(settings().store_attempts_max).unwrap();
    *script.settle_errors.lock().unwrap() = (0..most).map(|_| fail()).collect();
    let one = WorkerSettings { chunks_at_once: 1, ..settings() };
    let mut bench = Bench::new(script, FAST, &one);
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Close(_))) == 1);
    assert_eq!(bench.script.told().iter().filter(|told| matches!(told, Told::Settle(0, _))).count(), 0);
    assert_eq!(bench.script.settled(), 2, "the next chunk goes on");
}

#[test]
fn data_that_cannot_be_read_ends_the_run() {
    let script = Script::with_chunks(&[3]);
    *script.open_error.lock().unwrap() = Some(StoreError::Corrupt { what: "a plan".to_owned() });
    let mut bench = Bench::new(script, FAST, &settings());
    bench.until(|bench| bench.script.count(|told| matches!(told, Told::Fail(_))) == 1);
    assert_eq!(bench.script.settled(), 0);
}

#[test]
fn a_closed_store_ends_the_worker() {
    let mut bench = Bench::new(Script { is_closed: true, ..Script::default() }, FAST, &settings());
    bench.until(Bench::has_returned);
}

#[test]
fn news_wakes_an_idle_worker_and_without_news_it_polls() {
    let patient = WorkerSettings { idle_poll: Duration::from_hours(9), ..settings() };
    let finishes = |bench: &Bench| bench.script.count(|told| *told == Told::Finish);
    let mut bench = Bench::new(Script::default(), FAST, &patient);
    let start = bench.pool.clock.now();
    bench.until(|bench| finishes(bench) >= 1);
    bench.script.news.notify_one();
    bench.until(|bench| finishes(bench) >= 2);
    assert!(bench.pool.clock.now().duration_since(start).as_secs() < 60, "it heard of the news");
    bench.until(|bench| bench.pool.clock.now().duration_since(start).as_hours() >= 9);
    bench.until(|bench| finishes(bench) >= 3);
}
