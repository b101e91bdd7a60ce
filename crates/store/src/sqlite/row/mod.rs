//! How each noun is stored: its columns, how it is written, how it is read.

pub(crate) mod account;
pub(crate) mod credit;
pub(crate) mod decision;
pub(crate) mod document;
pub(crate) mod gateway;
pub(crate) mod import;
pub(crate) mod payment;
pub(crate) mod payment_method;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod tally;

use payment_runs_engine::account::Stamps;

use super::failure::Failure;
use super::sql::Columns;

/// The four columns of [`Stamps`], which every noun has.
pub(crate) fn read_stamps(row: &mut Columns<'_>) -> Result<Stamps, Failure> {
    Ok(Stamps {
        created_at: row.time()?,
        created_by: row.id()?,
        updated_at: row.time()?,
        updated_by: row.id()?,
    })
}
