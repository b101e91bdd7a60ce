//! What the command line of `admin` takes, and what it makes of it.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use payment_runs_types::ops::RetryRule;
use serde_json::json;

use super::*;
use crate::arguments::{Arguments, Command};

fn parse(line: &str) -> Result<AdminCommand, clap::Error> {
    let words = format!("payment-runs admin {line}");
    let Command::Admin(admin) = Arguments::try_parse_from(words.split_whitespace())?.command else {
        panic!("not admin")
    };
    Ok(admin.command)
}

#[test]
fn help_says_what_can_be_administered() {
    let mut text = String::new();
    for path in [&["clients", "create"][..], &["clients", "update"], &["settings", "set"]] {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let mut shown = command.find_subcommand_mut("admin").unwrap();
        for name in path {
            shown = shown.find_subcommand_mut(name).unwrap();
        }
        text.push_str(&shown.render_help().to_string());
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_client_is_created_as_the_contract_says() {
    let body = |line: &str| match parse(&format!("clients create {line}")).unwrap() {
        AdminCommand::Clients(ClientsCommand::Create(arguments)) => {
            serde_json::to_value(creation(arguments)).unwrap()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(body(""), json!({}), "the server gives it the least");
    assert_eq!(
        body("--id x --permissions administer,manage-payment-runs --entities a,b --organizations c"),
        json!({
            "client_id": "x", "permissions": ["administer", "manage_payment_runs"], "entities": ["a", "b"],
            "organizations": ["c"],
        })
    );
    assert_eq!(body("--all-organizations"), json!({ "organizations": null }));
}

#[test]
fn an_update_sends_only_what_was_given() {
    let body = |line: &str| match parse(&format!("clients update x {line}")).unwrap() {
        AdminCommand::Clients(ClientsCommand::Update(arguments)) => {
            serde_json::to_value(change(arguments)).unwrap()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(body(""), json!({}));
    assert_eq!(body("--active false"), json!({ "active": false }));
    assert_eq!(body("--no-permissions"), json!({ "permissions": [] }));
    assert_eq!(body("--permissions administer"), json!({ "permissions": ["administer"] }));
}

#[test]
fn settings_change_only_where_they_were_given() {
    let before = Settings {
        time_zone: "UTC".to_owned(),
        retry_rule: RetryRule { max_consecutive_failures: Some(3), retry_window_hours: None },
        invoice_settlement: true,
        currencies: Some(vec!["EUR".to_owned()]),
    };
    let after = |line: &str| match parse(&format!("settings set {line}")).unwrap() {
        AdminCommand::Settings(SettingsCommand::Set(wanted)) => set(before.clone(), wanted),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        after("--time-zone Asia/Tokyo"),
        Settings { time_zone: "Asia/Tokyo".to_owned(), ..before.clone() }
    );
    let rule = RetryRule { max_consecutive_failures: None, retry_window_hours: Some(24) };
    let line = "--max-consecutive-failures none --retry-window-hours 24";
    assert_eq!(after(line), Settings { retry_rule: rule, ..before.clone() });
    assert!(!after("--invoice-settlement false").invoice_settlement);
    let two = Some(vec!["EUR".to_owned(), "USD".to_owned()]);
    assert_eq!(after("--currencies eur,USD"), Settings { currencies: two, ..before.clone() });
    assert_eq!(after("--currencies all"), Settings { currencies: None, ..before.clone() });
}

#[test]
fn wrong_lines_are_refused() {
    for (line, kind) in [
        ("settings set", ErrorKind::MissingRequiredArgument),
        ("settings set --retry-window-hours 0", ErrorKind::ValueValidation),
        ("settings set --currencies EUR,", ErrorKind::ValueValidation),
        ("clients create --permissions everything", ErrorKind::InvalidValue),
        ("clients create --all-organizations --organizations a", ErrorKind::ArgumentConflict),
        ("clients update x --no-permissions --permissions administer", ErrorKind::ArgumentConflict),
        ("clients rotate", ErrorKind::MissingRequiredArgument),
        ("organizations rename x", ErrorKind::MissingRequiredArgument),
    ] {
        assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
    }
}
