//! What the command line takes and refuses.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split_whitespace())
}

fn refusal(line: &str) -> ErrorKind {
    parse(line).unwrap_err().kind()
}

#[test]
fn the_definition_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn help_says_what_there_is() {
    for name in ["", "serve", "gateway-simulator", "demo", "admin"] {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let shown = if name.is_empty() { &mut command } else { command.find_subcommand_mut(name).unwrap() };
        let snapshot = if name.is_empty() { "payment-runs" } else { name };
        insta::assert_snapshot!(format!("help-{snapshot}"), shown.render_long_help().to_string());
    }
}

#[test]
fn serve_needs_nothing() {
    let Command::Serve(serve) = parse("payment-runs serve").unwrap().command else { panic!("not serve") };
    assert_eq!(serve.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(serve.database, "sqlite:payment-runs.sqlite".parse().unwrap());
    assert_eq!((serve.gateway.url.as_deref(), serve.default_zuora_version.as_deref()), (None, None));
}

#[test]
fn serve_takes_everything() {
    let line = "payment-runs --log json serve --listen 127.0.0.1:9000 --database sqlite:/tmp/x.db \
                --gateway http://127.0.0.1:1 --gateway-secret sk_x --client-id a --client-secret b \
                --default-zuora-version 2023-10-24 --test-clock 2026-01-01T00:00:00Z";
    let arguments = parse(line).unwrap();
    assert_eq!(arguments.log, LogFormat::Json);
    let Command::Serve(serve) = arguments.command else { panic!("not serve") };
    assert_eq!(serve.database, Database::Sqlite("/tmp/x.db".into()));
    assert_eq!(serve.credentials().unwrap().client_id, "a");
    assert_eq!(serve.default_zuora_version.as_deref(), Some("2023-10-24"));
    assert_eq!(serve.test_clock, Some("2026-01-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn certificate_and_key_come_together() {
    for half in ["--tls-certificate c.pem", "--tls-key k.pem", "--gateway-ca ca.pem"] {
        assert_eq!(
            refusal(&format!("payment-runs serve {half}")),
            ErrorKind::MissingRequiredArgument,
            "{half}"
        );
    }
    let line = "payment-runs serve --tls-certificate c.pem --tls-key k.pem --gateway https://bank --gateway-ca ca.pem";
    let Command::Serve(serve) = parse(line).unwrap().command else { panic!("not serve") };
    let files = TlsFiles { certificate: "c.pem".into(), key: "k.pem".into() };
    assert_eq!((serve.tls.files(), serve.gateway.ca), (Some(files), Some("ca.pem".into())));
}

#[test]
fn quotas_are_the_documented_ones_unless_given() {
    let limits = |more: &str| {
        let arguments = parse(&format!("payment-runs serve {more}")).unwrap();
        let Command::Serve(serve) = arguments.command else { panic!("not serve") };
        serve.quotas.limits()
    };
    assert_eq!(limits(""), Limits::default());
    let all = "--requests-per-minute 1 --requests-per-hour 2 --requests-per-day 3 --concurrent-requests 4 \
               --concurrent-account-requests 5 --tokens-per-minute-and-address 6 --tokens-per-minute 7";
    let expected = Limits {
        requests_per_minute: 1,
        requests_per_hour: 2,
        requests_per_day: 3,
        concurrent_requests: 4,
        concurrent_account_requests: 5,
        tokens_per_minute_and_address: 6,
        tokens_per_minute: 7,
    };
    assert_eq!(limits(all), expected);
}

#[test]
fn half_credentials_are_refused() {
    assert_eq!(refusal("payment-runs serve --client-id a"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refusal("payment-runs serve --client-secret b"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refusal("payment-runs serve --gateway-secret k"), ErrorKind::MissingRequiredArgument);
}

#[test]
fn values_out_of_range_are_refused() {
    for line in [
        "payment-runs serve --listen nowhere",
        "payment-runs serve --gateway-rate 0",
        "payment-runs serve --gateway-concurrency 0",
        "payment-runs serve --database postgres://x",
        "payment-runs serve --database sqlite:",
        "payment-runs serve --default-zuora-version latest",
        "payment-runs serve --test-clock tomorrow",
        "payment-runs serve --test-clock 0026-01-01T00:00:00Z",
        "payment-runs demo --scale 0",
        "payment-runs demo --scale 1000",
        "payment-runs gateway-simulator --faults nonsense=1",
        "payment-runs gateway-simulator --latency-ms 600001",
    ] {
        assert_eq!(refusal(line), ErrorKind::ValueValidation, "{line}");
    }
}

#[test]
fn the_simulator_takes_faults() {
    let line = "payment-runs gateway-simulator --listen 127.0.0.1:0 --journal j --latency-ms 5 --seed 7 \
                --faults drop-after-charge=0.5";
    let Command::GatewaySimulator(simulator) = parse(line).unwrap().command else {
        panic!("not the simulator")
    };
    assert_eq!((simulator.latency_ms, simulator.seed), (5, 7));
    assert_eq!(simulator.faults, "drop-after-charge=0.5".parse().unwrap());
}

#[test]
fn the_demo_is_small_unless_told() {
    let Command::Demo(demo) = parse("payment-runs demo --once --json").unwrap().command else {
        panic!("not demo")
    };
    assert_eq!(demo.scale, "0.01".parse().unwrap());
    assert!(demo.once && demo.json);
}

#[test]
fn the_settling_time_is_a_day_unless_it_is_given() {
    let settling_time_s = |line: &str| {
        let Command::Serve(serve) = parse(line).unwrap().command else { panic!("not serve") };
        serve.gateway.settling_time_s
    };
    let default = payment_runs_engine::recover::LookUpPolicy::default().settling_time;
    assert_eq!(settling_time_s("payment-runs serve"), default.as_secs());
    let given = "payment-runs serve --gateway http://127.0.0.1:1 --gateway-settling-time-s 600";
    assert_eq!(settling_time_s(given), 600);
}
