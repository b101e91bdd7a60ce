//! What people and programs read.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use payment_runs_engine::ids::PaymentId;
use payment_runs_types::v1::PaymentRunSummaryTotalValues;

use super::super::reconcile::Fault;
use super::*;

fn findings() -> Findings {
    let usd = |minor| BTreeMap::from([("USD".to_owned(), minor)]);
    let totals = PaymentRunSummaryTotalValues {
        total_value_of_receivables: Some("200000.5 USD".to_owned()),
        total_value_of_payments: Some("190000.4 USD".to_owned()),
        total_value_of_errors: Some("10000.1 USD".to_owned()),
        total_value_of_unprocessed_receivables: Some("10000.1 USD".to_owned()),
        ..PaymentRunSummaryTotalValues::default()
    };
    let summary = PaymentRunSummaryResponse {
        number_of_receivables: Some(1_450),
        number_of_payments: Some(1_405),
        number_of_errors: Some(45),
        number_of_unprocessed_receivables: Some(45),
        total_values: Some(vec![totals]),
        success: true,
        ..summary_of_nothing()
    };
    Findings {
        run: "PR-00000001".to_owned(),
        summary,
        receivables: 1_500,
        skipped: BTreeMap::from([
            ("auto_pay_off_account".to_owned(), 40),
            ("payment_method_closed".to_owned(), 10),
        ]),
        books: Reconciliation {
            charges: 1_450,
            collected: 1_405,
            declined: 45,
            collected_minor: usd(19_000_040),
            charged_minor: usd(19_000_040),
            ..Reconciliation::default()
        },
        elapsed: Duration::from_millis(250),
        bare_charges_per_s: 20_000,
    }
}

fn summary_of_nothing() -> PaymentRunSummaryResponse {
    serde_json::from_str(r#"{"success": true}"#).unwrap()
}

#[test]
fn people_read_tables() {
    insta::assert_snapshot!(findings().tables());
}

#[test]
fn programs_read_one_line() {
    insta::assert_snapshot!(findings().line().unwrap());
}

#[test]
fn findings_that_agree_reconcile() {
    assert!(findings().reconciles());
}

#[test]
fn each_disagreement_shows() {
    let spoils: [fn(&mut Findings); 5] = [
        |findings| findings.books.faults = 1,
        |findings| findings.summary.number_of_payments = Some(1_404),
        |findings| findings.summary.number_of_errors = None,
        |findings| findings.receivables += 1,
        |findings| *findings.skipped.entry("no_gateway".to_owned()).or_default() += 1,
    ];
    for (index, spoil) in spoils.iter().enumerate() {
        let mut findings = findings();
        spoil(&mut findings);
        assert!(!findings.reconciles(), "spoil {index}");
    }
}

#[test]
fn faults_are_shown_to_people() {
    let mut findings = findings();
    findings.books.faults = 1;
    findings.books.examples = vec![Fault::Lost(PaymentId::from_u128(7))];
    let tables = findings.tables();
    assert!(
        tables.contains("FAULT: the gateway took money for the payment 00000000000000000000000000000007")
    );
    assert!(tables.contains("THE BOOKS DO NOT AGREE."));
}

#[test]
fn thousands_are_set_apart() {
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
        assert_eq!(grouped(number), text);
    }
}
