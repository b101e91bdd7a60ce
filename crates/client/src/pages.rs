//! Lists as streams: one page is fetched when the one before it is used up.

use std::future::Future;

use futures_util::{Stream, TryStreamExt as _, stream};
use payment_runs_types::{ops as ops_types, v1 as v1_types, v2 as v2_types};

use crate::{Error, ops, v1, v2};

/// Records on a page of v1, the most that a server gives.
const V1_PAGE_SIZE: i64 = 40;

/// Records on a page of v2, of object query and of the operations API, the most that a server gives.
const CURSOR_PAGE_SIZE: i32 = 99;

/// A list with more pages than this is taken for an endless one.
const PAGES_MAX: i64 = 1_000_000;

/// What the stream does next.
enum Next<P> {
    Fetch(P),
    Done,
}

impl v1::Client {
    /// All payment runs, highest number first. For filters, see
    /// [`ListPaymentRuns::stream`](v1::payment_runs::ListPaymentRuns::stream).
    pub fn payment_runs(&self) -> impl Stream<Item = Result<v1_types::PaymentRun, Error>> + '_ {
        self.list_payment_runs().stream()
    }
}

impl<'a> v1::payment_runs::ListPaymentRuns<'a> {
    /// The payment runs of all pages. Asks for full pages unless `page_size` was set; a `page` that was set is ignored.
    pub fn stream(mut self) -> impl Stream<Item = Result<v1_types::PaymentRun, Error>> + 'a {
        if matches!(self.page_size, Ok(None)) {
            self.page_size = Ok(Some(V1_PAGE_SIZE));
        }
        numbered(move |page| {
            let call = self.clone().page(page);
            async move {
                let answer = call.send().await?.into_inner();
                Ok((answer.payment_runs, answer.next_page.is_some()))
            }
        })
    }
}

impl<'a> v1::payments::ListPayments<'a> {
    /// The payments of all pages. Asks for full pages unless `page_size` was set; a `page` that was set is ignored.
    pub fn stream(mut self) -> impl Stream<Item = Result<v1_types::Payment, Error>> + 'a {
        if matches!(self.page_size, Ok(None)) {
            self.page_size = Ok(Some(V1_PAGE_SIZE));
        }
        numbered(move |page| {
            let call = self.clone().page(page);
            async move {
                let answer = call.send().await?.into_inner();
                Ok((answer.payments, answer.next_page.is_some()))
            }
        })
    }
}

impl<'a> v1::object_query::QueryPaymentRuns<'a> {
    /// The payment runs of all pages, from the `cursor` on if one was set. Asks for full pages unless `page_size` was set.
    pub fn stream(mut self) -> impl Stream<Item = Result<v1_types::ExpandedPaymentRun, Error>> + 'a {
        if matches!(self.page_size, Ok(None)) {
            self.page_size = Ok(Some(CURSOR_PAGE_SIZE));
        }
        by_cursor(move |cursor| {
            let call = continued(self.clone(), cursor, Self::cursor);
            async move {
                let answer = call.send().await?.into_inner();
                Ok((answer.data, answer.next_page.flatten()))
            }
        })
    }
}

impl v2::Client {
    /// All payment runs, newest first. For filters, see
    /// [`ListPaymentRuns::stream`](v2::payment_runs::ListPaymentRuns::stream).
    pub fn payment_runs(&self) -> impl Stream<Item = Result<v2_types::PaymentRun, Error>> + '_ {
        self.list_payment_runs().stream()
    }
}

impl<'a> v2::payment_runs::ListPaymentRuns<'a> {
    /// The payment runs of all pages, from the `cursor` on if one was set. Asks for full pages unless `page_size` was set.
    pub fn stream(mut self) -> impl Stream<Item = Result<v2_types::PaymentRun, Error>> + 'a {
        if matches!(self.page_size, Ok(None)) {
            self.page_size = Ok(Some(CURSOR_PAGE_SIZE));
        }
        by_cursor(move |cursor| {
            let call = continued(self.clone(), cursor, Self::cursor);
            async move {
                let answer = call.send().await?.into_inner();
                Ok((answer.data, answer.next_page.flatten()))
            }
        })
    }
}

/// Gives calls of the operations API that answer pages a stream over all of them.
macro_rules! pages_by_cursor {
    ($($call:ty => $item:ty;)*) => { $(
        impl<'a> $call {
            /// The records of all pages, from the `cursor` on if one was set. Asks for full pages unless `page_size` was
            /// set.
            pub fn stream(mut self) -> impl Stream<Item = Result<$item, Error>> + 'a {
                if matches!(self.page_size, Ok(None)) {
                    self.page_size = Ok(Some(CURSOR_PAGE_SIZE));
                }
                by_cursor(move |cursor| {
                    let call = continued(self.clone(), cursor, Self::cursor);
                    async move {
                        let answer = call.send().await?.into_inner();
                        Ok((answer.data, answer.next_page))
                    }
                })
            }
        }
    )* };
}

pages_by_cursor! {
    ops::administration::ListClients<'a> => ops_types::Client;
    ops::audit::ListAuditRecords<'a> => ops_types::AuditRecord;
    ops::imports::ListImportFaults<'a> => ops_types::ImportFault;
    ops::imports::ListImports<'a> => ops_types::Import;
    ops::payment_runs::ListDecisions<'a> => ops_types::Decision;
    ops::payment_runs::ListPaymentRunPayments<'a> => ops_types::Payment;
    ops::payments::ListPayments<'a> => ops_types::Payment;
    ops::schedules::ListSchedules<'a> => ops_types::Schedule;
    ops::webhooks::ListDeliveries<'a> => ops_types::Delivery;
}

/// The first page is asked for as the caller set the call up; later ones from their cursor.
fn continued<B>(call: B, cursor: Option<String>, set: impl Fn(B, String) -> B) -> B {
    match cursor {
        Some(cursor) => set(call, cursor),
        None => call,
    }
}

/// A list of numbered pages. `fetch` answers a page's records and whether another page follows.
fn numbered<T, F, Fut>(fetch: F) -> impl Stream<Item = Result<T, Error>>
where
    F: Fn(i64) -> Fut,
    Fut: Future<Output = Result<(Vec<T>, bool), Error>>,
{
    pages(1, move |page: i64| {
        let fetched = fetch(page);
        async move {
            let (records, more) = fetched.await?;
            if !more {
                return Ok((records, Next::Done));
            }
            if page >= PAGES_MAX {
                return Err(Error::Pages(format!("page {page} still has one after it")));
            }
            Ok((records, Next::Fetch(page + 1)))
        }
    })
}

/// A list of pages that each name the next one. `fetch` answers a page's records and the cursor of the next page.
fn by_cursor<T, F, Fut>(fetch: F) -> impl Stream<Item = Result<T, Error>>
where
    F: Fn(Option<String>) -> Fut,
    Fut: Future<Output = Result<(Vec<T>, Option<String>), Error>>,
{
    pages((None, 1), move |(cursor, page): (Option<String>, i64)| {
        let fetched = fetch(cursor.clone());
        async move {
            let (records, next) = fetched.await?;
            match next {
                None => Ok((records, Next::Done)),
                Some(next) if Some(&next) == cursor.as_ref() || page >= PAGES_MAX => {
                    Err(Error::Pages(format!("page {page} names `{next}` as the next one")))
                }
                Some(next) => Ok((records, Next::Fetch((Some(next), page + 1)))),
            }
        }
    })
}

fn pages<P, T, F, Fut>(first: P, fetch: F) -> impl Stream<Item = Result<T, Error>>
where
    F: Fn(P) -> Fut,
    Fut: Future<Output = Result<(Vec<T>, Next<P>), Error>>,
{
    stream::try_unfold((Next::Fetch(first), fetch), |(next, fetch)| async move {
        let Next::Fetch(page) = next else { return Ok::<_, Error>(None) };
        let (records, next) = fetch(page).await?;
        Ok(Some((stream::iter(records.into_iter().map(Ok)), (next, fetch))))
    })
    .try_flatten()
}
