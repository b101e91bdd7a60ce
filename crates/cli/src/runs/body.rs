//! What a payment run is to do: arguments that become the body with which version 1 creates or changes one.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

/// The largest file that is read, in bytes: 50,000 records are far smaller.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a payment run is to do. Each argument stands for the field of the same meaning in version 1.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What the payment run does")]
pub(crate) struct BodyArguments {
    /// Documents due on or before this day are collected.
    #[arg(long, value_name = "DATE")]
    pub(crate) target_date: Option<jiff::civil::Date>,
    /// When it starts, such as 2026-01-31T09:00:00 in the time zone of the settings; minutes are dropped.
    #[arg(long, value_name = "TIME")]
    pub(crate) run_date: Option<jiff::civil::DateTime>,
    /// Only this account, by id.
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Only accounts of this batch, such as Batch1.
    #[arg(long, value_name = "BATCH")]
    pub(crate) batch: Option<String>,
    /// Only accounts with this bill cycle day; 31 is the end of the month.
    #[arg(long, value_name = "DAY", value_parser = clap::value_parser!(u8).range(1..=31))]
    pub(crate) bill_cycle_day: Option<u8>,
    /// Only documents of this bill run, by id.
    #[arg(long, value_name = "ID")]
    pub(crate) bill_run: Option<String>,
    /// Only documents in this currency.
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
    /// Only accounts with this payment gateway, which is charged, by id.
    #[arg(long = "payment-gateway", value_name = "ID")]
    pub(crate) payment_gateway: Option<String>,
    /// Whether credit memos are used.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) credit_memos: Option<bool>,
    /// Whether unapplied payments are used.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) unapplied_payments: Option<bool>,
    /// Whether credit balances are used.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) credit_balance: Option<bool>,
    /// Whether what remains is charged.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) collect: Option<bool>,
    /// Whether there is one payment for all documents of an account.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) consolidated: Option<bool>,
    /// Whether closed payment methods are charged.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) closed_payment_methods: Option<bool>,
    /// Whether a document's own payment method is charged where it has one.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) custom_payment_methods: Option<bool>,
    /// Whether the retry rules are passed over.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) ignore_retry_rule: Option<bool>,
    /// A file with the records to collect, as a JSON array; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// A file with the whole body as JSON, to which the other arguments are added; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
}

/// A field that an update can empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClearedField {
    /// The target date.
    TargetDate,
    /// The run date.
    RunDate,
    /// The account.
    Account,
    /// The batch.
    Batch,
    /// The bill cycle day.
    BillCycleDay,
    /// The bill run.
    BillRun,
    /// The currency.
    Currency,
    /// The payment gateway.
    PaymentGateway,
}

impl ClearedField {
    fn name(self) -> &'static str {
        match self {
            Self::TargetDate => "targetDate",
            Self::RunDate => "runDate",
            Self::Account => "accountId",
            Self::Batch => "batch",
            Self::BillCycleDay => "billCycleDay",
            Self::BillRun => "billingRunId",
            Self::Currency => "currency",
            Self::PaymentGateway => "paymentGatewayId",
        }
    }
}

/// A body in the names of version 1.
pub(crate) type Body = Map<String, Value>;

impl BodyArguments {
    /// The body that these arguments stand for.
    pub(crate) fn to_body(&self) -> anyhow::Result<Body> {
        if self.body.as_deref() == Some(Path::new("-")) && self.data.as_deref() == Some(Path::new("-")) {
            bail!("only one of --body and --data can be read from standard input");
        }
        let mut body = match &self.body {
            None => Body::new(),
            Some(path) => match read(path)? {
                Value::Object(body) => body,
                _ => bail!("{} does not hold a JSON object", path.display()),
            },
        };
        for (name, value) in self.given() {
            body.insert(name.to_owned(), value);
        }
        if let Some(path) = &self.data {
            let records = read(path)?;
            if !records.is_array() {
                bail!("{} does not hold a JSON array", path.display());
            }
            body.insert("data".to_owned(), records);
        }
        Ok(body)
    }

    /// The fields that were given, in the names of version 1.
    fn given(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let texts = [
            ("targetDate", self.target_date.map(|date| date.to_string())),
            ("runDate", self.run_date.map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())),
            ("accountId", self.account.clone()),
            ("batch", self.batch.clone()),
            ("billCycleDay", self.bill_cycle_day.map(|day| day.to_string())),
            ("billingRunId", self.bill_run.clone()),
            ("currency", self.currency.clone()),
            ("paymentGatewayId", self.payment_gateway.clone()),
        ];
        let switches = [
            ("autoApplyCreditMemo", self.credit_memos),
            ("autoApplyUnappliedPayment", self.unapplied_payments),
            ("applyCreditBalance", self.credit_balance),
            ("collectPayment", self.collect),
            ("consolidatedPayment", self.consolidated),
            ("processPaymentWithClosedPM", self.closed_payment_methods),
            ("useCustomPaymentMethods", self.custom_payment_methods),
            ("ignorePaymentRunRetryRule", self.ignore_retry_rule),
        ];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Value::String(text?))));
        texts.chain(switches.into_iter().filter_map(|(name, is_on)| Some((name, json!(is_on?)))))
    }
}

/// Empties fields of a change.
pub(crate) fn clear(body: &mut Body, fields: &[ClearedField]) -> anyhow::Result<()> {
    for field in fields {
        if body.insert(field.name().to_owned(), Value::Null).is_some_and(|value| !value.is_null()) {
            bail!("{} is both given and cleared", field.name());
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let mut bytes = Vec::new();
    let source: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?)
    };
    let read = source.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("{} cannot be read", path.display()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        bail!("{} is longer than {FILE_BYTES_MAX} bytes", path.display());
    }
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
}
