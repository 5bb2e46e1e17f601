//! A store with its circuit breaker.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    BreakerSettings, Change, ChangeKind, MemberState, MemberStatus,
    machine::{Input, Machine},
    probe::{Prober, Probing},
    record::Record,
};
use crate::{
    Clock, Timestamp, Verdict,
    backend::{Backend, BackendError, BoxFuture, ErrorKind, Fate},
};

const TARGET: &str = "actix_smart_ratelimit";

/// Whom a guard tells of its changes.
type Observer = Box<dyn Fn(&Change<'_>) + Send + Sync>;

/// One store, and whether it is to be asked.
pub(crate) struct Guard {
    /// The generation of the circuit breaker, and in the lowest bits what every check looks at.
    word: AtomicU64,
    name: String,
    backend: Arc<dyn Backend>,
    record: Record,
    prober: Prober,
    machine: Mutex<Machine>,
    /// When the last answer came that had to be waited for, in microseconds of the system's clock.
    answered_at: AtomicU64,
    observer: Observer,
    made_at: Timestamp,
}

const CLOSED: u64 = 1;
/// An answer would change nothing.
const CLEAN: u64 = 2;
const GENERATION: u32 = 2;

/// Stands for a request that was let through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    generation: u64,
}

impl Guard {
    /// Nothing is probed before the first request.
    pub(crate) fn new(
        name: String,
        backend: Arc<dyn Backend>,
        settings: BreakerSettings,
        probing: Probing,
        observer: impl Fn(&Change<'_>) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let machine = Machine::new(settings.clone());
        Arc::new(Self {
            word: AtomicU64::new(word(&machine)),
            name,
            backend,
            record: Record::default(),
            prober: Prober::new(probing, settings),
            machine: Mutex::new(machine),
            answered_at: AtomicU64::new(0),
            observer: Box::new(observer),
            made_at: Clock::System.now(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Lets a request through if the breaker is closed.
    #[inline]
    pub(crate) fn pass(self: &Arc<Self>) -> Option<Ticket> {
        let word = self.word.load(Relaxed);
        if word & CLOSED == 0 {
            self.prober.begin(self);
            return None;
        }
        Some(Ticket { generation: word >> GENERATION })
    }

    /// Begins the task that probes, unless it runs or there is no runtime.
    pub(crate) fn begin_probing(self: &Arc<Self>) {
        self.prober.begin(self);
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Relaxed) & CLOSED != 0
    }

    /// The store decided without a wait, which says nothing of what is behind it.
    #[inline]
    pub(crate) fn answered_at_once(&self) {
        self.record.answered_at_once();
    }

    /// Waits for an answer with so many decisions until `patience` ends, and takes note of it.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        ticket: Ticket,
        answer: BoxFuture<Result<Verdict, BackendError>>,
        decisions: usize,
        patience: impl Future<Output = ()>,
    ) -> Result<Verdict, BackendError> {
        let begun = Clock::System.now();
        let result = tokio::select! {
            biased;
            result = answer => match result {
                Ok(verdict) if verdict.decisions().len() != decisions => Err(undecided()),
                result => result,
            },
            () = patience => Err(BackendError::new(ErrorKind::Timeout, Fate::Unknown)),
        };
        match &result {
            Ok(_) => self.answered(ticket, begun),
            // Others were answered meanwhile: a part of the store is away, or the network lost one call.
            Err(error) if self.answered_at.load(Relaxed) > begun.as_micros() => {
                self.record.failed(error);
            }
            Err(error) => self.failed(ticket, error),
        }
        result
    }

    fn answered(self: &Arc<Self>, ticket: Ticket, begun: Timestamp) {
        let now = Clock::System.now();
        self.answered_at.fetch_max(now.as_micros(), Relaxed);
        self.record.answered_after(now.since(begun));
        let Ticket { generation } = ticket;
        if self.word.load(Relaxed) != generation << GENERATION | CLEAN | CLOSED {
            self.note(Input::Answered(generation), None);
        }
    }

    /// Takes note of a failed request.
    #[cold]
    pub(crate) fn failed(self: &Arc<Self>, ticket: Ticket, error: &BackendError) {
        self.record.failed(error);
        if is_of_the_store(error.kind()) {
            self.note(Input::Failed(ticket.generation), Some(error));
        }
    }

    /// Why requests are not let through.
    pub(crate) fn away(&self) -> BackendError {
        let unknown = || BackendError::new(ErrorKind::Unavailable, Fate::NotCharged);
        self.record.last().error.map_or_else(unknown, |error| error.with_fate(Fate::NotCharged))
    }

    /// How long until the next probe, if there is to be one.
    pub(super) fn until_probe(&self, probing: &Probing) -> Option<Duration> {
        let settings = self.prober.settings();
        let shortening = settings.shortening();
        let machine = self.machine.lock();
        match machine.state() {
            MemberState::Open => Some(machine.open_time(shortening)),
            MemberState::HalfOpen => Some(settings.open_time_after(1, shortening)),
            MemberState::Closed => probing.interval.map(|pause| pause - pause * shortening / 100),
        }
    }

    /// The time of a probe has come.
    pub(super) fn begins_probe(self: &Arc<Self>) {
        self.note(Input::Due, None);
    }

    pub(super) fn probed(self: &Arc<Self>, result: Result<(), &BackendError>) {
        self.record.probed(result);
        match result {
            Ok(()) => self.note(Input::ProbeAnswered, None),
            Err(error) => self.note(Input::ProbeFailed, Some(error)),
        }
    }

    fn note(self: &Arc<Self>, input: Input, error: Option<&BackendError>) {
        let mut machine = self.machine.lock();
        let before = machine.state();
        let changed_to = machine.note(input);
        self.word.store(word(&machine), Relaxed);
        drop(machine);
        let Some(state) = changed_to else { return };
        if state == MemberState::Open {
            self.prober.begin(self);
            self.prober.has_opened();
        }
        self.record.changed((before, state) == (MemberState::Closed, MemberState::Open));
        self.log(before, state, error);
        let kind = match state {
            MemberState::Open => ChangeKind::Opened,
            MemberState::HalfOpen => ChangeKind::HalfOpen,
            MemberState::Closed => ChangeKind::Closed,
        };
        (self.observer)(&Change { member: &self.name, kind, error });
    }

    /// One line when a store goes and one when it comes back; the probes between are for those who look
    /// closely.
    fn log(&self, before: MemberState, state: MemberState, error: Option<&BackendError>) {
        let member = &*self.name;
        match (before, state) {
            (MemberState::Closed, _) => {
                let cause = error.and_then(std::error::Error::source).map(ToString::to_string);
                let error = error.map(tracing::field::display);
                tracing::warn!(target: TARGET, member, error, cause, "store is not asked any more");
            }
            (_, MemberState::Closed) => {
                tracing::info!(target: TARGET, member, "store is asked again");
            }
            _ => tracing::debug!(target: TARGET, member, ?state, "store is probed"),
        }
    }

    pub(crate) fn status(&self) -> MemberStatus {
        let state = self.machine.lock().state();
        let last = self.record.last();
        let [answers, failures, probes_answered, probes_failed, opened] = self.record.counts();
        MemberStatus {
            name: self.name.clone(),
            state,
            since: last.change.unwrap_or(self.made_at),
            last_check: last.check,
            last_error: last.error,
            answers,
            failures,
            probes_answered,
            probes_failed,
            opened,
            latency: self.record.latency(),
        }
    }
}

fn word(machine: &Machine) -> u64 {
    let closed = if machine.state() == MemberState::Closed { CLOSED } else { 0 };
    let clean = if machine.is_clean() { CLEAN } else { 0 };
    machine.generation() << GENERATION | clean | closed
}

/// Whether an error is about the store as a whole. Others may be about one key or one policy, and one
/// client must not be able to take the store away from all.
fn is_of_the_store(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unreachable | ErrorKind::Timeout | ErrorKind::Unavailable)
}

/// The fault of a store that says it has decided and has not.
#[cold]
pub(crate) fn undecided() -> BackendError {
    BackendError::new(ErrorKind::Protocol, Fate::Unknown)
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("name", &self.name)
            .field("backend", &self.backend)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}
