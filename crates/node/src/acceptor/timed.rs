//! Bodies and streams that end when their client takes too long.

#![expect(clippy::disallowed_methods, reason = "a client's silence is measured in real time")]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::{BoxError, body::HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::bounds::{ConnectionBounds, LINGER_BYTES_MAX, LINGER_TIMEOUT};
use super::early::Abandoned;

/// A request's body, with a bound for each pause and one for the whole.
pub(super) struct TimedBody {
    body: Incoming,
    pause_max: Duration,
    pause: Pin<Box<Sleep>>,
    whole: Pin<Box<Sleep>>,
}

/// A body that took too long.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive in time")]
struct TooSlow;

impl TimedBody {
    pub(super) fn new(body: Incoming, bounds: &ConnectionBounds) -> Self {
        let pause_max = bounds.body_pause_timeout;
        Self {
            body,
            pause_max,
            pause: Box::pin(sleep(pause_max)),
            whole: Box::pin(sleep(bounds.body_timeout)),
        }
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // Asked first, because a sender who trickles always has something to read.
        if self.whole.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(TooSlow.into())));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let deadline = Instant::now() + self.pause_max;
            self.pause.as_mut().reset(deadline);
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        self.pause.as_mut().poll(context).map(|()| Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that ends when the other side reads nothing of what it is sent.
#[derive(Debug)]
pub(super) struct TimedStream<S> {
    stream: S,
    pause_max: Duration,
    /// Since when nothing could be written; `None` while things go well.
    pause: Option<Pin<Box<Sleep>>>,
    abandoned: Abandoned,
    /// Everything was written, and what the other side still sends is dropped.
    linger: Option<Linger>,
}

/// How much longer, and for how many more bytes.
#[derive(Debug)]
struct Linger {
    end: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl<S> TimedStream<S> {
    /// When `abandoned` is set, the stream is closed only after its other side has stopped to send.
    pub(super) fn new(stream: S, bounds: &ConnectionBounds, abandoned: Abandoned) -> Self {
        Self { stream, pause_max: bounds.write_pause_timeout, pause: None, abandoned, linger: None }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.pause = None;
            return written;
        }
        let pause_max = self.pause_max;
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + pause_max)));
        pause.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> TimedStream<S> {
    /// Drops what the other side sends, until it stops or a bound is reached.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(linger) = &mut self.linger else { return Poll::Ready(()) };
        let mut space = [0; 8 * 1024];
        while linger.end.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut space);
            let read = std::task::ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            let bytes = buffer.filled().len();
            if read.is_err() || bytes == 0 || bytes >= linger.bytes_left {
                break;
            }
            linger.bytes_left -= bytes;
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            let closed = Pin::new(&mut self.stream).poll_shutdown(context);
            std::task::ready!(self.watch(context, closed))?;
            if !self.abandoned.is_set() {
                return Poll::Ready(Ok(()));
            }
            let end = Box::pin(sleep(LINGER_TIMEOUT));
            self.linger = Some(Linger { end, bytes_left: LINGER_BYTES_MAX });
        }
        self.poll_linger(context).map(Ok)
    }
}
