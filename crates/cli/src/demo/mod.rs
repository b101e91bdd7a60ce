//! `payment-runs demo`: from nothing to collected and reconciled receivables, in one command.

mod api;
mod books;
mod dataset;
mod reconcile;
mod report;
mod screen;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ids::{EntityKey, RunId};
use payment_runs_engine::ports::{Clock as _, Ledger as _};
use payment_runs_gateway::measure::measure_charge_rate;
use payment_runs_gateway::simulator::{Simulator, SimulatorConfig};
use payment_runs_node::{Credentials, Database, Node, NodeConfig, SystemClock};

use api::Api;
use dataset::Dataset;
pub(crate) use dataset::Scale;
use report::Findings;
use screen::Screen;

use crate::arguments::DemoArguments;
use crate::signal::StopSignal;

/// How often the run is asked how far it is.
const POLL_INTERVAL: SignedDuration = SignedDuration::from_millis(50);
/// How long a run may show no progress before the demo gives up.
const STALL_MAX: SignedDuration = SignedDuration::from_mins(2);
/// Bare calls under way at once: as fast as a client on the same machine gets.
const BARE_IN_FLIGHT: usize = 64;
/// Bare calls measured: fewer say little, more only take longer.
const BARE_CHARGES: std::ops::RangeInclusive<u64> = 2_000..=20_000;

/// Runs the demo.
pub(crate) async fn run(arguments: DemoArguments) -> anyhow::Result<()> {
    let mut signal = StopSignal::listen()?;
    let screen = Screen::new(arguments.json);
    let folder = tempfile::tempdir().context("there is no temporary folder")?;
    let database = folder.path().join("payment-runs.sqlite");
    let mut config = NodeConfig::new(Database::Sqlite(database.clone()));
    config.listen = arguments.listen;
    let node = Node::start(config).await.context("the server could not start")?;
    screen.say(format_args!("Server on {}, database {}", node.url(), database.display()));
    let findings = tokio::select! {
        biased;
        asked = signal.asked() => asked.and_then(|()| bail!("stopped before the run was reconciled")),
        findings = collect(&node, arguments.scale, folder.path(), screen) => findings,
    };
    let agreed = match findings {
        Ok(findings) => tell(&findings, &node, &arguments, screen, &mut signal).await,
        Err(error) => Err(error),
    };
    signal.or_at_once(node.stop()).await;
    agreed
}

/// Shows the findings, leaves the server up if wanted, and says whether everything agreed.
async fn tell(
    findings: &Findings,
    node: &Node,
    arguments: &DemoArguments,
    screen: Screen,
    signal: &mut StopSignal,
) -> anyhow::Result<()> {
    screen.say(findings.tables());
    if !arguments.once {
        screen.say(invitation(node, &findings.run));
    }
    if arguments.json {
        println!("{}", findings.line().context("the result cannot be written")?);
    }
    if !arguments.once {
        signal.asked().await?;
    }
    if findings.reconciles() { Ok(()) } else { bail!("the books do not agree with the gateway's journal") }
}

/// Loads, collects, audits and measures.
async fn collect(node: &Node, scale: Scale, folder: &Path, screen: Screen) -> anyhow::Result<Findings> {
    let dataset = Dataset::new(scale, SystemClock.now());
    load(node, &dataset, screen).await?;
    let credentials = node.credentials().context("a fresh database has a fresh client")?;
    let api = Api::connect(&node.url(), credentials)?;

    let began = SystemClock.now();
    let run = api.create_run(Dataset::target_date()).await?;
    watch(&api, &run.number, dataset.invoices_total()).await?;
    let elapsed = elapsed_since(began);

    let summary = api.summary(&run.number).await?;
    let skipped = api.skip_reasons(&run.number).await?;
    let id: RunId = run.id.parse().context("the run's identifier is none of ours")?;
    let books = books::audit(node, id, &dataset).await?;
    let bare_charges_per_s = measure_bare(dataset.invoices_total(), folder).await?;
    Ok(Findings {
        run: run.number,
        summary,
        receivables: dataset.invoices_total(),
        skipped,
        books,
        elapsed,
        bare_charges_per_s,
    })
}

/// Loads the data set in bounded batches, each one transaction.
async fn load(node: &Node, dataset: &Dataset, screen: Screen) -> anyhow::Result<()> {
    let began = SystemClock.now();
    let bar = Screen::bar("Loading", dataset.objects());
    for batch in dataset.accounts().chain(dataset.invoices()) {
        let objects = batch.accounts.len() + batch.documents.len();
        node.store().load(EntityKey::FIRST, batch).await.context("the data set could not be loaded")?;
        bar.inc(objects as u64);
    }
    bar.finish_and_clear();
    screen.say(format_args!(
        "Loaded {} accounts and {} invoices in {} ms.",
        dataset.accounts_total(),
        dataset.invoices_total(),
        elapsed_since(began).as_millis()
    ));
    Ok(())
}

/// Shows how far the run is until it has completed.
async fn watch(api: &Api, run: &str, documents: u64) -> anyhow::Result<()> {
    let bar = Screen::bar("Collecting", documents);
    let mut last = (0, SystemClock.now());
    loop {
        let progress = api.progress(run).await?;
        bar.set_position(progress.settled);
        if progress.has_completed {
            bar.finish_and_clear();
            return Ok(());
        }
        if let Some(status) = progress.failed_as {
            bail!("the payment run ended as {status}");
        }
        let now = SystemClock.now();
        if progress.settled != last.0 {
            last = (progress.settled, now);
        } else if now.duration_since(last.1) > STALL_MAX {
            bail!("the payment run makes no progress: {} of {documents} documents are settled", last.0);
        }
        SystemClock.sleep_until(later(now, POLL_INTERVAL)).await;
    }
}

/// How many charges a second a bare client makes at a simulator like the run's own.
async fn measure_bare(charges: u64, folder: &Path) -> anyhow::Result<u64> {
    let journal = Some(folder.join("bare-calls.gateway-journal"));
    let simulator = Simulator::start(SimulatorConfig { journal, ..SimulatorConfig::default() })
        .await
        .context("the simulator for the bare calls could not start")?;
    let charges = charges.clamp(*BARE_CHARGES.start(), *BARE_CHARGES.end());
    let charges = usize::try_from(charges).context("too many charges")?;
    let rate = measure_charge_rate(&simulator.url(), BARE_IN_FLIGHT, charges, "bare").await;
    simulator.stop().await;
    Ok(rate.context("the bare calls could not be measured")?.per_second())
}

/// How to go on by hand.
fn invitation(node: &Node, run: &str) -> String {
    let Some(Credentials { client_id, client_secret }) = node.credentials() else { return String::new() };
    let url = node.url();
    format!(
        "The server stays up on {url} until Ctrl-C. Try:\n\n\
         TOKEN=$(curl -s {url}/oauth/token -d grant_type=client_credentials -d client_id={client_id} \
         -d client_secret={client_secret} | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
         curl -s -H \"Authorization: Bearer $TOKEN\" {url}/v1/payment-runs/{run}/summary\n\
         curl -s -H \"Authorization: Bearer $TOKEN\" '{url}/ops/payment-runs/{run}/decisions?outcome=skipped'\n"
    )
}

fn elapsed_since(began: Timestamp) -> Duration {
    Duration::try_from(SystemClock.now().duration_since(began)).unwrap_or_default()
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
