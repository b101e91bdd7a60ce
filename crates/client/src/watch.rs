//! Payment runs as they go on, until they have ended.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use payment_runs_types::ops::ProgressEvent;

use crate::events::{Event, EventError, events};
use crate::{Error, ops};

/// How many connections in a row may end without an event before the stream is given up. The server ends long ones, and each
/// is tried as often as every other call.
const SILENT_CONNECTIONS_MAX: u32 = 10;

impl<'a> ops::payment_runs::WatchPaymentRun<'a> {
    /// The events until the payment run has ended; the last one is named `end`. A connection that is cut is taken up again
    /// after the last event.
    pub fn stream(self) -> impl Stream<Item = Result<Event<ProgressEvent>, Error>> + 'a {
        let watch = Watch { call: self, events: None, silent: 0, has_ended: false };
        stream::try_unfold(watch, |mut watch| async move {
            let next = watch.next().await?;
            Ok(next.map(|event| (event, watch)))
        })
    }
}

type Events = Pin<Box<dyn Stream<Item = Result<Event<ProgressEvent>, EventError>> + Send>>;

struct Watch<'a> {
    call: ops::payment_runs::WatchPaymentRun<'a>,
    events: Option<Events>,
    silent: u32,
    has_ended: bool,
}

impl Watch<'_> {
    async fn next(&mut self) -> Result<Option<Event<ProgressEvent>>, Error> {
        while !self.has_ended {
            let Some(events) = &mut self.events else {
                self.connect().await?;
                continue;
            };
            match events.next().await {
                Some(Ok(event)) => return Ok(Some(self.note(event))),
                // The next connection goes on where this one was cut.
                Some(Err(EventError::Read(_))) | None => self.events = None,
                Some(Err(error)) => return Err(Error::Events(error)),
            }
        }
        Ok(None)
    }

    async fn connect(&mut self) -> Result<(), Error> {
        if self.silent >= SILENT_CONNECTIONS_MAX {
            return Err(Error::Events(EventError::Silent { connections: self.silent }));
        }
        self.silent += 1;
        let body = self.call.clone().send().await?.into_inner();
        self.events = Some(Box::pin(events(body.into_inner())));
        Ok(())
    }

    fn note(&mut self, event: Event<ProgressEvent>) -> Event<ProgressEvent> {
        self.silent = 0;
        self.has_ended = event.name.as_deref() == Some("end");
        if let Some(id) = &event.id {
            self.call = self.call.clone().last_event_id(id.clone());
        }
        event
    }
}
