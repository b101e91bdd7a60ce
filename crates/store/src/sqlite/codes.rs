//! The small integers by which enumerations are stored. A code, once given, is never given to another value.

use payment_runs_engine::account::AccountStatus;
use payment_runs_engine::audit::EventKind;
use payment_runs_engine::document::{DocumentKind, DocumentStatus};
use payment_runs_engine::import::{ImportKind, LineFormat};
use payment_runs_engine::notify::{DeliveryState, NotificationKind};
use payment_runs_engine::payment::{PaymentKind, PaymentState};
use payment_runs_engine::payment_method::{PaymentMethodKind, PaymentMethodStatus, TransactionResult};
use payment_runs_engine::ports::ChunkStage;
use payment_runs_engine::run::{RunStatus, SkipReason};
use payment_runs_engine::run_schedule::ScheduleStatus;

use super::failure::Failure;

/// A value that is stored as a small integer.
pub(crate) trait Code: Copy + Sized {
    fn code(self) -> i64;
    fn from_code(code: i64) -> Result<Self, Failure>;
}

macro_rules! codes {
    ($($name:ident { $($variant:ident = $code:literal),+ $(,)? })+) => {$(
        impl Code for $name {
            fn code(self) -> i64 {
                match self { $(Self::$variant => $code),+ }
            }
            fn from_code(code: i64) -> Result<Self, Failure> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    other => Err(Failure::Corrupt(format!(concat!(stringify!($name), " {}"), other))),
                }
            }
        }
    )+};
}

codes! {
    AccountStatus { Draft = 0, Active = 1, Canceled = 2 }
    ChunkStage { Ready = 0, Planned = 1, Done = 2 }
    DeliveryState { Waiting = 0, Delivered = 1, Failed = 2 }
    DocumentKind { Invoice = 0, DebitMemo = 1 }
    DocumentStatus { Draft = 0, Posted = 1, Canceled = 2 }
    EventKind {
        RunCreated = 0, RunUpdated = 1, RunStarted = 2, RunEnded = 3, RunFailed = 4, RunCanceled = 5, RunDeleted = 6,
        ChunkPlanned = 7, PaymentCreated = 8, PaymentSettled = 9, RunStopRequested = 10, RunStopped = 11,
        PaymentResolved = 12, PaymentMatched = 13, ScheduleCreated = 20, ScheduleUpdated = 21, ScheduleEnded = 22,
        OccurrenceCreated = 23, ImportCreated = 30, ImportLinesTaken = 31, WebhookCreated = 40, WebhookUpdated = 41,
        WebhookDeleted = 42, DeliveryReplayed = 43,
    }
    NotificationKind { RunEnded = 0, PaymentProcessed = 1, PaymentDeclined = 2 }
    ImportKind { Accounts = 0, PaymentMethods = 1, Documents = 2, Credits = 3 }
    LineFormat { Named = 0, Columns = 1 }
    PaymentKind { Electronic = 0, External = 1 }
    PaymentMethodKind { CreditCard = 0, CreditCardReferenceTransaction = 1, Ach = 2, Sepa = 3, Other = 4 }
    PaymentMethodStatus { Active = 0, Closed = 1, Scrubbed = 2 }
    PaymentState { Intent = 0, Pending = 1, Unknown = 2, Processed = 3, Declined = 4, Canceled = 5 }
    RunStatus { Pending = 0, Processing = 1, Completed = 2, Error = 3, Canceled = 4 }
    ScheduleStatus { Active = 0, Ended = 1 }
    SkipReason {
        AutoPayOffAccount = 0, AutoPayOffDocument = 1, AccountInactive = 2, NoPaymentMethod = 3,
        PaymentMethodClosed = 4, GatewayInactive = 5, NoGateway = 6, RetryRule = 7, PaymentInProgress = 8,
        CreditNotApplied = 9, ZeroAmount = 10, CurrencyMismatch = 11, Stopped = 12,
    }
    TransactionResult { Approved = 0, Declined = 1 }
}
