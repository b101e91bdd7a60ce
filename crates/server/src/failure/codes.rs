//! The codes of the v1 surfaces: six digits that name the resource, two that name the category of the fault.
//!
//! The categories are those of the public documentation. Its list of resource codes is not public in whole; those
//! here lie in the documented range and are ours, except for the general one.

use http::Method;
use payment_runs_stubs::{Category, Fault, Location};

/// What a request was about, as the first six digits of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Requests without a body, and everything that has no code of its own.
    General,
    /// Tokens and headers that let a caller in.
    Access,
    /// Accounts.
    Account,
    /// Payment methods.
    PaymentMethod,
    /// Invoices.
    Invoice,
    /// Debit memos.
    DebitMemo,
    /// Credit memos.
    CreditMemo,
    /// Payments.
    Payment,
    /// Payment runs.
    PaymentRun,
}

const RESOURCES: &[(Resource, i64)] = &[
    (Resource::General, 500_000),
    (Resource::Access, 900_000),
    (Resource::Account, 530_000),
    (Resource::PaymentMethod, 533_000),
    (Resource::Invoice, 534_000),
    (Resource::DebitMemo, 535_000),
    (Resource::CreditMemo, 536_000),
    (Resource::Payment, 537_000),
    (Resource::PaymentRun, 532_000),
];

/// The last two digits; query parameters of object query have a category of their own.
const CATEGORIES: &[(Category, i64)] = &[
    (Category::Permission, 10),
    (Category::Authentication, 11),
    (Category::InvalidValue, 20),
    (Category::InvalidParameter, 20),
    (Category::BodyTooLarge, 20),
    (Category::UnknownField, 21),
    (Category::MissingField, 22),
    (Category::MissingParameter, 23),
    (Category::BusinessRule, 30),
    (Category::IdempotencyMismatch, 30),
    (Category::NotFound, 40),
    (Category::MethodNotAllowed, 45),
    (Category::NotAcceptable, 45),
    (Category::UnsupportedMediaType, 45),
    (Category::NotImplemented, 45),
    (Category::Conflict, 50),
    (Category::IdempotencyKeyInUse, 50),
    (Category::Gap, 50),
    (Category::Internal, 60),
    (Category::Temporary, 61),
    (Category::TimedOut, 61),
    (Category::OverLimit, 70),
    (Category::MalformedJson, 90),
    (Category::External, 99),
];

/// Category of a wrong filter, sort, field list or cursor in object query.
const QUERY_PARAMETER: i64 = 27;

impl Resource {
    /// The resource that a request on the v1 surfaces is about. Requests without a body count as general.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let mut parts = path.trim_start_matches('/').split('/');
        match (parts.next(), parts.next()) {
            (Some("oauth"), _) => Self::Access,
            _ if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => Self::General,
            (Some("v1"), Some("accounts")) => Self::Account,
            (Some("v1"), Some("payment-methods")) => Self::PaymentMethod,
            (Some("v1"), Some("invoices")) => Self::Invoice,
            (Some("v1"), Some("debit-memos")) => Self::DebitMemo,
            (Some("v1"), Some("credit-memos")) => Self::CreditMemo,
            (Some("v1"), Some("payments")) => Self::Payment,
            (Some("v1"), Some("payment-runs")) => Self::PaymentRun,
            _ => Self::General,
        }
    }
}

/// The eight-digit code of a v1 fault.
pub(crate) fn v1_code(resource: Resource, category: Category) -> i64 {
    let resource = match category {
        Category::Authentication => Resource::Access,
        Category::Internal
        | Category::Temporary
        | Category::TimedOut
        | Category::External
        | Category::OverLimit => Resource::General,
        _ => resource,
    };
    let first = RESOURCES.iter().find(|(listed, _)| *listed == resource).map_or(500_000, |(_, code)| *code);
    first * 100 + CATEGORIES.iter().find(|(listed, _)| *listed == category).map_or(60, |(_, code)| *code)
}

/// The eight-digit code of an object-query fault.
pub(crate) fn query_code(fault: &Fault) -> i64 {
    match (fault.category, fault.location) {
        (Category::InvalidParameter | Category::InvalidValue, Location::Query) => {
            50_000_000 + QUERY_PARAMETER
        }
        (category, _) => v1_code(Resource::General, category),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_eight_digits() {
        for (resource, _) in RESOURCES {
            for (category, digits) in CATEGORIES {
                let code = v1_code(*resource, *category);
                assert_eq!(code.to_string().len(), 8, "{resource:?} {category:?}");
                assert_eq!(code % 100, *digits);
            }
        }
        assert_eq!(v1_code(Resource::General, Category::NotFound), 50_000_040);
        assert_eq!(v1_code(Resource::PaymentRun, Category::Authentication), 90_000_011);
        assert_eq!(v1_code(Resource::PaymentRun, Category::Internal), 50_000_060);
        let of = |location| {
            let (field, message) = (String::new(), String::new());
            query_code(&Fault { location, field, message, category: Category::InvalidParameter })
        };
        assert_eq!((of(Location::Query), of(Location::Header)), (50_000_027, 50_000_020));
    }

    #[test]
    fn requests_without_a_body_have_the_general_resource() {
        let of = |method, path| Resource::of(&method, path);
        assert_eq!(of(Method::POST, "/v1/payment-runs"), Resource::PaymentRun);
        assert_eq!(of(Method::PUT, "/v1/debit-memos/DM1/post"), Resource::DebitMemo);
        assert_eq!(of(Method::GET, "/v1/payment-runs/PR-1"), Resource::General);
        assert_eq!(of(Method::DELETE, "/v1/payment-runs/PR-1"), Resource::General);
        assert_eq!(of(Method::POST, "/oauth/token"), Resource::Access);
        assert_eq!(of(Method::POST, "/v1/elsewhere"), Resource::General);
    }
}
