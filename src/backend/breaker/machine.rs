//! Which states a circuit breaker has and what leads from one to the other: no clock, no input or output.
//!
//! ```text
//!          failures in a row                the open time is over
//! closed ─────────────────────▶ open ─────────────────────────────▶ half-open
//!    ▲                            ▲                                     │ │
//!    │                            └──────────── a probe fails ──────────┘ │
//!    └──────────────── as many probes in a row are answered ──────────────┘
//! ```
//!
//! Requests pass while it is closed, and never else: what a store is worth is found out by probes. One
//! that answers probes and fails requests is on probation: until a request is answered, one failure
//! opens the breaker again, for longer.

use std::time::Duration;

use super::settings::BreakerSettings;

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// Requests are sent.
    Closed,
    /// No requests are sent.
    Open,
    /// No requests are sent, but a probe is.
    HalfOpen,
}

/// Something that is learnt of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A request was answered that passed in this generation.
    Answered(u64),
    /// A request failed that passed in this generation.
    Failed(u64),
    /// The open time is over.
    Due,
    ProbeAnswered,
    ProbeFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed {
        /// In a row.
        failures: u32,
        /// Whether a request was answered since it closed.
        is_proven: bool,
    },
    Open,
    HalfOpen {
        /// Probes answered in a row.
        answers: u32,
    },
}

/// A circuit breaker.
#[derive(Debug)]
pub(super) struct Machine {
    settings: BreakerSettings,
    phase: Phase,
    /// Tells requests that passed before a change from those after it.
    generation: u64,
    /// Times that it opened in a row, without a request answered between.
    trips: u32,
}

impl Machine {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        let phase = Phase::Closed { failures: 0, is_proven: true };
        Self { settings, phase, generation: 0, trips: 0 }
    }

    pub(super) fn state(&self) -> MemberState {
        match self.phase {
            Phase::Closed { .. } => MemberState::Closed,
            Phase::Open => MemberState::Open,
            Phase::HalfOpen { .. } => MemberState::HalfOpen,
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether an answered request would change nothing.
    pub(super) fn is_clean(&self) -> bool {
        self.phase == Phase::Closed { failures: 0, is_proven: true }
    }

    /// How long it stays open from when it opened; `shortening` is in percent.
    pub(super) fn open_time(&self, shortening: u32) -> Duration {
        self.settings.open_time_after(self.trips, shortening)
    }

    /// Takes note, and tells the state that this has led to, if to another one.
    pub(super) fn note(&mut self, input: Input) -> Option<MemberState> {
        match (self.phase, input) {
            (Phase::Closed { .. }, Input::Answered(generation)) => self.answered(generation),
            (Phase::Closed { .. }, Input::Failed(generation)) => self.failed(generation),
            (Phase::Closed { .. }, Input::ProbeFailed) => self.failed(self.generation),
            (Phase::Closed { failures: 0, .. }, Input::ProbeAnswered) => {
                self.answered(self.generation)
            }
            (Phase::Open, Input::Due) => {
                self.phase = Phase::HalfOpen { answers: 0 };
                Some(MemberState::HalfOpen)
            }
            (Phase::HalfOpen { .. }, Input::ProbeFailed) => self.open(),
            (Phase::HalfOpen { answers }, Input::ProbeAnswered) => self.close_after(answers + 1),
            // What was sent before a change says nothing about the time after it.
            _ => None,
        }
    }

    fn answered(&mut self, generation: u64) -> Option<MemberState> {
        if generation == self.generation {
            self.phase = Phase::Closed { failures: 0, is_proven: true };
            self.trips = 0;
        }
        None
    }

    fn failed(&mut self, generation: u64) -> Option<MemberState> {
        let Phase::Closed { failures, is_proven } = self.phase else { return None };
        let threshold = self.settings.failure_threshold;
        if generation != self.generation || threshold == 0 {
            return None;
        }
        let failures = failures.saturating_add(1);
        if failures >= threshold || !is_proven {
            return self.open();
        }
        self.phase = Phase::Closed { failures, is_proven };
        None
    }

    fn open(&mut self) -> Option<MemberState> {
        self.phase = Phase::Open;
        self.generation += 1;
        self.trips = self.trips.saturating_add(1);
        Some(MemberState::Open)
    }

    fn close_after(&mut self, answers: u32) -> Option<MemberState> {
        if answers < self.settings.success_threshold {
            self.phase = Phase::HalfOpen { answers };
            return None;
        }
        self.phase = Phase::Closed { failures: 0, is_proven: false };
        self.generation += 1;
        Some(MemberState::Closed)
    }
}
