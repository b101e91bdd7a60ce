//! Object query over the engine: payment runs with filters, an order and a choice of fields.

mod fields;
mod get;
mod list;
mod repetition;
mod write;

pub(crate) use get::get;
pub(crate) use list::list;

use payment_runs_engine::run::RunStatus;
use payment_runs_engine::search::{Operator, RunField, ValueKind};
use payment_runs_stubs::Fault;

use crate::search::{Dialect, excerpt, fault};

/// What can be searched for, as the object query reference lists it.
pub(crate) const DIALECT: Dialect = Dialect {
    surface: "object-query/payment-runs",
    fields: &[
        ("id", RunField::Id),
        ("updateddate", RunField::UpdatedAt),
        ("executeddate", RunField::ExecutedAt),
        ("numberofpayments", RunField::Payments),
        ("paymentrunnumber", RunField::Number),
        ("status", RunField::Status),
        ("targetdate", RunField::TargetDate),
    ],
    unsorted: &[],
    operators: &[
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::Greater,
        Operator::StartsWith,
        Operator::In,
        Operator::LessOrEqual,
        Operator::GreaterOrEqual,
    ],
    ordered: &[ValueKind::Text, ValueKind::Id, ValueKind::Integer, ValueKind::Date, ValueKind::Time],
    statuses: &[
        ("Pending", RunStatus::Pending),
        ("Processing", RunStatus::Processing),
        ("Completed", RunStatus::Completed),
        ("Error", RunStatus::Error),
        ("Canceled", RunStatus::Canceled),
    ],
    ignore_case: true,
    sorts_max: 1,
};

/// What is wrong with `expand[]`: a payment run has nothing to expand.
fn expand_faults(expand: Option<&[String]>) -> Vec<Fault> {
    let names = expand.unwrap_or_default().iter().flat_map(|text| text.split(',')).map(str::trim);
    let given = names.filter(|name| !name.is_empty());
    let message =
        |name: &str| format!("'{}' cannot be expanded: a payment run has no related objects", excerpt(name));
    given.map(|name| fault("expand[]", message(name))).collect()
}
