//! The decisions about notifications: addresses, pauses, and whose turn it is.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::ids::UserId;

#[test]
fn only_addresses_of_the_public_internet_are_public() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:82a::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ] {
        assert!(is_public(text.parse().unwrap()), "{text}");
    }
    for text in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(text.parse().unwrap()), "{text}");
    }
}

/// What the standard library can tell about an address without knowing the registries.
fn is_certainly_not_public(address: Ipv4Addr) -> bool {
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_documentation()
}

fn waiting(ordinal: u64, lane: Lane, due_ms: i64) -> Waiting {
    let due_at = Timestamp::from_millisecond(due_ms).unwrap();
    let id = DeliveryId::from_u128(u128::from(ordinal));
    Waiting { ordinal, id, kind: NotificationKind::PaymentProcessed, lane, attempts: 0, due_at }
}

fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![
        6 => (0_u128..4).prop_map(|run| Lane::Run(RunId::from_u128(run))),
        1 => Just(Lane::NoRun),
    ]
}

proptest! {
    #[test]
    fn an_address_inside_another_is_judged_like_itself(bits: u32) {
        let inner = Ipv4Addr::from_bits(bits);
        let judged = is_public(IpAddr::V4(inner));
        prop_assert_eq!(is_public(IpAddr::V6(inner.to_ipv6_mapped())), judged);
        let [a, b, c, d] = inner.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        prop_assert_eq!(is_public(IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low))), judged);
        prop_assert_eq!(is_public(IpAddr::V6(Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1))), judged);
        prop_assert!(!is_public(IpAddr::V6(inner.to_ipv6_compatible())));
        prop_assert!(!(judged && is_certainly_not_public(inner)), "{}", inner);
    }

    #[test]
    fn no_address_outside_the_global_part_is_public(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        let first = address.segments()[0];
        let carries = address.to_ipv4_mapped().is_some() || first == 0x64;
        if first & 0xe000 != 0x2000 && !carries {
            prop_assert!(!is_public(IpAddr::V6(address)), "{}", address);
        }
        let is_local = address.is_loopback() || address.is_multicast() || address.is_unspecified()
            || address.is_unique_local() || address.is_unicast_link_local();
        prop_assert!(!(is_local && is_public(IpAddr::V6(address))), "{}", address);
    }

    #[test]
    fn pauses_grow_and_have_bounds(attempts in 1_u32..40, random: u64) {
        let pause = pause_after(attempts, random);
        let longest = 5_000_i64.saturating_mul(3_i64.saturating_pow(attempts - 1)).min(6 * 3_600_000);
        prop_assert!(pause <= SignedDuration::from_millis(longest), "{}: {}", attempts, pause);
        prop_assert!(pause >= SignedDuration::from_millis(longest / 2), "{}: {}", attempts, pause);
    }

    /// Whatever waits, a lane's deliveries are sent one at a time in their order, and nothing due is forgotten.
    #[test]
    fn deliveries_of_a_run_are_sent_in_order(
        lanes in prop::collection::vec((lane(), 0_i64..3, any::<bool>()), 1..40),
        room in 1_usize..6,
        failures in prop::collection::vec(0_u8..3, 0..60),
    ) {
        let mut queue: BTreeMap<u64, Waiting> = lanes
            .iter()
            .enumerate()
            .map(|(index, (lane, due, is_replay))| {
                let ordinal = u64::try_from(index).unwrap();
                let lane = if *is_replay && index % 5 == 0 { Lane::Replay(ordinal) } else { *lane };
                (ordinal, waiting(ordinal, lane, *due))
            })
            .collect();
        let mut failures = failures.into_iter();
        let mut in_flight = BTreeSet::new();
        let mut last: BTreeMap<Lane, u64> = BTreeMap::new();
        let mut now = Timestamp::from_millisecond(0).unwrap();
        let mut rounds = 0;
        while !queue.is_empty() {
            rounds += 1;
            prop_assert!(rounds < 1_000, "{} wait for ever", queue.len());
            let sent = ready(&queue, &in_flight, now, room);
            prop_assert!(sent.len() <= room);
            let under_way: BTreeSet<Lane> = in_flight.iter().map(|ordinal| queue[ordinal].lane).collect();
            for one in &sent {
                prop_assert!(one.due_at <= now && !under_way.contains(&one.lane));
                prop_assert!(last.get(&one.lane).is_none_or(|before| *before <= one.ordinal));
                last.insert(one.lane, one.ordinal);
                prop_assert!(in_flight.insert(one.ordinal));
            }
            let next = next_due(&queue, &in_flight, now);
            match in_flight.pop_first() {
                Some(ordinal) if failures.next().unwrap_or(0) == 1 => {
                    let later = now + SignedDuration::from_millis(7);
                    queue.get_mut(&ordinal).unwrap().due_at = later;
                }
                Some(ordinal) => drop(queue.remove(&ordinal)),
                None => now = next.unwrap(),
            }
        }
    }
}

proptest! {
    /// Whatever waits and is read: nothing is lost, nothing overtakes, and no run takes the room of others.
    #[test]
    fn a_run_has_a_share_of_the_room(
        before in prop::collection::vec(0_u128..40, 0..WAITING_IN_ALL_MAX),
        read in prop::collection::vec(prop::option::of(0_u128..600), 1..400),
    ) {
        let waits = |(ordinal, run)| (ordinal, waiting(ordinal, Lane::Run(RunId::from_u128(run)), 0));
        let queue: BTreeMap<u64, Waiting> = (1..).zip(before).map(waits).collect();
        let read: Vec<(Option<RunId>, i64)> = read.iter().map(|run| run.map(RunId::from_u128)).zip(1..).collect();
        let (taken, held) = divide(&queue, read.iter().map(|(run, event)| (*run, *event, (*run, *event))));
        let mut expected = read.clone();
        expected.retain(|(run, event)| held.get(run).is_none_or(|after| event <= after));
        prop_assert_eq!(&taken, &expected, "what is not held is taken, in its order");
        prop_assert!(held.iter().all(|(run, after)| read.contains(&(*run, after + 1))), "{:?}", held);

        let room = Room::beside(&queue);
        let in_all = queue.len() + taken.len();
        prop_assert!(in_all <= WAITING_IN_ALL_MAX);
        for (run, _) in &read {
            let lane = Lane::of(*run);
            let more = taken.iter().filter(|(taken, _)| taken == run).count();
            prop_assert!(more == 0 || room.waiting_of(lane) + more <= WAITING_OF_RUN_MAX);
            let waits_for_nothing = room.waiting_of(lane) == 0 && in_all < WAITING_IN_ALL_MAX;
            prop_assert!(!waits_for_nothing || more > 0, "the first of a run has room beside others");
        }
    }
}

#[test]
fn a_delivery_is_given_up_after_bounded_time() {
    let longest: SignedDuration = (1..ATTEMPTS_MAX)
        .map(|attempts| pause_after(attempts, u64::MAX))
        .fold(SignedDuration::ZERO, |a, b| a + b);
    assert!(longest < SignedDuration::from_hours(24), "{longest}");
    assert!(longest > SignedDuration::from_hours(6), "an endpoint may be away overnight: {longest}");
}

#[test]
fn only_a_success_is_a_success() {
    let now = Timestamp::UNIX_EPOCH;
    for status in [200, 201, 204, 299] {
        assert_eq!(
            verdict(&Attempt::Answered(status), ATTEMPTS_MAX, ATTEMPTS_MAX, now, 0),
            Verdict::Delivered
        );
    }
    for status in [100, 199, 300, 301, 307, 400, 404, 410, 429, 500, 503] {
        let attempt = Attempt::Answered(status);
        assert_eq!(
            verdict(&attempt, 1, ATTEMPTS_MAX, now, 0),
            Verdict::Again(now + SignedDuration::from_millis(2_500))
        );
        assert_eq!(verdict(&attempt, ATTEMPTS_MAX, ATTEMPTS_MAX, now, 0), Verdict::GiveUp, "{status}");
    }
    let unanswered = Attempt::Unanswered { why: "it took too long".to_owned() };
    assert!(matches!(verdict(&unanswered, 1, ATTEMPTS_MAX, now, 7), Verdict::Again(_)));
    assert_eq!(verdict(&unanswered, ATTEMPTS_MAX, ATTEMPTS_MAX, now, 7), Verdict::GiveUp);
    assert_eq!(verdict(&unanswered, 1, ATTEMPTS_AFTER_FAILURE, now, 7), Verdict::GiveUp);
}

#[test]
fn a_replay_keeps_nothing_waiting() {
    let run = Lane::Run(RunId::from_u128(1));
    let queue: BTreeMap<u64, Waiting> =
        [waiting(1, Lane::Replay(1), 9), waiting(2, run, 0), waiting(3, run, 0)]
            .into_iter()
            .map(|one| (one.ordinal, one))
            .collect();
    let now = Timestamp::UNIX_EPOCH;
    let sent = ready(&queue, &BTreeSet::new(), now, 9);
    assert_eq!(sent.iter().map(|one| one.ordinal).collect::<Vec<_>>(), [2]);
    assert_eq!(next_due(&queue, &BTreeSet::from([2]), now), Some(Timestamp::from_millisecond(9).unwrap()));
}

#[test]
fn the_secret_before_a_rotation_signs_for_a_day() {
    let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
    let secret = |generation, rotated_at| SecretVersion { generation, rotated_at };
    let webhook = |secret| Webhook {
        id: WebhookId::from_u128(1),
        url: "https://example.com/".to_owned(),
        description: None,
        kinds: NotificationKind::ALL.to_vec(),
        is_active: true,
        secret,
        stamps: Stamps::new(at(0), UserId::from_u128(1)),
    };
    assert_eq!(webhook(secret(1, None)).generations(at(1)), [1]);
    let rotated = webhook(secret(3, Some(at(0))));
    assert_eq!(rotated.generations(at(0)), [3, 2]);
    assert_eq!(rotated.generations(at(23)), [3, 2]);
    assert_eq!(rotated.generations(at(24)), [3]);
}
