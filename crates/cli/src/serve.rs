//! `payment-runs serve`: the server with a worker inside.

use anyhow::Context as _;
use payment_runs_gateway::stripe::{SecretKey, StripeConfig};
use payment_runs_node::{GatewayChoice, Node, NodeConfig};

use crate::arguments::ServeArguments;
use crate::signal::StopSignal;

/// The secret key sent where none was given: simulators take any.
const GATEWAY_SECRET_DEFAULT: &str = "sk_test";

/// Serves until it is asked to stop, then lets what is in flight end.
pub(crate) async fn run(arguments: ServeArguments) -> anyhow::Result<()> {
    let mut signal = StopSignal::listen()?;
    let node = Node::start(config(&arguments)).await.context("the server could not start")?;
    announce(&node, &arguments);
    signal.asked().await?;
    println!("Stopping: what is in flight ends first. Ctrl-C again stops at once.");
    signal.or_at_once(node.stop()).await;
    Ok(())
}

fn config(arguments: &ServeArguments) -> NodeConfig {
    let mut config = NodeConfig::new(arguments.database.clone());
    config.listen = arguments.listen;
    config.credentials = arguments.credentials();
    config.default_version.clone_from(&arguments.default_zuora_version);
    if let Some(url) = &arguments.gateway {
        let secret = arguments.gateway_secret.as_deref().unwrap_or(GATEWAY_SECRET_DEFAULT);
        config.gateway = GatewayChoice::Remote(StripeConfig::new(url, SecretKey::new(secret)));
    }
    config
}

fn announce(node: &Node, arguments: &ServeArguments) {
    println!("Payment runs on {}", node.url());
    println!("Database: {}", arguments.database);
    match (node.simulator(), &arguments.gateway) {
        (Some(simulator), _) => {
            let journal = arguments.database.journal_path();
            println!("Gateway: built-in simulator on {} (no real money moves)", simulator.url());
            println!("Journal of charges: {}", journal.display());
        }
        (None, url) => println!("Gateway: {}", url.as_deref().unwrap_or_default()),
    }
    match (node.credentials(), &arguments.client_id) {
        (Some(generated), _) => {
            println!("Client id:     {}", generated.client_id);
            println!("Client secret: {}", generated.client_secret);
            println!("The secret is shown this once; only its hash is stored.");
        }
        (None, Some(client_id)) => println!("Client id: {client_id}"),
        (None, None) => println!("Clients: those of the database"),
    }
}
