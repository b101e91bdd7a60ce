//! TLS on both sides: callers reach the server by https, and the server reaches its gateway so.

#![expect(clippy::disallowed_methods, reason = "a peer of the server lives in real time, on its own tasks")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use payment_runs_client::Connection;
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::ports::{ChargeRequest, Delivery, Gateway as _};
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig, SimulatorHandle};
use payment_runs_gateway::stripe::{ConfigError, SecretKey, StripeConfig, StripeGateway};
use payment_runs_node::testing::{CLIENT_ID, CLIENT_SECRET, TestNode, TestNodeBuilder, TestNodeError};
use payment_runs_node::{ConnectionBounds, GatewayChoice, NodeError, TlsError, TlsFiles};
use payment_runs_tests::TestServer;
use payment_runs_tests::authority::Authority;
use payment_runs_tests::raw::RawConnection;
use payment_runs_tests::world::{CARD_APPROVED, World};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

fn with_tls(authority: &Authority) -> TestNodeBuilder {
    let files = authority.tls_files();
    TestNode::builder().with_system_clock().configure(|config| config.tls = Some(files))
}

/// How often two connections are opened until the silent one of them comes first.
const ATTEMPTS_MAX: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn callers_reach_the_server_by_https() {
    let authority = Authority::new();
    let node = with_tls(&authority).start().await.unwrap();
    let url = node.url();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");

    let http = authority.http_client();
    let health = http.get(format!("{url}/healthz")).send().await.unwrap();
    assert_eq!((health.status().as_u16(), health.version()), (200, reqwest::Version::HTTP_11));

    let connection = Connection::builder(&url).credentials(CLIENT_ID, CLIENT_SECRET).http_client(http);
    let runs = connection.build().unwrap().v1().list_payment_runs().send().await.unwrap();
    assert!(runs.payment_runs.is_empty());

    let stranger = payment_runs_tests::http_client();
    assert!(stranger.get(format!("{url}/healthz")).send().await.is_err(), "nobody vouches for the server");
    let plain = stranger.get(format!("{}/healthz", url.replace("https", "http"))).send().await;
    assert!(plain.is_err(), "plain HTTP is not answered where TLS is spoken: {plain:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_tls_1_2_and_later_are_spoken() {
    let authority = Authority::new();
    let node = with_tls(&authority).start().await.unwrap();
    let url = format!("{}/healthz", node.url());
    let pem = std::fs::read(authority.ca_file()).unwrap();
    for version in [reqwest::tls::Version::TLS_1_2, reqwest::tls::Version::TLS_1_3] {
        let certificate = reqwest::Certificate::from_pem(&pem).unwrap();
        let builder = payment_runs_tests::http_builder().tls_certs_only([certificate]);
        let http = builder.tls_version_min(version).tls_version_max(version).build().unwrap();
        assert_eq!(http.get(&url).send().await.unwrap().status(), 200, "{version:?}");
    }
    // A hello of TLS 1.1, which no library here can send any more.
    let mut old = RawConnection::to(node.node().address()).await;
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    assert!(old.send(&hello).await);
    let alert = old.until_closed().await;
    assert_eq!(alert.as_bytes().first(), Some(&0x15), "an alert: {alert:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_stalls_loses_its_connection() {
    let authority = Authority::new();
    let bounds =
        ConnectionBounds { handshake_timeout: Duration::from_secs(2), ..ConnectionBounds::default() };
    let node = with_tls(&authority).configure(|config| config.connections = bounds).start().await.unwrap();
    let mut silent = RawConnection::to(node.node().address()).await;
    assert_eq!(silent.until_closed().await, "");
    let mut halting = RawConnection::to(node.node().address()).await;
    halting.send(&[0x16, 3, 1, 2, 0, 1]).await;
    assert_eq!(halting.until_closed().await, "");
    let health = authority.http_client().get(format!("{}/healthz", node.url())).send().await.unwrap();
    assert_eq!(health.status(), 200);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_wait_for_their_turn() {
    let authority = Authority::new();
    let bounds = ConnectionBounds { handshakes: 1, ..ConnectionBounds::default() };
    let node = with_tls(&authority).configure(|config| config.connections = bounds).start().await.unwrap();
    // Which of two connections comes first is not decided before one of them has its turn, so that the silent one may come
    // second: then there is nothing to see, and it is tried again.
    for _ in 0..ATTEMPTS_MAX {
        let silent = RawConnection::to(node.node().address()).await;
        let (http, url) = (authority.http_client(), format!("{}/healthz", node.url()));
        let waiting = tokio::spawn(async move { http.get(url).send().await.unwrap().status() });
        // It waits behind the silent one, and goes on when that one leaves.
        let early = tokio::time::timeout(Duration::from_millis(200), async {
            while !waiting.is_finished() {
                tokio::task::yield_now().await;
            }
        });
        let has_waited = early.await.is_err();
        drop(silent);
        assert_eq!(waiting.await.unwrap(), 200);
        if has_waited {
            return node.stop().await;
        }
    }
    panic!("no handshake waits for another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    let node = with_tls(&authority).start().await.unwrap();
    let mut silent = RawConnection::to(node.node().address()).await;
    tokio::time::timeout(Duration::from_secs(5), node.stop()).await.expect("it stops at once");
    silent.until_closed().await;
}

#[tokio::test]
async fn files_that_make_no_server_are_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = authority.tls_files();
    let refusal = async |files: TlsFiles| {
        let started = TestNode::builder().configure(|config| config.tls = Some(files)).start().await;
        match started.unwrap_err() {
            TestNodeError::Node(NodeError::Tls(error)) => error,
            error => panic!("{error:?}"),
        }
    };
    let missing = || PathBuf::from("/nowhere/at-all.pem");
    let no_file = refusal(TlsFiles { certificate: missing(), ..good.clone() }).await;
    assert!(matches!(no_file, TlsError::ReadCertificate { .. }), "{no_file:?}");
    let no_key = refusal(TlsFiles { key: missing(), ..good.clone() }).await;
    assert!(matches!(no_key, TlsError::ReadKey { .. }), "{no_key:?}");
    let no_certificate = refusal(TlsFiles { certificate: good.key.clone(), ..good.clone() }).await;
    assert!(matches!(no_certificate, TlsError::NoCertificate { .. }), "{no_certificate:?}");
    let foreign_key = refusal(TlsFiles { key: other.tls_files().key, ..good }).await;
    assert!(matches!(foreign_key, TlsError::Unusable(_)), "{foreign_key:?}");
}

/// A bank behind TLS: a simulator, and what stands before it.
struct EncryptedBank {
    simulator: SimulatorHandle,
    address: SocketAddr,
}

impl EncryptedBank {
    async fn start(authority: &Authority) -> Self {
        let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
        let files = authority.tls_files();
        let certificates = CertificateDer::pem_file_iter(files.certificate).unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    certificates.collect::<Result<_, _>>().unwrap(),
                    PrivateKeyDer::from_pem_file(files.key).unwrap(),
                )
                .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = simulator.address();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut outside) = acceptor.accept(stream).await else { return };
                    let mut inside = TcpStream::connect(inner).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Self { simulator, address }
    }
}

fn bank_at(address: SocketAddr, ca_file: Option<PathBuf>) -> StripeConfig {
    StripeConfig {
        ca_file,
        ..StripeConfig::new(format!("https://{address}"), SecretKey::new("sk_test_secret"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_reached_by_https() {
    let authority = Authority::new();
    let bank = EncryptedBank::start(&authority).await;
    let gateway = GatewayChoice::Remote(bank_at(bank.address, Some(authority.ca_file())));
    let builder = TestNode::builder().with_system_clock().configure(|config| config.gateway = gateway);
    let server = TestServer::start_with(builder).await;
    let world = World::new(&server.caller);
    let account = world.account("Encrypted", CARD_APPROVED).await;
    world.invoice(&account, json!(12.5), "2024-07-01").await;
    let run = world.run(json!({ "targetDate": "2024-07-31" })).await;
    assert_eq!(run["status"], "Completed", "{run}");
    let charged: Vec<i64> = bank.simulator.journal().iter().map(|entry| entry.amount_minor).collect();
    assert_eq!(charged, [1_250]);
}

/// Charges once, and gives what came of it.
async fn charge(config: &StripeConfig) -> Delivery {
    let gateway = StripeGateway::over_http(config).unwrap();
    let request = ChargeRequest {
        idempotency_key: "key".into(),
        money: Money::new(100, Currency::USD),
        body: b"amount=100&currency=usd&payment_method=pm_card_visa&confirm=true".as_slice().into(),
    };
    gateway.charge(&request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_nobody_vouches_for_is_sent_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let bank = EncryptedBank::start(&authority).await;
    for trusted in [Some(other.ca_file()), None] {
        let outcome = charge(&bank_at(bank.address, trusted)).await;
        assert!(matches!(outcome, Delivery::NotSent { .. }), "{outcome:?}");
    }
    assert_eq!(bank.simulator.journal().len(), 0);
    let trusted = charge(&bank_at(bank.address, Some(authority.ca_file()))).await;
    assert!(matches!(trusted, Delivery::Approved(_)), "{trusted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stalls_in_the_handshake_was_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = Authority::new();
    let mut config = bank_at(listener.local_addr().unwrap(), Some(authority.ca_file()));
    config.settings.timeout = Duration::from_secs(1);
    let outcome = charge(&config).await;
    assert!(matches!(outcome, Delivery::NotSent { .. }), "{outcome:?}");
}

#[test]
fn authorities_that_cannot_be_used_are_named() {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let refusal = |config: StripeConfig| StripeGateway::over_http(&config).unwrap_err();
    let missing = refusal(bank_at(address, Some("/nowhere/ca.pem".into())));
    assert!(matches!(missing, ConfigError::Authorities { .. }), "{missing:?}");
    let no_certificate = refusal(bank_at(address, Some(Authority::new().tls_files().key)));
    assert!(matches!(no_certificate, ConfigError::Authorities { .. }), "{no_certificate:?}");
    let ca_file = Some(Authority::new().ca_file());
    let plain = refusal(StripeConfig { base_url: format!("http://{address}"), ..bank_at(address, ca_file) });
    assert!(matches!(plain, ConfigError::AuthoritiesWithoutTls { .. }), "{plain:?}");
}
