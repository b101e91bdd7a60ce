//! `payment-runs gateway-simulator`: a payment gateway to test against.

use anyhow::Context as _;
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};

use crate::arguments::SimulatorArguments;
use crate::signal::StopSignal;

/// Serves until it is asked to stop.
pub(crate) async fn run(arguments: SimulatorArguments) -> anyhow::Result<()> {
    let mut signal = StopSignal::listen()?;
    let config = SimulatorConfig {
        listen: arguments.listen,
        latency_ms: arguments.latency_ms,
        seed: arguments.seed,
        faults: arguments.faults,
        journal: arguments.journal.clone(),
        ..SimulatorConfig::default()
    };
    let simulator = Simulator::start(config).await.context("the gateway simulator could not start")?;
    println!("Gateway simulator on {}", simulator.url());
    if let Some(journal) = &arguments.journal {
        println!("Journal of charges: {}", journal.display());
    }
    signal.asked().await?;
    signal.or_at_once(simulator.stop()).await;
    Ok(())
}
