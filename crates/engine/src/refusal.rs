//! Why a command was refused: the caller's fault, named so that the caller can mend it.

use crate::money::MoneyError;

/// A kind of object, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    /// An account.
    Account,
    /// A payment method.
    PaymentMethod,
    /// An invoice.
    Invoice,
    /// A debit memo.
    DebitMemo,
    /// A credit memo.
    CreditMemo,
    /// A payment.
    Payment,
    /// A payment run.
    PaymentRun,
    /// A payment gateway.
    PaymentGateway,
    /// An organization.
    Organization,
    /// A schedule.
    Schedule,
}

impl Noun {
    /// The noun in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::PaymentMethod => "payment method",
            Self::Invoice => "invoice",
            Self::DebitMemo => "debit memo",
            Self::CreditMemo => "credit memo",
            Self::Payment => "payment",
            Self::PaymentRun => "payment run",
            Self::PaymentGateway => "payment gateway",
            Self::Organization => "organization",
            Self::Schedule => "schedule",
        }
    }
}

/// A field of a command, in the engine's own names; each API writes its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The object that the path names.
    Path,
    /// Account.
    Account,
    /// Batch.
    Batch,
    /// Bill cycle day.
    BillCycleDay,
    /// Bill run.
    BillRun,
    /// Currency.
    Currency,
    /// Gateway.
    Gateway,
    /// Target date.
    TargetDate,
    /// Run date.
    RunDate,
    /// Data records; the position is inside the refusal.
    Data,
    /// Credit balance.
    ApplyCreditBalance,
    /// Credit memos.
    AutoApplyCreditMemo,
    /// Unapplied payments.
    AutoApplyUnappliedPayment,
    /// Organizations.
    Organizations,
    /// Number.
    Number,
    /// Name.
    Name,
    /// Amount.
    Amount,
    /// Default payment method or payment method.
    PaymentMethod,
    /// Auto-pay.
    AutoPay,
    /// Items or charges.
    Items,
    /// Documents that a payment pays.
    Parts,
    /// What is still owed of an amount.
    Balance,
    /// Credit balance of an account.
    CreditBalance,
    /// Due date.
    DueDate,
    /// Status.
    Status,
    /// When the runs of a schedule start.
    Recurrence,
    /// Comment.
    Comment,
}

/// One reason for a refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing has this identifier or number, in the caller's scope.
    #[error("there is no {} `{key}`", noun.words())]
    NotFound {
        /// What was looked for.
        noun: Noun,
        /// The caller's key.
        key: String,
        /// Which field named it; [`Field::Path`] makes the answer 404.
        field: Field,
    },
    /// Two fields exclude each other.
    #[error("it excludes another field that is given")]
    Excludes {
        /// The field.
        field: Field,
        /// The other one.
        other: Field,
    },
    /// One of several fields is needed.
    #[error("one of the fields is needed")]
    OneNeeded {
        /// The fields.
        fields: &'static [Field],
    },
    /// The number is taken.
    #[error("the number `{number}` is taken")]
    NumberTaken {
        /// Of which kind.
        noun: Noun,
        /// The number.
        number: String,
    },
    /// The object is in a state that does not allow this.
    #[error("the {} is {state}", noun.words())]
    WrongState {
        /// Which object.
        noun: Noun,
        /// The state it is in.
        state: String,
    },
    /// A value is not allowed.
    #[error("{message}")]
    Invalid {
        /// Which field.
        field: Field,
        /// Why, as a sentence.
        message: String,
    },
    /// An amount is not allowed.
    #[error("the amount is not allowed")]
    Money {
        /// Which field.
        field: Field,
        /// Why.
        #[source]
        source: MoneyError,
    },
    /// A payment for the document is not decided yet.
    #[error("a payment for {} `{number}` is in progress", noun.words())]
    InProgress {
        /// Which object.
        noun: Noun,
        /// Its number.
        number: String,
    },
}
