//! Permissions inside and on the wire, where they are the scopes of tokens.

use payment_runs_engine::ports::Permission;
use payment_runs_stubs::GrantedScopes;
use payment_runs_types::ops;

/// Each permission with its word, in the order in which they are told.
const WORDS: &[(Permission, ops::Permission)] = &[
    (Permission::Read, ops::Permission::Read),
    (Permission::WriteBillingObjects, ops::Permission::WriteBillingObjects),
    (Permission::ManagePaymentRuns, ops::Permission::ManagePaymentRuns),
    (Permission::ProcessElectronicPayment, ops::Permission::ProcessElectronicPayment),
    (Permission::Administer, ops::Permission::Administer),
];

/// The permissions that these words name, each once.
pub(crate) fn read_permissions(words: &[ops::Permission]) -> Vec<Permission> {
    WORDS.iter().filter(|(_, word)| words.contains(word)).map(|(permission, _)| *permission).collect()
}

/// The words of these permissions.
pub(crate) fn write_permissions(
    permissions: &[Permission],
) -> impl Iterator<Item = &'static ops::Permission> {
    WORDS.iter().filter(|(permission, _)| permissions.contains(permission)).map(|(_, word)| word)
}

/// What the generated handlers ask for.
pub(crate) fn scopes_of(permissions: &[Permission]) -> GrantedScopes {
    GrantedScopes(write_permissions(permissions).map(ops::Permission::as_str).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use payment_runs_stubs::{ops as ops_api, v1, v2};

    use super::*;

    #[test]
    fn every_permission_has_its_word() {
        assert_eq!(read_permissions(ops::Permission::ALL), Permission::ALL);
        assert!(write_permissions(&Permission::ALL).eq(ops::Permission::ALL));
    }

    /// A scope that no client can have would shut everybody out, and a permission that no operation needs would be none.
    #[test]
    fn the_scopes_of_the_operations_are_the_permissions() {
        let operations = [v1::OPERATIONS, v2::OPERATIONS, ops_api::OPERATIONS].concat();
        let asked: BTreeSet<&str> =
            operations.iter().flat_map(|operation| operation.scopes.concat()).collect();
        let given: BTreeSet<&str> = scopes_of(&Permission::ALL).0.into_iter().collect();
        assert_eq!(asked, given);
    }
}
