//! Pages of runs, and one run by its key.

use payment_runs_engine::ids::Key;
use payment_runs_engine::ports::FoundRun;
use payment_runs_engine::run_rules::time_zone;
use payment_runs_engine::search::{Condition, Operator, RunField, RunSearch, Sort, Value};
use payment_runs_engine::settings::Settings;
use payment_runs_stubs::{Fault, Rejection};

use super::cursor::Place;
use super::filter::read_filters;
use super::sort::read_sorts;
use super::{Dialect, fault};
use crate::call::Call;
use crate::failure::store_failure;
use crate::time::Zone;

/// What the query string asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// `filter[]`.
    pub(crate) filters: Option<&'a [String]>,
    /// `sort[]`.
    pub(crate) sorts: Option<&'a [String]>,
    /// `cursor`.
    pub(crate) cursor: Option<&'a str>,
    /// Runs on the page.
    pub(crate) size: u32,
}

/// One page.
#[derive(Debug)]
pub(crate) struct Page {
    /// The runs, in order.
    pub(crate) runs: Vec<FoundRun>,
    /// The cursor of the next page; `None` on the last one.
    pub(crate) next: Option<String>,
}

/// One page of runs. `faults` is what is wrong with the rest of the query string, and is told together with the faults
/// found here.
pub(crate) async fn search(
    call: &Call<'_>,
    dialect: &Dialect,
    settings: &Settings,
    asked: Asked<'_>,
    faults: Vec<Fault>,
) -> Result<Page, Rejection> {
    let search = read_search(call, dialect, settings, asked, faults)?;
    let size = usize::try_from(asked.size).unwrap_or(usize::MAX);
    let mut runs = run_search(call, &search).await?;
    let is_last = runs.len() <= size;
    runs.truncate(size);
    let last = runs.last().filter(|_| !is_last);
    let next = last.and_then(|last| {
        let after = search.position(&last.run, &last.tallies);
        let place = Place { conditions: search.conditions.clone(), sort: search.sort.clone(), after };
        place.sign(&call.app.settings.cursor_key, dialect, call.scope())
    });
    Ok(Page { runs, next })
}

fn read_search(
    call: &Call<'_>,
    dialect: &Dialect,
    settings: &Settings,
    asked: Asked<'_>,
    mut faults: Vec<Fault>,
) -> Result<RunSearch, Rejection> {
    let zone = Zone::of(settings);
    let conditions = asked.filters.map(|texts| read_filters(dialect, &zone, texts, &mut faults));
    let sort = asked.sorts.map(|texts| read_sorts(dialect, texts, &mut faults));
    let key = &call.app.settings.cursor_key;
    let place = asked.cursor.filter(|text| !text.is_empty()).map(|text| {
        let place = Place::read(key, dialect, call.scope(), text);
        place.filter(|place| {
            is_same(conditions.as_ref(), &place.conditions) && is_same(sort.as_ref(), &place.sort)
        })
    });
    if place == Some(None) && faults.is_empty() {
        faults.push(fault("cursor", "is stale or was made for another list: start again without it"));
    }
    if !faults.is_empty() {
        return Err(Rejection::from_faults(faults));
    }
    let (conditions, sort, after) = match place.flatten() {
        Some(place) => (place.conditions, place.sort, Some(place.after)),
        None => (conditions.unwrap_or_default(), sort.unwrap_or_default(), None),
    };
    Ok(RunSearch {
        conditions,
        sort,
        ignore_case: dialect.ignore_case,
        time_zone: time_zone(settings),
        after,
        // One more than fits tells whether there is another page.
        limit: asked.size.saturating_add(1),
    })
}

/// Whether what the caller repeats, if anything, is what the cursor was made with.
fn is_same<T: PartialEq>(repeated: Option<&Vec<T>>, carried: &[T]) -> bool {
    repeated.is_none_or(|repeated| repeated == carried)
}

/// The run with this identifier, or else with this number.
pub(crate) async fn find(
    call: &Call<'_>,
    settings: &Settings,
    key: &str,
) -> Result<Option<FoundRun>, Rejection> {
    let by_id = Key::new(key).as_id().map(|id| (RunField::Id, Value::Id(id)));
    let by_number = (RunField::Number, Value::Text(key.to_owned()));
    for (field, value) in by_id.into_iter().chain([by_number]) {
        let search = RunSearch {
            conditions: vec![Condition { field, operator: Operator::Equal, values: vec![value] }],
            sort: Vec::<Sort>::new(),
            ignore_case: false,
            time_zone: time_zone(settings),
            after: None,
            limit: 1,
        };
        if let Some(found) = run_search(call, &search).await?.pop() {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn run_search(call: &Call<'_>, search: &RunSearch) -> Result<Vec<FoundRun>, Rejection> {
    let found = call.app.ports.search.search_runs(call.scope(), search).await;
    found.map_err(|error| store_failure(&error))
}
