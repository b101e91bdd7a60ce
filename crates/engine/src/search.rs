//! Searching for runs: which fields can be filtered and sorted by, and what their values are.
//!
//! Each API has its own names, operators and writing of values; all of them come down to this, and a store needs only one
//! place that turns it into its own language.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::run::{Run, RunStatus, Tallies, Tally};

/// What kind of value a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKind {
    /// Text.
    Text,
    /// An identifier.
    Id,
    /// A whole number.
    Integer,
    /// Yes or no.
    Bool,
    /// A day.
    Date,
    /// A moment (UTC). Conditions compare moments to the second, which is what callers are shown; sorting is exact.
    Time,
    /// A run's status.
    Status,
}

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Value {
    /// No value.
    Null,
    /// Text.
    Text(String),
    /// An identifier's number, in hexadecimal when written down.
    Id(#[serde(with = "hex")] u128),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// A day.
    Date(Date),
    /// A moment (UTC).
    Time(Timestamp),
    /// A run's status.
    Status(RunStatus),
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{id:x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}

/// How a field's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// Equal; with [`Value::Null`]: has no value.
    Equal,
    /// Not equal, or without a value; with [`Value::Null`]: has a value.
    NotEqual,
    /// Less.
    Less,
    /// Greater.
    Greater,
    /// Less or equal.
    LessOrEqual,
    /// Greater or equal.
    GreaterOrEqual,
    /// Begins with this text; for text, and for identifiers as they are written down.
    StartsWith,
    /// Equal to one of the values.
    In,
}

/// A condition on a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Condition {
    /// The field.
    pub field: RunField,
    /// How it is compared.
    pub operator: Operator,
    /// With what: one value, or several, which are equal to any of them for [`Operator::Equal`] and [`Operator::In`] and to
    /// none for [`Operator::NotEqual`]. Each is of the field's kind or null; for an identifier it may
    /// also be a text, which is compared with the identifier as it is written down (32 lower-case hexadecimal characters).
    pub values: Vec<Value>,
}

/// A field to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sort {
    /// The field.
    pub field: RunField,
    /// Upwards; runs without a value come first then, and last downwards.
    pub ascending: bool,
}

/// Where a page ends: the values of the sort fields, and the identifier that breaks ties.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The values of the sort fields, in their order.
    pub values: Vec<Value>,
    /// The identifier.
    pub id: Value,
}

/// Which runs, in what order, from where on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSearch {
    /// Conditions, all of which hold.
    pub conditions: Vec<Condition>,
    /// Sort fields. The identifier breaks ties, in the direction of the last of them; empty means newest first.
    pub sort: Vec<Sort>,
    /// Whether upper and lower case of the letters A to Z are the same in text.
    pub ignore_case: bool,
    /// The entity's time zone, in which a scheduled run without a target date has the day of its start for one.
    pub time_zone: TimeZone,
    /// After this position.
    pub after: Option<Position>,
    /// How many at most.
    pub limit: u32,
}

impl RunSearch {
    /// Where a run stands in the order of this search.
    pub fn position(&self, run: &Run, tallies: &Tallies) -> Position {
        let values = self.sort.iter().map(|sort| sort.field.value(run, tallies, &self.time_zone)).collect();
        Position { values, id: Value::Id(run.id.as_u128()) }
    }
}

/// A field of a run that can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the field of a run, or the counter, of the same name")]
pub enum RunField {
    Id,
    Number,
    Status,
    TargetDate,
    RunAt,
    CreatedAt,
    CreatedBy,
    UpdatedAt,
    UpdatedBy,
    ExecutedAt,
    CompletedAt,
    ErrorMessage,
    Account,
    Batch,
    BillCycleDay,
    BillRun,
    Currency,
    Gateway,
    ApplyCreditBalance,
    AutoApplyCreditMemo,
    AutoApplyUnappliedPayment,
    CollectPayment,
    ConsolidatedPayment,
    ProcessPaymentWithClosedPm,
    Payments,
    Errors,
    Invoices,
    DebitMemos,
    CreditMemos,
    UnappliedPayments,
    CreditBalanceUses,
    Unprocessed,
    UnprocessedDebitMemos,
}

impl RunField {
    /// Every field with its kind.
    pub const KINDS: &'static [(Self, ValueKind)] = &[
        (Self::Id, ValueKind::Id),
        (Self::Number, ValueKind::Text),
        (Self::Status, ValueKind::Status),
        (Self::TargetDate, ValueKind::Date),
        (Self::RunAt, ValueKind::Time),
        (Self::CreatedAt, ValueKind::Time),
        (Self::CreatedBy, ValueKind::Id),
        (Self::UpdatedAt, ValueKind::Time),
        (Self::UpdatedBy, ValueKind::Id),
        (Self::ExecutedAt, ValueKind::Time),
        (Self::CompletedAt, ValueKind::Time),
        (Self::ErrorMessage, ValueKind::Text),
        (Self::Account, ValueKind::Id),
        (Self::Batch, ValueKind::Text),
        (Self::BillCycleDay, ValueKind::Integer),
        (Self::BillRun, ValueKind::Id),
        (Self::Currency, ValueKind::Text),
        (Self::Gateway, ValueKind::Id),
        (Self::ApplyCreditBalance, ValueKind::Bool),
        (Self::AutoApplyCreditMemo, ValueKind::Bool),
        (Self::AutoApplyUnappliedPayment, ValueKind::Bool),
        (Self::CollectPayment, ValueKind::Bool),
        (Self::ConsolidatedPayment, ValueKind::Bool),
        (Self::ProcessPaymentWithClosedPm, ValueKind::Bool),
        (Self::Payments, ValueKind::Integer),
        (Self::Errors, ValueKind::Integer),
        (Self::Invoices, ValueKind::Integer),
        (Self::DebitMemos, ValueKind::Integer),
        (Self::CreditMemos, ValueKind::Integer),
        (Self::UnappliedPayments, ValueKind::Integer),
        (Self::CreditBalanceUses, ValueKind::Integer),
        (Self::Unprocessed, ValueKind::Integer),
        (Self::UnprocessedDebitMemos, ValueKind::Integer),
    ];

    /// What kind of value the field holds.
    pub fn kind(self) -> ValueKind {
        Self::KINDS[self as usize].1
    }

    /// The counter behind the field, summed over all currencies; `None` for a field of the run itself.
    pub fn counter(self) -> Option<fn(&Tally) -> i64> {
        Some(match self {
            Self::Payments => |tally| tally.payments.number,
            // Payments that are still open count as errors, as documented.
            Self::Errors => |tally| tally.errors.number + tally.processing.number,
            Self::Invoices => |tally| tally.invoices.number,
            Self::DebitMemos => |tally| tally.debit_memos.number,
            Self::CreditMemos => |tally| tally.credit_memos.number,
            Self::UnappliedPayments => |tally| tally.unapplied_payments.number,
            Self::CreditBalanceUses => |tally| tally.credit_balance.number,
            Self::Unprocessed => {
                |tally| tally.unprocessed_invoices.number + tally.unprocessed_debit_memos.number
            }
            Self::UnprocessedDebitMemos => |tally| tally.unprocessed_debit_memos.number,
            _ => return None,
        })
    }

    /// The field's value of a run, with days in the entity's time zone.
    pub fn value(self, run: &Run, tallies: &Tallies, time_zone: &TimeZone) -> Value {
        if let Some(counter) = self.counter() {
            return Value::Integer(tallies.values().map(counter).sum());
        }
        let (filter, options, stamps) = (&run.filter, &run.options, &run.stamps);
        let id = |id: Option<u128>| id.map_or(Value::Null, Value::Id);
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.to_owned()));
        let time = |time: Option<Timestamp>| time.map_or(Value::Null, Value::Time);
        match self {
            Self::Id => Value::Id(run.id.as_u128()),
            Self::Number => Value::Text(run.number.clone()),
            Self::Status => Value::Status(run.status),
            Self::TargetDate => run.shown_target_date(time_zone).map_or(Value::Null, Value::Date),
            Self::RunAt => time(run.run_at),
            Self::CreatedAt => Value::Time(stamps.created_at),
            Self::CreatedBy => Value::Id(stamps.created_by.as_u128()),
            Self::UpdatedAt => Value::Time(stamps.updated_at),
            Self::UpdatedBy => Value::Id(stamps.updated_by.as_u128()),
            Self::ExecutedAt => time(run.executed_at),
            Self::CompletedAt => time(run.completed_at),
            Self::ErrorMessage => text(run.error_message.as_deref()),
            Self::Account => id(filter.account.map(crate::ids::AccountId::as_u128)),
            Self::Batch => text(filter.batch.as_deref()),
            Self::BillCycleDay => filter.bill_cycle_day.map_or(Value::Null, |day| Value::Integer(day.into())),
            Self::BillRun => id(filter.bill_run.map(crate::ids::BillRunId::as_u128)),
            Self::Currency => text(filter.currency.as_ref().map(crate::money::Currency::code)),
            Self::Gateway => id(filter.gateway.map(crate::ids::GatewayId::as_u128)),
            Self::ApplyCreditBalance => Value::Bool(options.apply_credit_balance),
            Self::AutoApplyCreditMemo => Value::Bool(options.auto_apply_credit_memo),
            Self::AutoApplyUnappliedPayment => Value::Bool(options.auto_apply_unapplied_payment),
            Self::CollectPayment => Value::Bool(options.collect_payment),
            Self::ConsolidatedPayment => Value::Bool(options.consolidated_payment),
            Self::ProcessPaymentWithClosedPm => Value::Bool(options.process_payment_with_closed_pm),
            Self::Payments
            | Self::Errors
            | Self::Invoices
            | Self::DebitMemos
            | Self::CreditMemos
            | Self::UnappliedPayments
            | Self::CreditBalanceUses
            | Self::Unprocessed
            | Self::UnprocessedDebitMemos => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_kinds_is_in_order() {
        for (at, (field, kind)) in RunField::KINDS.iter().enumerate() {
            assert_eq!(*field as usize, at, "{field:?} stands in the wrong place");
            assert_eq!(field.kind(), *kind);
        }
    }
}
