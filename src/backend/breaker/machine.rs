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
    /// Times that it opened in a row, with nothing but failed probes between.
    trips: u32,
    /// Times that it closed and opened again without a request answered between.
    relapses: u32,
}

impl Machine {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        let phase = Phase::Closed { failures: 0, is_proven: true };
        Self { settings, phase, generation: 0, trips: 0, relapses: 0 }
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
            (self.trips, self.relapses) = (0, 0);
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
        if !is_proven {
            self.relapses = self.relapses.saturating_add(1);
            self.trips = self.relapses;
            return self.open();
        }
        if failures >= threshold {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is learnt, without generations.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum News {
        Answered,
        Failed,
        /// A request that passed before the last change was answered, or failed.
        LateAnswer,
        LateFailure,
        Due,
        ProbeAnswered,
        ProbeFailed,
    }

    const ALL: [News; 7] = [
        News::Answered,
        News::Failed,
        News::LateAnswer,
        News::LateFailure,
        News::Due,
        News::ProbeAnswered,
        News::ProbeFailed,
    ];

    fn settings(failures: u32, successes: u32) -> BreakerSettings {
        BreakerSettings::default().failure_threshold(failures).success_threshold(successes)
    }

    fn tell(machine: &mut Machine, news: News) -> Option<MemberState> {
        let now = machine.generation();
        let before = now.wrapping_sub(1);
        machine.note(match news {
            News::Answered => Input::Answered(now),
            News::Failed => Input::Failed(now),
            News::LateAnswer => Input::Answered(before),
            News::LateFailure => Input::Failed(before),
            News::Due => Input::Due,
            News::ProbeAnswered => Input::ProbeAnswered,
            News::ProbeFailed => Input::ProbeFailed,
        })
    }

    /// What must hold of every change, said of the history since the change before it.
    fn assert_lawful(
        from: MemberState,
        to: MemberState,
        since: &[News],
        closed_before: bool,
        (failures, successes): (usize, usize),
    ) {
        let last = *since.last().unwrap();
        let in_a_row = |wanted: fn(News) -> Option<bool>| {
            let judged = since.iter().rev().filter_map(|news| wanted(*news));
            judged.take_while(|good| *good).count()
        };
        let failed = in_a_row(|news| match news {
            News::Failed | News::ProbeFailed => Some(true),
            News::Answered => Some(false),
            _ => None,
        });
        let probed = in_a_row(|news| match news {
            News::ProbeAnswered => Some(true),
            News::ProbeFailed => Some(false),
            _ => None,
        });
        match (from, to) {
            (MemberState::Closed, MemberState::Open) => {
                assert!(matches!(last, News::Failed | News::ProbeFailed));
                let is_on_probation = closed_before && !since.contains(&News::Answered);
                assert!(failed >= failures || is_on_probation, "{since:?}");
            }
            (MemberState::Open, MemberState::HalfOpen) => assert_eq!(last, News::Due),
            (MemberState::HalfOpen, MemberState::Open) => assert_eq!(last, News::ProbeFailed),
            (MemberState::HalfOpen, MemberState::Closed) => assert_eq!(probed, successes),
            _ => panic!("{from:?} became {to:?}"),
        }
    }

    fn run(history: &[News], failures: u32, successes: u32) -> Machine {
        let mut machine = Machine::new(settings(failures, successes));
        let (mut begun, mut closed_before) = (0, false);
        for (at, news) in history.iter().enumerate() {
            let from = machine.state();
            let generation = machine.generation();
            let changed_to = tell(&mut machine, *news);
            assert_eq!(changed_to.unwrap_or(from), machine.state());
            assert_eq!(changed_to.is_some(), from != machine.state());
            let Some(to) = changed_to else {
                let since = &history[begun..=at];
                let failed = since.iter().rev().take_while(|news| **news == News::Failed).count();
                assert!(from != MemberState::Closed || failed < failures as usize, "{since:?}");
                continue;
            };
            assert!(!matches!(news, News::LateAnswer | News::LateFailure));
            let thresholds = (failures as usize, successes as usize);
            assert_lawful(from, to, &history[begun..=at], closed_before, thresholds);
            let is_about_requests = MemberState::Closed == from || MemberState::Closed == to;
            assert!(!is_about_requests || machine.generation() != generation);
            closed_before |= to == MemberState::Closed;
            begun = at + 1;
        }
        machine
    }

    #[test]
    fn every_history_of_seven_steps_is_lawful() {
        let mut history = [0; 7];
        loop {
            let news: Vec<_> = history.iter().map(|index| ALL[*index]).collect();
            run(&news, 2, 2);
            let Some(at) = history.iter().rposition(|index| *index + 1 < ALL.len()) else { return };
            history[at] += 1;
            history[at + 1..].fill(0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn long_histories_are_lawful(
            history in prop::collection::vec(prop::sample::select(&ALL[..]), 0..120),
            failures in 1_u32..6,
            successes in 1_u32..4,
        ) {
            run(&history, failures, successes);
        }

        #[test]
        fn open_times_double_up_to_their_bound_and_are_shortened_by_the_jitter_at_most(
            first in 1_u64..1_000, most in 1_u64..10_000, trips in 1_u32..100, jitter in 0_u8..=100,
        ) {
            let millis = Duration::from_millis;
            let settings =
                settings(1, 1).open_time(millis(first)).max_open_time(millis(most)).jitter(jitter);
            let mut machine = Machine::new(settings.clone());
            tell(&mut machine, News::Failed);
            for _ in 1..trips {
                tell(&mut machine, News::Due);
                tell(&mut machine, News::ProbeFailed);
            }
            let doubled = u128::from(first) << (trips - 1).min(20);
            let longest = doubled.min(most.max(first).into());
            prop_assert_eq!(machine.open_time(0).as_millis(), longest);
            for _ in 0..20 {
                let time = machine.open_time(settings.shortening()).as_micros();
                prop_assert!(time <= longest * 1_000);
                prop_assert!(time + 1 >= longest * 10 * (100 - u128::from(jitter)));
            }
        }
    }

    #[test]
    fn a_store_that_answers_probes_and_fails_requests_is_left_alone_for_longer_each_time() {
        let mut machine = Machine::new(settings(3, 1));
        let mut times = Vec::new();
        for _ in 0..3 {
            tell(&mut machine, News::Failed);
        }
        for _ in 0..3 {
            times.push(machine.open_time(0).as_millis());
            tell(&mut machine, News::Due);
            assert_eq!(tell(&mut machine, News::ProbeAnswered), Some(MemberState::Closed));
            assert_eq!(tell(&mut machine, News::Failed), Some(MemberState::Open));
        }
        assert_eq!(times, [100, 200, 400]);
        tell(&mut machine, News::Due);
        tell(&mut machine, News::ProbeAnswered);
        tell(&mut machine, News::Answered);
        for expected in [None, None, Some(MemberState::Open)] {
            assert_eq!(tell(&mut machine, News::Failed), expected);
        }
        assert_eq!(machine.open_time(0).as_millis(), 100);
    }

    #[test]
    fn a_threshold_of_zero_never_opens() {
        let mut machine = Machine::new(settings(0, 1));
        for _ in 0..1_000 {
            assert_eq!(tell(&mut machine, News::Failed), None);
        }
    }
}
