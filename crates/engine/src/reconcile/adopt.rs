//! To which documents a charge belongs that the ledger does not know.

use crate::charge_key::{self, Collected};
use crate::document::{Document, DocumentStatus};
use crate::ids::DocumentId;
use crate::money::Money;
use crate::payment::PaymentPart;
use crate::ports::{ListedCharge, ListedState};

/// What the ledger has of the account that a charge names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountBooks {
    /// The document that the charge names, wherever it belongs.
    pub named: Option<Document>,
    /// The account's open documents in the charge's currency, in the order in which they are paid.
    pub open: Vec<Document>,
}

/// What a charge becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adoption {
    /// A payment of these documents; what is left of it is unapplied.
    Documents(Vec<PaymentPart>),
    /// A standalone payment, which settles no document.
    Standalone,
    /// An unapplied payment that a person has to apply or release.
    Unmatched(String),
}

/// Decides what a charge becomes. `digest` stands for a list of documents as the charge's metadata do.
pub fn adopt(
    charge: &ListedCharge,
    money: Money,
    books: &AccountBooks,
    digest: &dyn Fn(&[DocumentId]) -> Option<String>,
) -> Adoption {
    let unmatched = |why: &str| Adoption::Unmatched(why.to_owned());
    if let Some(Collected::Record { .. }) = charge.key.as_deref().and_then(charge_key::parse) {
        return Adoption::Standalone;
    }
    let Some(first) = charge.subject.document else { return unmatched("it names no document") };
    let Some(named) = books.named.as_ref().filter(|one| one.id == first) else {
        return unmatched("its document is not in the ledger");
    };
    if Some(named.account) != charge.subject.account || named.currency != money.currency {
        return unmatched("its document belongs to another account or currency");
    }
    let found = match charge.subject.documents {
        None | Some(0 | 1) => vec![named],
        Some(count) => match find_several(books, first, count, charge, digest) {
            Some(found) => found,
            None => return unmatched("its documents cannot be told from its metadata"),
        },
    };
    if found.iter().any(|one| one.held_by.is_some()) {
        return match charge.state {
            // No money moved, so nothing has to be paid.
            ListedState::Declined { .. } => Adoption::Documents(Vec::new()),
            _ => unmatched("a payment in doubt has its document"),
        };
    }
    Adoption::Documents(allocate(&found, money.minor))
}

/// The documents of a consolidated payment: so many open ones in their order, from the named one on, that have the digest.
fn find_several<'a>(
    books: &'a AccountBooks,
    first: DocumentId,
    count: usize,
    charge: &ListedCharge,
    digest: &dyn Fn(&[DocumentId]) -> Option<String>,
) -> Option<Vec<&'a Document>> {
    let at = books.open.iter().position(|one| one.id == first)?;
    let found: Vec<&Document> = books.open[at..].iter().take(count).collect();
    let ids: Vec<DocumentId> = found.iter().map(|one| one.id).collect();
    let told = charge.subject.documents_digest.as_ref()?;
    (ids.len() == count && digest(&ids).as_ref() == Some(told)).then_some(found)
}

/// Pays the documents in their order, each at most what it owes now.
fn allocate(documents: &[&Document], amount_minor: i64) -> Vec<PaymentPart> {
    let mut left = amount_minor;
    let mut parts = Vec::with_capacity(documents.len());
    for document in documents.iter().filter(|one| one.status == DocumentStatus::Posted) {
        let part = document.balance_minor.min(left);
        if part > 0 {
            left -= part;
            parts.push(PaymentPart { document: document.id, amount_minor: part });
        }
    }
    parts
}
