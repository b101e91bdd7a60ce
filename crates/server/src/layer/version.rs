//! `Zuora-Version`: callers of the versions before 2024-05-20 get logical errors with status 200, as documented.

use http::HeaderMap;
use jiff::civil::Date;

use crate::app::App;

/// The header.
const VERSION_HEADER: &str = "zuora-version";

/// The first version with real error statuses.
const FIRST_WITH_STATUSES: Date = Date::constant(2024, 5, 20);

/// Marks a request of an old version, among its extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OldVersion;

/// Whether the version of the request is one of the old ones: a number such as `211.0`, or an earlier date.
pub(crate) fn is_old_version(app: &App, headers: &HeaderMap) -> bool {
    let named = headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok()).map(str::trim);
    let version = named.filter(|text| !text.is_empty()).or(app.settings.default_version.as_deref());
    version.is_some_and(is_old)
}

pub(super) fn is_old(version: &str) -> bool {
    match version.parse::<Date>() {
        // Days, not texts: a date can be written in several ways.
        Ok(date) => date < FIRST_WITH_STATUSES,
        // A text that is neither a date nor a number is unknown, and an unknown version is the latest.
        Err(_) => {
            version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_old;

    #[test]
    fn numbers_and_earlier_dates_are_old() {
        for version in ["186.0", "341.0", "211", "2023-07-24"] {
            assert!(is_old(version), "{version}");
        }
        for version in ["2024-05-20", "2025-08-12", "2026-02-20", "+002025-08-12", "20250812", "latest", ""] {
            assert!(!is_old(version), "{version}");
        }
    }
}
