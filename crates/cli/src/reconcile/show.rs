//! Reconciliations as text.

use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use payment_runs_engine::money::Money;
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::{ListedCharge, ListedState, UnmatchedPayment};
use payment_runs_engine::reconcile::{Difference, Finding, KnownPayment, Remedy};
use payment_runs_node::GatewayReconciled;

/// How many of the findings would be told again by the next reconciliation.
pub(super) fn left(gateway: &GatewayReconciled, is_applied: bool) -> usize {
    let findings = &gateway.reconciled.findings;
    findings.iter().filter(|finding| !is_applied || finding.remedy == Remedy::Reported).count()
}

/// The findings by day, and a line that sums them up.
pub(super) fn report(gateway: &GatewayReconciled, is_applied: bool) -> String {
    let reconciled = &gateway.reconciled;
    let mut text = format!("{}: {} charges of this ledger\n", gateway.gateway, reconciled.listed);
    let mut day = None;
    for finding in &reconciled.findings {
        let at = finding.difference.at().to_zoned(TimeZone::UTC);
        if day != Some(at.date()) {
            day = Some(at.date());
            line(&mut text, format_args!("{}", heading(at.date())));
        }
        let account = finding.account.as_deref().unwrap_or("-");
        let time = at.strftime("%H:%M:%S");
        line(&mut text, format_args!("  {time}  {account:<12}  {}", what(finding)));
        line(&mut text, format_args!("            {}", remedy(finding, is_applied)));
    }
    let count = reconciled.findings.len();
    line(&mut text, format_args!("{count} {}", if count == 1 { "difference" } else { "differences" }));
    text
}

fn heading(day: Date) -> String {
    format!("{day} (UTC)")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn what(finding: &Finding) -> String {
    match &finding.difference {
        Difference::Unknown(charge) => format!("{} is not in the ledger", named(charge)),
        Difference::InDoubt(charge, payment) => {
            format!("{}; the ledger has {} in doubt", named(charge), payment.number)
        }
        Difference::Extra(charge, payment) => {
            format!("{} beside {}", named(charge), known(payment))
        }
        Difference::Contradiction(charge, payment) => {
            format!("{} differs from {}", named(charge), known(payment))
        }
        Difference::NotListed(payment) => format!("{} is not in the gateway's list", known(payment)),
    }
}

fn named(charge: &ListedCharge) -> String {
    let state = match &charge.state {
        ListedState::Approved => "approved".to_owned(),
        ListedState::Pending => "pending".to_owned(),
        ListedState::Declined { code, .. } => format!("declined ({code})"),
        ListedState::Unclear { .. } => "of no clear state".to_owned(),
    };
    format!("{}, {}, {state}", charge.reference, charge.money.map_or_else(|| "no amount".to_owned(), money))
}

fn money(money: Money) -> String {
    format!("{money} {}", money.currency)
}

fn known(payment: &KnownPayment) -> String {
    format!("{}, {}, {}", payment.number, money(payment.money), state(payment.state))
}

fn state(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Intent => "being sent",
        PaymentState::Pending => "pending",
        PaymentState::Unknown => "unknown",
        PaymentState::Processed => "processed",
        PaymentState::Declined => "declined",
        PaymentState::Canceled => "canceled",
    }
}

/// What was done, or would be. Numbers of payments are told only of payments that exist.
fn remedy(finding: &Finding, is_applied: bool) -> String {
    let (to_be, number) = match &finding.remedy {
        _ if !is_applied => ("to be ", String::new()),
        Remedy::Adopted { number, .. } | Remedy::Unmatched { number, .. } => ("", format!(" {number}")),
        _ => ("", String::new()),
    };
    match &finding.remedy {
        Remedy::Adopted { documents, unapplied_minor, .. } => {
            let paid =
                if documents.is_empty() { String::new() } else { format!(" of {}", documents.join(", ")) };
            let rest = match finding_money(finding).filter(|_| *unapplied_minor > 0) {
                Some(whole) => format!(", {} unapplied", money(Money::new(*unapplied_minor, whole.currency))),
                None => String::new(),
            };
            format!("{to_be}adopted as payment{number}{paid}{rest}")
        }
        Remedy::Unmatched { why, .. } => format!(
            "{to_be}kept as unapplied payment{number}; its account's open documents are {to_be}held: {why}"
        ),
        Remedy::Settled(after) => format!("{to_be}settled: {}", state(*after)),
        Remedy::Noted => {
            format!("{to_be}noted: the ledger has no such account; a person has to look after the money")
        }
        Remedy::Reported => "a person has to look at it".to_owned(),
    }
}

fn finding_money(finding: &Finding) -> Option<Money> {
    match &finding.difference {
        Difference::Unknown(charge)
        | Difference::InDoubt(charge, _)
        | Difference::Extra(charge, _)
        | Difference::Contradiction(charge, _) => charge.money,
        Difference::NotListed(payment) => Some(payment.money),
    }
}

/// Unmatched payments.
pub(super) fn unmatched(payments: &[UnmatchedPayment]) -> String {
    if payments.is_empty() {
        return "no unmatched payments\n".to_owned();
    }
    let mut text = String::new();
    for payment in payments {
        let whole = money(payment.money);
        let left = money(Money::new(payment.unapplied_minor, payment.money.currency));
        let charge = payment.reference.as_deref().unwrap_or("-");
        line(
            &mut text,
            format_args!(
                "{}  account {}  {whole}, {left} unapplied  charge {charge}  {} open documents held",
                payment.number, payment.account, payment.held
            ),
        );
    }
    text
}
