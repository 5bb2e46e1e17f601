//! What an operator is told: events, and lines of the log.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, Mutex},
};

use actix_smart_ratelimit::{EventKind, RateLimiterBuilder};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Events in the order in which they came, with their scopes.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Mutex<Vec<(EventKind, String)>>>);

impl Events {
    /// Listens to a limiter that is being built.
    pub fn of(&self, builder: RateLimiterBuilder) -> RateLimiterBuilder {
        let events = self.0.clone();
        builder.on_event(move |event| {
            events.lock().unwrap().push((event.kind, event.scope.to_owned()));
        })
    }

    /// The events since the last call.
    pub fn take(&self) -> Vec<(EventKind, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The kinds of the events since the last call.
    pub fn kinds(&self) -> Vec<EventKind> {
        self.take().into_iter().map(|(kind, _)| kind).collect()
    }
}

/// The lines that are logged while the log is the thread's subscriber.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<(Level, String)>>>);

impl Log {
    /// Everything logged on this thread from now on, for as long as the guard lives.
    pub fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        (log.clone(), tracing::subscriber::set_default(log))
    }

    /// The lines of a level.
    pub fn at(&self, level: Level) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|(of, _)| *of == level).map(|(_, line)| line.clone()).collect()
    }

    /// All lines, as one text.
    pub fn text(&self) -> String {
        self.0.lock().unwrap().iter().map(|(_, line)| format!("{line}\n")).collect()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("actix_smart_ratelimit")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.0.lock().unwrap().push((*event.metadata().level(), line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
