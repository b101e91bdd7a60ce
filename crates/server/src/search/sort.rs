//! `sort[]`: orders such as `created_time.desc`.

use payment_runs_engine::search::Sort;
use payment_runs_stubs::Fault;

use super::{Dialect, excerpt, fault};

/// The parameter.
const SORT: &str = "sort[]";

/// Reads the order; what is wrong with it goes to the faults. A field that is named twice counts where it stands first.
pub(super) fn read_sorts(dialect: &Dialect, texts: &[String], faults: &mut Vec<Fault>) -> Vec<Sort> {
    let mut sorts: Vec<Sort> = Vec::new();
    // Several orders may stand in one value, with commas between them.
    for text in texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty()) {
        match read_sort(dialect, text) {
            Ok(None) => {}
            Ok(Some(sort)) if sorts.iter().any(|known| known.field == sort.field) => {}
            Ok(Some(sort)) => sorts.push(sort),
            Err(message) => faults.push(fault(SORT, message)),
        }
    }
    if sorts.len() > dialect.sorts_max {
        let fields = if dialect.sorts_max == 1 {
            "one field".to_owned()
        } else {
            format!("{} fields", dialect.sorts_max)
        };
        faults.push(fault(SORT, format!("must name at most {fields}")));
    }
    sorts
}

fn read_sort(dialect: &Dialect, text: &str) -> Result<Option<Sort>, String> {
    let shape = || format!("'{}' must be written as field.asc or field.desc", excerpt(text));
    let (name, way) = text.rsplit_once('.').ok_or_else(shape)?;
    if dialect.unsorted.iter().any(|known| dialect.is(name, known)) {
        return Ok(None);
    }
    let field = dialect.field(name).ok_or_else(|| {
        format!("'{}' cannot be sorted by; the fields are {}", excerpt(name), dialect.names())
    })?;
    match way {
        way if dialect.is(way, "asc") => Ok(Some(Sort { field, ascending: true })),
        way if dialect.is(way, "desc") => Ok(Some(Sort { field, ascending: false })),
        _ => Err(shape()),
    }
}
