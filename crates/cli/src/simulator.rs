//! `payment-runs gateway-simulator`: a payment gateway to test against.

use anyhow::Context as _;
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};

use crate::arguments::SimulatorArguments;
use crate::signal::StopSignal;

/// Serves until it is asked to stop.
pub(crate) async fn run(arguments: SimulatorArguments) -> anyhow::Result<()> {
    let mut signal = StopSignal::listen()?;
    let defaults = SimulatorConfig::default();
    let config = SimulatorConfig {
        listen: arguments.listen,
        latency_ms: arguments.latency_ms,
        seed: arguments.seed,
        faults: arguments.faults,
        journal: arguments.journal.clone(),
        key_life_ms: arguments.key_life_s.map_or(defaults.key_life_ms, |life_s| i64::from(life_s) * 1_000),
        honours_keys: !arguments.ignore_keys,
        supports_lookup: !arguments.no_search,
        search_lag_ms: i64::from(arguments.search_lag_ms),
        secret_key: None,
    };
    let simulator = Simulator::start(config).await.context("the gateway simulator could not start")?;
    println!("Gateway simulator on {}", simulator.url());
    if let Some(journal) = &arguments.journal {
        println!("Journal of charges: {}", journal.display());
    }
    signal.asked().await?;
    for (fault, count) in simulator.faults() {
        println!("{fault}: {count}");
    }
    signal.or_at_once(simulator.stop()).await;
    Ok(())
}
