//! Pages, sort orders and parameters of the v1 lists.

use http::Uri;
use payment_runs_engine::ids::UserId;
use payment_runs_stubs::{Category, Fault, Location, Rejection};

/// Records per page unless the caller says otherwise, as documented.
const SIZE_DEFAULT: u32 = 20;

/// Records per page at most; more is read as this, as documented.
const SIZE_MAX: u32 = 40;

/// Fields to sort by at most, as documented.
const SORT_FIELDS_MAX: usize = 2;

/// The value by which a filter asks for records that have none.
const NULL: &str = "null";

/// One page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    number: u64,
    size: u32,
}

impl Page {
    /// The page with this number, counted from 1, of this size.
    pub(super) fn of(number: Option<i64>, size: Option<i64>) -> Self {
        let number = number.and_then(|number| u64::try_from(number).ok()).unwrap_or(1).max(1);
        let size = size.map_or(SIZE_DEFAULT, |size| u32::try_from(size).unwrap_or(SIZE_MAX));
        Self { number, size: size.clamp(1, SIZE_MAX) }
    }

    /// How many records come before it.
    pub(super) fn offset(&self) -> u64 {
        (self.number - 1).saturating_mul(u64::from(self.size))
    }

    /// How many records to read: one more than fit, which tells whether there is another page.
    pub(super) fn limit(&self) -> u32 {
        self.size + 1
    }

    /// Takes the record off that does not fit, and says where the next page is.
    pub(super) fn cut<T>(&self, records: &mut Vec<T>, uri: &Uri) -> Option<String> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let is_last = records.len() <= size;
        records.truncate(size);
        if is_last { None } else { Some(next_page(uri, self.number.saturating_add(1))) }
    }
}

/// The same list on another page: everything that the caller wrote stays as it was written.
fn next_page(uri: &Uri, number: u64) -> String {
    let query = uri.query().unwrap_or_default();
    let others = query.split('&').filter(|pair| !pair.is_empty() && name_of(pair) != "page");
    let mut pairs: Vec<String> = others.map(str::to_owned).collect();
    pairs.push(format!("page={number}"));
    format!("{}?{}", uri.path(), pairs.join("&"))
}

fn name_of(pair: &str) -> String {
    let name = form_urlencoded::parse(pair.as_bytes()).next();
    name.map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// Refuses parameters that the list does not have: a filter with a slip in its name would otherwise answer everything.
pub(super) fn refuse_unknown_parameters(uri: &Uri, known: &[&str]) -> Result<(), Rejection> {
    let given = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let unknown = given.filter(|(name, _)| !name.is_empty() && !known.contains(&name.as_ref()));
    let faults: Vec<Fault> = unknown
        .map(|(name, _)| Fault {
            location: Location::Query,
            field: name.into_owned(),
            message: format!("is not a parameter of this list, whose parameters are {}", known.join(", ")),
            category: Category::InvalidParameter,
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(Rejection::from_faults(faults)) }
}

/// Reads a sort order: `-` means ascending, `+`, a blank (what a raw `+` decodes to) or no sign descending, as documented.
/// The flag is true for ascending.
pub(super) fn sort_fields<T: Copy>(text: &str, sortable: &[(&str, T)]) -> Result<Vec<(T, bool)>, Rejection> {
    let refuse =
        |message: String| Err(Rejection::at(Category::InvalidParameter, Location::Query, "sort", message));
    let mut fields = Vec::new();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let name = part.trim();
        let (name, ascending) = match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name.strip_prefix('+').unwrap_or(name), false),
        };
        let Some((_, field)) = sortable.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = sortable.iter().map(|(known, _)| *known).collect();
            return refuse(format!("must name fields out of {}", known.join(", ")));
        };
        fields.push((*field, ascending));
    }
    if fields.len() > SORT_FIELDS_MAX {
        return refuse(format!("must name at most {SORT_FIELDS_MAX} fields"));
    }
    Ok(fields)
}

/// A condition on a user: `null` means nobody; a text that is no identifier belongs to nobody either, but names someone.
pub(super) fn user<C>(text: &str, condition: fn(Option<UserId>) -> C, never: C) -> C {
    match text.parse() {
        _ if text == NULL => condition(None),
        Ok(id) => condition(Some(id)),
        Err(_) => never,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    #[test]
    fn pages_are_counted_from_one_and_bounded() {
        for (number, size, offset, limit) in [
            (None, None, 0, 21),
            (Some(1), Some(1), 0, 2),
            (Some(3), Some(10), 20, 11),
            (Some(2), Some(41), 40, 41),
            (Some(2), Some(i64::MAX), 40, 41),
        ] {
            let page = Page::of(number, size);
            assert_eq!((page.offset(), page.limit()), (offset, limit), "{number:?} {size:?}");
        }
        assert_eq!(Page::of(Some(i64::MAX), Some(40)).offset(), u64::MAX);
    }

    #[test]
    fn the_next_page_keeps_what_the_caller_wrote() {
        let next = |uri: &'static str, found: usize| {
            let mut records = vec![(); found];
            let page = Page::of(None, Some(1));
            let next = page.cut(&mut records, &Uri::from_static(uri));
            assert!(records.len() <= 1);
            next
        };
        assert_eq!(next("/v1/payment-runs?pageSize=1", 1), None);
        assert_eq!(next("/v1/payment-runs", 2).unwrap(), "/v1/payment-runs?page=2");
        assert_eq!(
            next("/v1/payment-runs?pageSize=1&status=Completed&sort=%2BupdatedDate", 2).unwrap(),
            "/v1/payment-runs?pageSize=1&status=Completed&sort=%2BupdatedDate&page=2"
        );
        assert_eq!(
            next("/v1/payments?p%61ge=1&status=Error", 2).unwrap(),
            "/v1/payments?status=Error&page=2"
        );
    }

    #[test]
    fn signs_are_those_of_the_reference() {
        let sortable = [("createdDate", 'c'), ("status", 's'), ("targetDate", 't')];
        let read = |text: &str| {
            sort_fields(text, &sortable).map_err(|rejection| rejection.faults[0].message.clone())
        };
        assert_eq!(read("-createdDate"), Ok(vec![('c', true)]));
        for descending in ["createdDate", "+createdDate", " createdDate"] {
            assert_eq!(read(descending), Ok(vec![('c', false)]), "{descending}");
        }
        assert_eq!(read("-status,+targetDate"), Ok(vec![('s', true), ('t', false)]));
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("number"), Err("must name fields out of createdDate, status, targetDate".to_owned()));
        assert_eq!(read("status,targetDate,createdDate"), Err("must name at most 2 fields".to_owned()));
    }

    #[test]
    fn a_slip_in_a_filter_is_refused() {
        let uri = Uri::from_static("/v1/payment-runs?statuz=Completed&page=1&x=1");
        let rejection = refuse_unknown_parameters(&uri, &["page", "status"]).unwrap_err();
        let names: Vec<_> = rejection.faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(names, ["statuz", "x"]);
        assert_eq!(rejection.category, Category::InvalidParameter);
        assert!(refuse_unknown_parameters(&Uri::from_static("/v1/payment-runs?page=1&"), &["page"]).is_ok());
    }
}
