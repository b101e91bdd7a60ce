//! Where notifications go, and where they do not.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use jiff::Timestamp;
use payment_runs_engine::ids::DeliveryId;

use super::*;

fn sender(allows_private: bool) -> HttpWebhookSender {
    HttpWebhookSender::new([7; 32], allows_private, Duration::from_secs(1))
}

fn request(url: &str) -> WebhookRequest {
    WebhookRequest {
        url: url.to_owned(),
        webhook: WebhookId::from_u128(1),
        delivery: DeliveryId::from_u128(2),
        kind: NotificationKind::RunEnded,
        generations: vec![1],
        at: Timestamp::UNIX_EPOCH,
        body: b"{}".to_vec(),
    }
}

#[test]
fn urls_lead_to_public_hosts_over_tls() {
    let strict = sender(false);
    for (url, kept) in [
        ("https://example.com", "https://example.com/"),
        ("https://example.com:8443/hooks?key=1", "https://example.com:8443/hooks?key=1"),
        ("HTTPS://Example.COM/", "https://example.com/"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
        ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"),
    ] {
        assert_eq!(strict.check(url).as_deref(), Ok(kept), "{url}");
    }
    for url in
        ["", "/hooks", "example.com", "https://", "https:///", "https://a b/", "https://u@example.com/"]
    {
        assert_eq!(strict.check(url), Err(TargetFault::Malformed), "{url}");
    }
    for url in ["https://u:p@example.com/", "https://example.com/#part"] {
        assert_eq!(strict.check(url), Err(TargetFault::Malformed), "{url}");
    }
    let long = format!("https://example.com/{}", "a".repeat(URL_OVER));
    assert_eq!(strict.check(&long), Err(TargetFault::Malformed));
    for url in ["http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/"] {
        assert_eq!(strict.check(url), Err(TargetFault::Scheme), "{url}");
    }
}

const URL_OVER: usize = 2048;

/// The many ways to write an address of this machine, of its network, or of a cloud's metadata.
const PRIVATE: &[&str] = &[
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://10.0.0.8/",
    "https://172.16.0.1/",
    "https://192.168.1.1:8443/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://api.localhost/",
    "https://１２７.0.0.1/",
];

#[tokio::test]
async fn hosts_that_are_not_public_are_refused_twice() {
    let (strict, open) = (sender(false), sender(true));
    for url in PRIVATE {
        assert_eq!(strict.check(url), Err(TargetFault::NotPublic), "{url}");
        assert!(open.check(url).is_ok(), "{url}");
        // A webhook that was made while it was allowed is not called once it is not.
        let attempt = strict.send(request(url)).await;
        let why = "the URL is not one that this server sends to".to_owned();
        assert_eq!(attempt, Attempt::Unanswered { why }, "{url}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_it_has_when_it_is_called() {
    // The machine's own name for itself, which no rule about names knows, stands for any name that leads inside.
    let resolver = JudgedAddresses { allows_private: false };
    let refused = resolver.resolve("localhost".parse().unwrap()).await.map(|_| ()).unwrap_err();
    assert!(refused.is::<NotPublic>(), "{refused}");
    let open = JudgedAddresses { allows_private: true };
    let found: Vec<SocketAddr> = open.resolve("localhost".parse().unwrap()).await.unwrap().collect();
    assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()));
}

#[test]
fn one_address_that_is_not_public_spoils_a_name() {
    let all = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
    assert!(judge(&all(&["1.1.1.1:0", "[2606:4700:4700::1111]:0"]), false).is_ok());
    let mixed = all(&["1.1.1.1:0", "169.254.169.254:0"]);
    assert!(judge(&mixed, false).unwrap_err().is::<NotPublic>());
    assert!(judge(&mixed, true).is_ok());
    assert!(judge(&[], true).unwrap_err().is::<NoAddresses>());
    assert!(judge(&vec![mixed[0]; ADDRESSES_MAX + 1], true).unwrap_err().is::<NoAddresses>());
}

#[test]
fn tls_comes_up() {
    assert!(
        [true, false].map(|secure| build(secure, !secure, Duration::from_secs(1)).is_ok()) == [true, true]
    );
}

#[test]
fn what_could_not_be_made_is_tried_again() {
    let cell = OnceLock::new();
    assert_eq!(once_made(&cell, || None), None);
    assert_eq!(once_made(&cell, || Some(1)), Some(&1));
    assert_eq!(once_made(&cell, || Some(2)), Some(&1));
}
