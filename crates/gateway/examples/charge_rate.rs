//! Prints how many charges a second the simulator answers on this machine, and how many the
//! gateway adapter makes of them: `cargo run --release --example charge_rate -- [CHARGES] [IN_FLIGHT]`.
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]
#![allow(clippy::disallowed_methods, reason = "a measurement is about real time")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use payment_runs_engine::ids::{AccountId, DocumentId, EntityKey, GatewayId, LedgerId};
use payment_runs_engine::money::{Currency, Money};
use payment_runs_engine::payment_method::PaymentMethodKind;
use payment_runs_engine::ports::{Charge, ChargeRequest, ChargeSubject, Delivery, EncodeCharge, Gateway};
use payment_runs_gateway::measure::{ChargeRate, measure_charge_rate};
use payment_runs_gateway::simulator::{JournalTotals, Simulator, SimulatorConfig};
use payment_runs_gateway::stripe::{SecretKey, StripeConfig, StripeGateway};
use tokio::task::JoinSet;

const CHARGES_DEFAULT: usize = 100_000;
const IN_FLIGHT_DEFAULT: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let charges = arguments.next().map_or(Ok(CHARGES_DEFAULT), |text| text.parse())?;
    let in_flight = arguments.next().map_or(Ok(IN_FLIGHT_DEFAULT), |text| text.parse())?;
    let journal = std::env::temp_dir().join(format!("charge-rate-{}.ndjson", std::process::id()));
    for (name, journal) in [("in memory", None), ("with a journal file", Some(journal.clone()))] {
        let simulator = Simulator::start(SimulatorConfig { journal, ..SimulatorConfig::default() }).await?;
        let bare = measure_charge_rate(&simulator.url(), in_flight, charges, "bare").await?;
        let adapter = measure_adapter(&simulator.url(), in_flight, charges).await?;
        let totals = JournalTotals::of(&simulator.journal());
        simulator.stop().await;
        println!(
            "{name}: {} bare calls/s, {} through the adapter; {} charges, {} charged twice",
            bare.per_second(),
            adapter.per_second(),
            totals.charges,
            totals.charged_twice.len()
        );
    }
    std::fs::remove_file(journal)?;
    Ok(())
}

async fn measure_adapter(url: &str, in_flight: usize, charges: usize) -> Result<ChargeRate, Box<dyn Error>> {
    let config = StripeConfig::new(url, SecretKey::new("sk_test_measure"));
    let gateway = Arc::new(StripeGateway::over_http(&config)?);
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..in_flight {
        let (gateway, next) = (Arc::clone(&gateway), Arc::clone(&next));
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= charges {
                    return None;
                }
                let request = request(&gateway, number);
                match gateway.charge(&request).await {
                    Delivery::Approved(_) => {}
                    other => return Some(other),
                }
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        if let Some(outcome) = ended? {
            return Err(format!("a charge ended as {outcome:?}").into());
        }
    }
    Ok(ChargeRate { calls: charges, elapsed: began.elapsed() })
}

fn request(gateway: &StripeGateway, number: usize) -> ChargeRequest {
    let charge = Charge {
        gateway: GatewayId::from_u128(1),
        key: format!("adapter-{number}"),
        money: Money::new(100, Currency::USD),
        token: "pm_card_visa".into(),
        customer: None,
        method_kind: PaymentMethodKind::CreditCard,
        subject: ChargeSubject {
            ledger: LedgerId::from_u128(1),
            entity: EntityKey::FIRST,
            account: AccountId::from_u128(1),
            documents: vec![DocumentId::from_u128(number as u128)],
        },
    };
    ChargeRequest { body: gateway.encode(&charge).into(), idempotency_key: charge.key, money: charge.money }
}
