//! Allocation: which credit pays how much of which document. Pure, checked, and never across currencies.
//!
//! Credit memos are used first, then unapplied payments, each oldest first; or, where invoices are not settled by memos,
//! the account's credit balance. Documents take their turn by due date, then number.

use crate::document::{Document, DocumentStatus};
use crate::ids::AccountId;
use crate::money::Currency;
use crate::payment::PaymentState;
use crate::plan::{AccountView, CreditSource, CreditUse, RunRules};

/// What is left of one credit.
#[derive(Debug, Clone, Copy)]
struct Slot {
    source: CreditSource,
    currency: Currency,
    left_minor: i64,
}

/// The credits of one account that a run may use, in the order in which they are used.
#[derive(Debug, Clone)]
pub struct CreditPool {
    account: AccountId,
    slots: Vec<Slot>,
}

impl CreditPool {
    /// The account's credits that the run's options allow.
    pub fn new(rules: &RunRules, view: &AccountView) -> Self {
        let options = rules.run.options;
        let mut slots = Vec::new();
        if options.auto_apply_credit_memo {
            slots.extend(memo_slots(view));
        }
        if options.auto_apply_unapplied_payment {
            slots.extend(payment_slots(view));
        }
        if options.apply_credit_balance && !rules.settings.invoice_settlement {
            slots.push(Slot {
                source: CreditSource::CreditBalance(view.account.id),
                currency: view.account.currency,
                left_minor: view.account.credit_balance_minor,
            });
        }
        slots.retain(|slot| slot.left_minor > 0);
        Self { account: view.account.id, slots }
    }

    /// Takes credits of the document's currency, at most `want_minor` in all.
    pub fn take(&mut self, document: &Document, want_minor: i64, record: Option<u32>) -> Vec<CreditUse> {
        let mut uses = Vec::new();
        let mut open_minor = want_minor;
        for slot in self.slots.iter_mut().filter(|slot| slot.currency == document.currency) {
            let amount_minor = slot.left_minor.min(open_minor);
            if amount_minor > 0 {
                slot.left_minor -= amount_minor;
                open_minor -= amount_minor;
                let (source, account) = (slot.source, self.account);
                uses.push(CreditUse { source, account, document: document.id, amount_minor, record });
            }
        }
        uses
    }
}

/// Posted credit memos of the account, oldest first.
fn memo_slots(view: &AccountView) -> impl Iterator<Item = Slot> {
    let mut memos: Vec<_> = view
        .credit_memos
        .iter()
        .filter(|memo| memo.status == DocumentStatus::Posted && memo.account == view.account.id)
        .collect();
    memos.sort_by(|a, b| (a.effective_date, &a.number, a.id).cmp(&(b.effective_date, &b.number, b.id)));
    memos.into_iter().map(|memo| Slot {
        source: CreditSource::CreditMemo(memo.id),
        currency: memo.currency,
        left_minor: memo.unapplied_minor,
    })
}

/// Processed payments of the account, oldest first. Standalone ones can never be applied.
fn payment_slots(view: &AccountView) -> impl Iterator<Item = Slot> {
    let mut payments: Vec<_> = view
        .unapplied_payments
        .iter()
        .filter(|payment| payment.state == PaymentState::Processed && !payment.standalone)
        .filter(|payment| payment.account == view.account.id)
        .collect();
    payments.sort_by(|a, b| (a.effective_date, &a.number, a.id).cmp(&(b.effective_date, &b.number, b.id)));
    payments.into_iter().map(|payment| Slot {
        source: CreditSource::UnappliedPayment(payment.id),
        currency: payment.currency,
        left_minor: payment.unapplied_minor,
    })
}

/// Sorts documents into the order in which money reaches them: by due date, then number, then identifier.
pub fn sort_documents(documents: &mut [&Document]) {
    documents.sort_by(|a, b| (a.due_date, &a.number, a.id).cmp(&(b.due_date, &b.number, b.id)));
}
