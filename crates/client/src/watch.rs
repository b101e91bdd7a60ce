//! Payment runs as they go on, until they have ended.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use payment_runs_types::ops::ProgressEvent;

use crate::events::{Event, EventError, Heard, heard};
use crate::{Error, ops};

/// How many connections in a row may end without an event or a sign that the server watches before the stream is given up.
/// The server ends long ones, and each is tried as often as every other call.
const SILENT_CONNECTIONS_MAX: u32 = 10;

impl<'a> ops::payment_runs::WatchPaymentRun<'a> {
    /// The events until the payment run has ended; the last one is named `end`. A connection that is cut is taken up again
    /// after the last event, for as long as the run waits.
    pub fn stream(self) -> impl Stream<Item = Result<Event<ProgressEvent>, Error>> + 'a {
        let watch = Watch { call: self, heard: None, silence: Silence::default(), has_ended: false };
        stream::try_unfold(watch, |mut watch| async move {
            let next = watch.next().await?;
            Ok(next.map(|event| (event, watch)))
        })
    }
}

type Hearing = Pin<Box<dyn Stream<Item = Result<Heard<ProgressEvent>, EventError>> + Send>>;

struct Watch<'a> {
    call: ops::payment_runs::WatchPaymentRun<'a>,
    heard: Option<Hearing>,
    silence: Silence,
    has_ended: bool,
}

impl Watch<'_> {
    async fn next(&mut self) -> Result<Option<Event<ProgressEvent>>, Error> {
        while !self.has_ended {
            let Some(heard) = &mut self.heard else {
                self.connect().await?;
                continue;
            };
            match heard.next().await {
                Some(Ok(Heard::Event(event))) => return Ok(Some(self.note(event))),
                Some(Ok(Heard::Comment)) => self.silence.comment(),
                // The next connection goes on where this one was cut.
                Some(Err(EventError::Read(error))) => {
                    self.silence.cut(error.is_timeout());
                    self.heard = None;
                }
                None => self.heard = None,
                Some(Err(error)) => return Err(Error::Events(error)),
            }
        }
        Ok(None)
    }

    async fn connect(&mut self) -> Result<(), Error> {
        self.silence.connection().map_err(Error::Events)?;
        let body = self.call.clone().send().await?.into_inner();
        self.heard = Some(Box::pin(heard(body.into_inner())));
        Ok(())
    }

    fn note(&mut self, event: Event<ProgressEvent>) -> Event<ProgressEvent> {
        self.silence.event();
        self.has_ended = event.name.as_deref() == Some("end");
        if let Some(id) = &event.id {
            self.call = self.call.clone().last_event_id(id.clone());
        }
        event
    }
}

/// The connections in a row that told nothing. A run may wait for weeks, with comments for its only signs; but the first
/// comment of a connection is none, since the server says it also before it hangs up, as one does that stops. So whatever
/// breaks the silence has taken its time, and no server is called again and again without a pause.
#[derive(Default)]
struct Silence {
    connections: u32,
    /// Whether the connection has brought its first comment.
    is_open: bool,
}

impl Silence {
    /// Another connection is made, unless there were too many.
    fn connection(&mut self) -> Result<(), EventError> {
        if self.connections >= SILENT_CONNECTIONS_MAX {
            return Err(EventError::Silent { connections: self.connections });
        }
        *self = Self { connections: self.connections + 1, is_open: false };
        Ok(())
    }

    fn comment(&mut self) {
        if self.is_open {
            self.connections = 0;
        }
        self.is_open = true;
    }

    /// The connection was cut: if by the client's own timeout, the server was still there.
    fn cut(&mut self, by_timeout: bool) {
        if self.is_open && by_timeout {
            self.connections = 0;
        }
    }

    fn event(&mut self) {
        self.connections = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the stream goes on after many connections of a kind.
    fn goes_on(connection: impl Fn(&mut Silence)) -> bool {
        let mut silence = Silence::default();
        (0..=SILENT_CONNECTIONS_MAX).all(|_| {
            let made = silence.connection().is_ok();
            connection(&mut silence);
            made
        })
    }

    #[test]
    fn what_breaks_the_silence() {
        assert!(goes_on(Silence::event));
        assert!(goes_on(|silence| {
            silence.comment();
            silence.comment();
        }));
        assert!(goes_on(|silence| {
            silence.comment();
            silence.cut(true);
        }));
    }

    #[test]
    fn what_is_silence() {
        assert!(!goes_on(|_| {}));
        assert!(!goes_on(Silence::comment));
        assert!(!goes_on(|silence| silence.cut(true)), "the time ran out before the stream was open");
        assert!(!goes_on(|silence| {
            silence.comment();
            silence.cut(false);
        }));
    }
}
