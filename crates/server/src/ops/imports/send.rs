//! Taking the lines of an import: while one batch is written, the next one is read.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use payment_runs_engine::import::{Import, Line, LineBatch, LineFormat, REFUSED_KEPT_MAX};
use payment_runs_engine::ports::{TakeLines, Taken};
use payment_runs_stubs::ops::send_import_lines;
use payment_runs_stubs::{Category, Location, Rejection, Stream};
use payment_runs_types::ops;

use super::lines::LineReader;
use super::{find, no_import, write};
use crate::auth::Standing;
use crate::call::Call;
use crate::failure::store_failure;
use crate::time::Zone;

/// Lines that are stored in one transaction.
const BATCH_LINES_MAX: usize = 1_000;

/// Bytes of lines that are stored in one transaction, so that long lines do not make batches that do not fit memory. The
/// bytes of one piece of the body may come on top.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of the body that are cut into lines at a time.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Takes lines, as many as the body holds.
pub(in crate::ops) async fn send(
    call: &Call<'_>,
    id: &str,
    first_line: Option<i64>,
    body: Stream,
) -> Result<ops::Import, Rejection> {
    let mut standing = Standing::of(call, &send_import_lines::OPERATION).await?;
    let mut import = find(call, id).await?;
    check_format(&import, &body)?;
    let first = first_line.and_then(|line| u64::try_from(line).ok()).unwrap_or(1);
    if first > import.next_line {
        return Err(gap(import.next_line));
    }
    let ids = Arc::clone(&call.app.ports.ids);
    let lines = LineReader::new(import.kind, import.format, ids, first, import.next_line);
    let mut reader = BatchReader {
        body: body.body,
        rest: Bytes::new(),
        lines,
        batch: Vec::new(),
        bytes: 0,
        is_read: false,
        broke_off: false,
    };
    let mut read: Option<LineBatch> = None;
    loop {
        let from = read.as_ref().map_or(import.next_line, |batch| batch.next_line);
        let (next, taken) = tokio::join!(reader.next(from), take(call, &import, read.take()));
        if let Some(taken) = taken? {
            import = taken;
        }
        let next = next?;
        if next.lines.is_empty() && next.next_line <= from {
            break;
        }
        // A body may take hours; what came before stays taken.
        standing.check().await?;
        read = Some(next);
    }
    reader.check()?;
    Ok(write(&import, &Zone::of(&call.settings().await?)))
}

/// Stores a batch, if there is one.
async fn take(
    call: &Call<'_>,
    import: &Import,
    batch: Option<LineBatch>,
) -> Result<Option<Import>, Rejection> {
    let Some(batch) = batch else { return Ok(None) };
    let (limiter, client, now) = (&call.app.limiter, &call.caller.client, call.app.now());
    // Which lines are refused is known only after they are stored, so room is reserved for all of them. A call that is cut off in
    // between does not return it.
    let lines = u64::try_from(batch.lines.len()).unwrap_or(u64::MAX);
    let wanted = lines.min(REFUSED_KEPT_MAX.saturating_sub(import.refused));
    let room = limiter.take_room_for_refused_lines(client, wanted, now);
    let lines = TakeLines {
        scope: call.scope().clone(),
        user: call.caller.user,
        now,
        import: import.id,
        batch,
        refused_kept_max: room,
    };
    let taken = call.app.ports.imports.take_lines(lines, Arc::clone(&call.app.ports.ids)).await;
    let after = if let Ok(Taken::Taken(after)) = &taken { after } else { import };
    let refused = after.refused.saturating_sub(import.refused);
    limiter.give_room_back(client, room.saturating_sub(refused), now);
    match taken {
        Ok(Taken::Taken(import)) => Ok(Some(import)),
        Ok(Taken::Gap { next_line }) => Err(gap(next_line)),
        Ok(Taken::Missing) => Err(no_import(&import.id.to_string())),
        Err(error) => Err(store_failure(&error)),
    }
}

fn check_format(import: &Import, body: &Stream) -> Result<(), Rejection> {
    let expected = match import.format {
        LineFormat::Named => "application/x-ndjson",
        LineFormat::Columns => "text/csv",
    };
    if body.content_type == expected {
        return Ok(());
    }
    let message = format!("the lines of this import are {expected}");
    Err(Rejection::at(Category::UnsupportedMediaType, Location::Body, "", message))
}

fn gap(next_line: u64) -> Rejection {
    let message = format!("must be at most {next_line}, the line to go on with");
    Rejection::at(Category::Gap, Location::Query, "first_line", message)
}

/// Reads a body batch by batch.
struct BatchReader {
    body: Body,
    /// What arrived and was not cut into lines yet.
    rest: Bytes,
    lines: LineReader,
    batch: Vec<Line>,
    /// The bytes of the lines of the batch.
    bytes: usize,
    /// The body was read to its end, or broke off.
    is_read: bool,
    broke_off: bool,
}

impl BatchReader {
    /// The next batch, which begins with line `first_line`; an empty one when the body has ended.
    async fn next(&mut self, first_line: u64) -> Result<LineBatch, Rejection> {
        while self.batch.len() < BATCH_LINES_MAX && self.bytes < BATCH_BYTES_MAX && !self.is_read {
            if self.rest.is_empty() {
                self.read().await?;
            }
            let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES_MAX));
            if !piece.is_empty() {
                self.cut(&piece)?;
            }
        }
        let rest = self.batch.split_off(self.batch.len().min(BATCH_LINES_MAX));
        let lines = std::mem::replace(&mut self.batch, rest);
        self.bytes = 0;
        let next_line = self.batch.first().map_or(self.lines.next_line(), |line| line.number);
        Ok(LineBatch { first_line, next_line: next_line.max(first_line), lines })
    }

    /// Reads on. What came before the body broke off stays: its whole lines are taken.
    async fn read(&mut self) -> Result<(), Rejection> {
        match self.body.frame().await {
            Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
            Some(Err(error)) => {
                tracing::info!(%error, "the lines of an import broke off");
                self.is_read = true;
                self.broke_off = true;
            }
            None => {
                self.is_read = true;
                self.cut(b"")?;
            }
        }
        Ok(())
    }

    fn cut(&mut self, piece: &[u8]) -> Result<(), Rejection> {
        let Self { lines, batch, bytes, .. } = self;
        lines.push(piece, |line, length| {
            *bytes += length;
            batch.push(line);
        })
    }

    /// Whether the body was read to its proper end.
    fn check(&self) -> Result<(), Rejection> {
        if !self.broke_off {
            return Ok(());
        }
        let message = "the body broke off or is not valid gzip; the lines before that are taken";
        Err(Rejection::new(Category::MalformedJson, message))
    }
}
