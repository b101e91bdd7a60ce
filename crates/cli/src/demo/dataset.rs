//! The data of the demo: a standard set of customers and orders at any scale, turned into accounts with cards and into
//! posted invoices. The same scale gives the same data every time.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use payment_runs_engine::account::{Account, AccountStatus, Stamps};
use payment_runs_engine::command::Load;
use payment_runs_engine::document::{Document, DocumentKind, DocumentStatus};
use payment_runs_engine::ids::{AccountId, DocumentId, PaymentMethodId, UserId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment_method::{
    Instrument, PaymentMethod, PaymentMethodKind, PaymentMethodStatus,
};
use tpchgen::distribution::Distributions;
use tpchgen::generators::{
    Customer, CustomerGenerator, CustomerGeneratorIterator, Order, OrderGenerator, OrderGeneratorIterator,
};
use tpchgen::text::TextPool;

/// Customers at scale 1.
const CUSTOMERS_AT_SCALE_1: i32 = 150_000;
/// The smallest scale: 15 customers and 150 orders, so that there is something to see.
const SCALE_MIN: f64 = 0.0001;
/// The largest scale: 150 million orders.
const SCALE_MAX: f64 = 100.0;
/// The generator draws its comments from a text of this many bytes. They are not used, so a short one will do.
const TEXT_BYTES: i32 = 64 * 1024;

/// Accounts in one transaction of the loading.
const ACCOUNTS_PER_BATCH: usize = 500;
/// Invoices in one transaction of the loading.
const INVOICES_PER_BATCH: usize = 2_000;

/// What distinguishes the identifiers of the three kinds of object; the rest of an identifier is the key in the data set.
const ACCOUNT_SPACE: u128 = 0x0ac0_c0de_0000_7000_8000_0000_0000_0000;
const METHOD_SPACE: u128 = 0x0ca4_d000_0000_7000_8000_0000_0000_0000;
const INVOICE_SPACE: u128 = 0x0d0c_0000_0000_7000_8000_0000_0000_0000;

/// The user in whose name the data is loaded.
const LOADER: UserId = UserId::from_u128(0x010a_de40_0000_7000_8000_0000_0000_0001);

/// How large the data set is, relative to the standard size of 150,000 customers and 1,500,000 orders.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale(f64);

/// A text that is no scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParseScaleError;

impl std::fmt::Display for ParseScaleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a scale is a number from {SCALE_MIN} to {SCALE_MAX}; 0.01 stands for 15,000 orders")
    }
}

impl std::error::Error for ParseScaleError {}

impl FromStr for Scale {
    type Err = ParseScaleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scale: f64 = text.parse().map_err(|_| ParseScaleError)?;
        // Also refuses what is not a number, which lies in no range.
        if (SCALE_MIN..=SCALE_MAX).contains(&scale) { Ok(Self(scale)) } else { Err(ParseScaleError) }
    }
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// How a customer's card and account behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Manner {
    token: &'static str,
    mask: &'static str,
    auto_pay: bool,
    status: PaymentMethodStatus,
}

const GOOD: Manner = Manner {
    token: "pm_card_visa",
    mask: "************4242",
    auto_pay: true,
    status: PaymentMethodStatus::Active,
};
const DECLINES: Manner = Manner { token: "pm_card_chargeCustomerFail", mask: "************0341", ..GOOD };
const INSUFFICIENT_FUNDS: Manner =
    Manner { token: "pm_card_chargeDeclinedInsufficientFunds", mask: "************9995", ..GOOD };
const EXPIRED: Manner =
    Manner { token: "pm_card_chargeDeclinedExpiredCard", mask: "************0069", ..GOOD };
const PAYS_WHEN_ASKED: Manner = Manner { auto_pay: false, ..GOOD };
const CLOSED: Manner = Manner { status: PaymentMethodStatus::Closed, ..GOOD };

/// Of every [`MANNER_CYCLE`] customers, those with these remainders are not good ones: 3 % are declined and 3 % are skipped.
const MANNERS: &[(i64, Manner)] = &[
    (7, DECLINES),
    (17, INSUFFICIENT_FUNDS),
    (29, EXPIRED),
    (37, PAYS_WHEN_ASKED),
    (61, PAYS_WHEN_ASKED),
    (83, CLOSED),
];
const MANNER_CYCLE: i64 = 100;

fn manner_of(customer: i64) -> Manner {
    let place = customer.rem_euclid(MANNER_CYCLE);
    MANNERS.iter().find(|(at, _)| *at == place).map_or(GOOD, |(_, manner)| *manner)
}

/// What one invoice owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owed {
    /// The invoice.
    pub(crate) document: DocumentId,
    /// Minor units of US dollars.
    pub(crate) amount_minor: i64,
}

/// The data set.
#[derive(Debug)]
pub(crate) struct Dataset {
    scale: Scale,
    text: TextPool,
    stamps: Stamps,
    posted_at: Timestamp,
}

impl Dataset {
    /// The data set at this scale, as if it had been entered at that time (UTC).
    pub(crate) fn new(scale: Scale, now: Timestamp) -> Self {
        let text = TextPool::new(TEXT_BYTES, Distributions::static_default());
        Self { scale, text, stamps: Stamps::new(now, LOADER), posted_at: now }
    }

    /// The last day on which an invoice of the data set may be due.
    pub(crate) fn target_date() -> Date {
        Date::constant(1998, 12, 31)
    }

    /// How many accounts and invoices there are in all.
    pub(crate) fn objects(&self) -> u64 {
        self.accounts_total() + self.invoices_total()
    }

    /// How many invoices there are.
    pub(crate) fn invoices_total(&self) -> u64 {
        count(OrderGenerator::SCALE_BASE, self.scale)
    }

    /// How many accounts there are.
    pub(crate) fn accounts_total(&self) -> u64 {
        count(CUSTOMERS_AT_SCALE_1, self.scale)
    }

    /// All accounts with their cards, in batches of bounded size.
    pub(crate) fn accounts(&self) -> AccountBatches<'_> {
        let words = Distributions::static_default();
        let customers =
            CustomerGenerator::new_with_distributions_and_text_pool(self.scale.0, 1, 1, words, &self.text);
        AccountBatches { dataset: self, customers: customers.iter() }
    }

    /// All invoices in the order of their identifiers, in batches of bounded size.
    pub(crate) fn invoices(&self) -> InvoiceBatches<'_> {
        let words = Distributions::static_default();
        let orders =
            OrderGenerator::new_with_distributions_and_text_pool(self.scale.0, 1, 1, words, &self.text);
        InvoiceBatches { dataset: self, orders: orders.iter() }
    }

    fn account(&self, customer: &Customer<'_>, method: &PaymentMethod, manner: Manner) -> Account {
        Account {
            id: account_id(customer.c_custkey),
            number: format!("C{:09}", customer.c_custkey),
            name: customer.c_name.to_string(),
            currency: Currency::USD,
            auto_pay: manner.auto_pay,
            batch: Some(format!("Batch{}", customer.c_nationkey + 1)),
            bill_cycle_day: u8::try_from(customer.c_custkey.rem_euclid(31) + 1).unwrap_or(1),
            gateway: None,
            default_payment_method: Some(method.id),
            status: AccountStatus::Active,
            organization: None,
            credit_balance_minor: 0,
            stamps: self.stamps,
        }
    }

    fn payment_method(&self, customer: &Customer<'_>, manner: Manner) -> PaymentMethod {
        PaymentMethod {
            status: manner.status,
            ..PaymentMethod::unused(
                PaymentMethodId::from_u128(METHOD_SPACE | key_part(customer.c_custkey)),
                Some(account_id(customer.c_custkey)),
                (
                    PaymentMethodKind::CreditCardReferenceTransaction,
                    "CreditCardReferenceTransaction".to_owned(),
                ),
                Instrument {
                    mask: Some(manner.mask.to_owned()),
                    brand: Some("Visa".to_owned()),
                    expiration_month: Some(12),
                    expiration_year: Some(2099),
                    holder_name: Some(customer.c_name.to_string()),
                    token: Some(manner.token.to_owned()),
                    customer: None,
                },
                self.stamps,
            )
        }
    }

    fn invoice(&self, order: &Order<'_>) -> Document {
        let amount_minor = order.o_totalprice.into_inner();
        let due_date = civil_date(order.o_orderdate.to_unix_epoch());
        Document {
            id: DocumentId::from_u128(INVOICE_SPACE | key_part(order.o_orderkey)),
            number: format!("ORD{:09}", order.o_orderkey),
            kind: DocumentKind::Invoice,
            account: account_id(order.o_custkey),
            status: DocumentStatus::Posted,
            currency: Currency::USD,
            amount_minor,
            balance_minor: amount_minor,
            paid_minor: 0,
            credited_minor: 0,
            document_date: due_date,
            due_date,
            auto_pay: true,
            bill_run: None,
            payment_method: None,
            held_by: None,
            comment: None,
            reason_code: None,
            posted_at: Some(self.posted_at),
            stamps: self.stamps,
        }
    }
}

/// Batches of accounts with their cards.
pub(crate) struct AccountBatches<'a> {
    dataset: &'a Dataset,
    customers: CustomerGeneratorIterator<'a>,
}

impl Iterator for AccountBatches<'_> {
    type Item = Load;

    fn next(&mut self) -> Option<Load> {
        let mut load = Load::default();
        for customer in self.customers.by_ref().take(ACCOUNTS_PER_BATCH) {
            let manner = manner_of(customer.c_custkey);
            let method = self.dataset.payment_method(&customer, manner);
            load.accounts.push(self.dataset.account(&customer, &method, manner));
            load.payment_methods.push(method);
        }
        (!load.accounts.is_empty()).then_some(load)
    }
}

/// Batches of invoices.
pub(crate) struct InvoiceBatches<'a> {
    dataset: &'a Dataset,
    orders: OrderGeneratorIterator<'a>,
}

impl Iterator for InvoiceBatches<'_> {
    type Item = Load;

    fn next(&mut self) -> Option<Load> {
        let orders = self.orders.by_ref().take(INVOICES_PER_BATCH);
        let documents: Vec<Document> = orders.map(|order| self.dataset.invoice(&order)).collect();
        (!documents.is_empty()).then(|| Load { documents, ..Load::default() })
    }
}

fn count(at_scale_1: i32, scale: Scale) -> u64 {
    let rows = tpchgen::dates::GenerateUtils::calculate_row_count(at_scale_1, scale.0, 1, 1);
    u64::try_from(rows).unwrap_or(0)
}

fn key_part(key: i64) -> u128 {
    u128::from(key.unsigned_abs())
}

fn account_id(customer: i64) -> AccountId {
    AccountId::from_u128(ACCOUNT_SPACE | key_part(customer))
}

/// The day that lies so many days after 1970-01-01.
fn civil_date(days: i32) -> Date {
    Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().days(days))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use std::collections::BTreeSet;

    use super::*;

    fn dataset(scale: &str) -> Dataset {
        Dataset::new(scale.parse().unwrap(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_scale_is_a_number_in_range() {
        for (text, fits) in [
            ("0.01", true),
            ("0.0001", true),
            ("100", true),
            ("0", false),
            ("-1", false),
            ("NaN", false),
            ("x", false),
            ("101", false),
        ] {
            assert_eq!(text.parse::<Scale>().is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn the_counts_are_those_of_the_data() {
        let dataset = dataset("0.001");
        let accounts: usize = dataset.accounts().map(|load| load.accounts.len()).sum();
        let invoices: usize = dataset.invoices().map(|load| load.documents.len()).sum();
        assert_eq!((accounts, invoices), (150, 1_500));
        assert_eq!(
            (dataset.accounts_total(), dataset.invoices_total(), dataset.objects()),
            (150, 1_500, 1_650)
        );
    }

    #[test]
    fn batches_are_bounded_and_the_same_every_time() {
        let dataset = dataset("0.01");
        let accounts: Vec<Load> = dataset.accounts().collect();
        assert!(accounts.iter().all(|load| load.accounts.len() <= ACCOUNTS_PER_BATCH));
        let invoices: Vec<Load> = dataset.invoices().collect();
        assert!(invoices.iter().all(|load| load.documents.len() <= INVOICES_PER_BATCH));
        assert!(invoices.len() > 1);
        assert_eq!(invoices, dataset.invoices().collect::<Vec<_>>());
    }

    #[test]
    fn every_invoice_is_owed_by_an_account_and_due() {
        let dataset = dataset("0.001");
        let known: BTreeSet<AccountId> =
            dataset.accounts().flat_map(|load| load.accounts).map(|account| account.id).collect();
        let invoices: Vec<Document> = dataset.invoices().flat_map(|load| load.documents).collect();
        assert!(invoices.is_sorted_by(|earlier, later| earlier.id < later.id));
        for invoice in invoices {
            assert!(known.contains(&invoice.account), "{}", invoice.number);
            assert!(invoice.due_date <= Dataset::target_date(), "{}", invoice.due_date);
            assert!(invoice.balance_minor > 0 && invoice.balance_minor == invoice.amount_minor);
        }
    }

    #[test]
    fn every_manner_occurs() {
        let methods: Vec<PaymentMethod> =
            dataset("0.001").accounts().flat_map(|load| load.payment_methods).collect();
        for (_, manner) in MANNERS {
            assert!(methods.iter().any(|method| method.instrument.token.as_deref() == Some(manner.token)));
        }
        assert!(methods.iter().any(|method| method.status == PaymentMethodStatus::Closed));
    }

    #[test]
    fn the_first_order_is_the_published_one() {
        let first = dataset("0.01").invoices().next().unwrap().documents[0].clone();
        assert_eq!(first.number, "ORD000000001");
        assert_eq!(first.due_date, Date::constant(1996, 1, 2));
    }
}
