//! `payment-runs serve`: the server with a worker inside.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use payment_runs_gateway::simulator::SimulatorConfig;
use payment_runs_gateway::stripe::{SecretKey, StripeConfig, default_settings};
use payment_runs_node::{GatewayChoice, Node, NodeConfig, Origin};

use crate::arguments::{GatewayArguments, GatewaySearch, ServeArguments};
use crate::signal::StopSignal;

/// The secret key sent where none was given: simulators take any.
const GATEWAY_SECRET_DEFAULT: &str = "sk_test";

/// Serves until it is asked to stop, then lets what is in flight end.
pub(crate) async fn run(arguments: ServeArguments) -> anyhow::Result<()> {
    let mut signal = StopSignal::listen()?;
    let node = Node::start(config(&arguments)).await.context("the server could not start")?;
    announce(&node, &arguments);
    signal.asked().await?;
    tell(format_args!("Stopping: what is in flight ends first. Ctrl-C again stops at once."));
    signal.or_at_once(node.stop()).await;
    Ok(())
}

fn config(arguments: &ServeArguments) -> NodeConfig {
    let mut config = NodeConfig::new(arguments.database.clone());
    config.listen = arguments.listen;
    config.is_restored = arguments.restored;
    config.tls = arguments.tls.files();
    config.limits = arguments.quotas.limits();
    config.credentials = arguments.credentials();
    config.default_version.clone_from(&arguments.default_zuora_version);
    config.gateway = gateway(&arguments.gateway);
    if let Some(worker) = &mut config.worker {
        worker.look_ups.settling_time = Duration::from_secs(arguments.gateway.settling_time_s);
    }
    config.gateway_has_moved = arguments.gateway.has_moved;
    config.allow_private_webhooks = arguments.allow_private_webhooks;
    config.test_clock = arguments.test_clock;
    config
}

/// The gateway that the arguments name.
pub(crate) fn gateway(arguments: &GatewayArguments) -> GatewayChoice {
    let mut settings = default_settings();
    settings.rate_per_s = arguments.rate_per_s;
    if let Some(concurrency) = arguments.concurrency {
        settings.concurrency = usize::from(concurrency);
    }
    if let Some(timeout_ms) = arguments.timeout_ms {
        settings.timeout = Duration::from_millis(timeout_ms);
    }
    if let Some(key_life_s) = arguments.key_life_s {
        settings.key_life = Duration::from_secs(key_life_s);
    }
    settings.supports_look_up = arguments.search != GatewaySearch::None;
    let Some(url) = &arguments.url else {
        return GatewayChoice::BuiltIn { simulator: SimulatorConfig::default(), settings };
    };
    let secret = SecretKey::new(arguments.secret.as_deref().unwrap_or(GATEWAY_SECRET_DEFAULT));
    let look_up_is_authoritative = arguments.search == GatewaySearch::Final;
    GatewayChoice::Remote(StripeConfig {
        settings,
        look_up_is_authoritative,
        ca_file: arguments.ca.clone(),
        ..StripeConfig::new(url, secret)
    })
}

/// Tells whoever listens. That nobody does, because the other end of a pipe is closed, is no reason to stop serving.
fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn announce(node: &Node, arguments: &ServeArguments) {
    match node.origin() {
        Origin::New => tell(format_args!("New database: {} did not exist and was made", arguments.database)),
        Origin::Copy => tell(format_args!("Copy: the database was copied while a server had it open")),
        Origin::Closed | Origin::LeftOpen => {}
    }
    tell(format_args!("Payment runs on {}", node.url()));
    tell(format_args!("Database: {}", arguments.database));
    if let Some(at) = arguments.test_clock {
        tell(format_args!("Time: it is {at} until PUT /ops/clock moves it (for tests only)"));
    }
    match (node.simulator(), &arguments.gateway.url) {
        (Some(simulator), _) => {
            let journal = arguments.database.journal_path();
            tell(format_args!("Gateway: built-in simulator on {} (no real money moves)", simulator.url()));
            tell(format_args!("Journal of charges: {}", journal.display()));
        }
        (None, url) => tell(format_args!("Gateway: {}", url.as_deref().unwrap_or_default())),
    }
    if let Some(why) = node.charging_hold() {
        tell(format_args!("Nothing is charged until `payment-runs reconcile --apply` was run: {why}"));
    }
    match (node.credentials(), &arguments.client_id) {
        (Some(generated), _) => {
            tell(format_args!("Client id:     {}", generated.client_id));
            tell(format_args!("Client secret: {}", generated.client_secret));
            tell(format_args!("The secret is shown this once; only its hash is stored."));
        }
        (None, Some(client_id)) => tell(format_args!("Client id: {client_id}")),
        (None, None) => tell(format_args!("Clients: those of the database")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn chosen(line: &str) -> GatewayChoice {
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Serve(serve) = arguments.command else { panic!("not serve") };
        config(&serve).gateway
    }

    #[test]
    fn without_an_address_the_simulator_is_built_in() {
        let GatewayChoice::BuiltIn { settings, .. } = chosen("payment-runs serve --gateway-rate 50") else {
            panic!("not built in")
        };
        assert_eq!((settings.rate_per_s, settings.concurrency), (Some(50), default_settings().concurrency));
    }

    #[test]
    fn a_gateway_has_moved_only_where_the_operator_says_so() {
        let has_moved = |line: &str| {
            let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
            let Command::Serve(serve) = arguments.command else { panic!("not serve") };
            config(&serve).gateway_has_moved
        };
        assert!(!has_moved("payment-runs serve --gateway http://bank"));
        assert!(has_moved("payment-runs serve --gateway http://bank --gateway-moved"));
        assert!(has_moved("payment-runs serve --gateway-moved"), "back to the simulator");
    }

    #[test]
    fn what_a_gateway_promises_is_what_it_is_said_to() {
        let line = "payment-runs serve --gateway http://bank";
        let settings = |more: &str| match chosen(&format!("{line}{more}")) {
            GatewayChoice::Remote(stripe) => stripe.settings,
            GatewayChoice::BuiltIn { .. } => panic!("built in"),
        };
        assert_eq!(settings(""), default_settings());
        let told = settings(" --gateway-timeout-ms 1500 --gateway-key-life-s 0 --gateway-search none");
        assert_eq!((told.timeout, told.key_life), (Duration::from_millis(1_500), Duration::ZERO));
        assert!(!told.supports_look_up);
    }

    #[test]
    fn what_a_search_does_not_find_is_unknown_unless_told_otherwise() {
        let line = "payment-runs serve --gateway http://bank --gateway-concurrency 7";
        for (more, is_final) in
            [("", false), (" --gateway-search delayed", false), (" --gateway-search final", true)]
        {
            let GatewayChoice::Remote(stripe) = chosen(&format!("{line}{more}")) else {
                panic!("not remote")
            };
            assert_eq!(stripe.look_up_is_authoritative, is_final, "{more}");
            assert_eq!(stripe.settings.concurrency, 7);
        }
    }
}
