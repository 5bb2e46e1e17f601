//! Backends with one fault each: the conformance suite finds every one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Mutex;

use actix_smart_ratelimit::{
    Batch, Charge, Check, Decision, Timestamp,
    backend::{Backend, BackendError, BoxFuture, Health, Progress, Stats},
    test_util::{
        Reference,
        conformance::{Adapter, Subject, run},
    },
};

/// What is wrong, and the case that is to tell.
const FAULTS: [(Fault, &str); 18] = [
    (Fault::AdmitsOneMore, "fixed_window/the limit passes and the next is refused"),
    (Fault::AdmitsOneLess, "gcra/the burst passes and the next is refused"),
    (Fault::RetriesLate, "sliding_window/the limit passes and the next is refused"),
    (Fault::RetriesEarly, "gcra/a refusal lasts exactly as long as the cost needs"),
    (Fault::NeverSaysNever, "fixed_window/a limit of nothing refuses everything"),
    (Fault::ResetsLate, "token_bucket/parts of a token are kept"),
    (Fault::ChargesOneByOne, "batch/none is charged when the last refuses"),
    (Fault::ChecksDoNotMeet, "batch/two checks of one log that are too much together take nothing"),
    (Fault::CountsRefused, "leaky_bucket/a refusal lasts until the cost has room"),
    (Fault::PeekCharges, "sliding_window/a peek tells what is left and takes nothing"),
    (Fault::ResetDoesNothing, "gcra/a reset forgets the arrival time"),
    (Fault::ResetIgnoresCase, "keys/a reset leaves keys alone that look like it"),
    (Fault::RefundDoesNothing, "token_bucket/a refund puts tokens back"),
    (Fault::RefundsNow, "fixed_window/a refund to a window that is over gives nothing to the next"),
    (Fault::CutsKeys, "keys/keys of 5000 bytes that differ in the last are apart"),
    (Fault::IgnoresCase, "keys/keys that differ in case are apart"),
    (Fault::WholeSeconds, "sliding_window/the oldest leaves exactly one period after it came"),
    (
        Fault::TimeNeverGoesBack,
        "sliding_window/a clock that is set back neither frees nor blocks beyond a period",
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    AdmitsOneMore,
    AdmitsOneLess,
    RetriesLate,
    RetriesEarly,
    NeverSaysNever,
    ResetsLate,
    ChargesOneByOne,
    ChecksDoNotMeet,
    CountsRefused,
    PeekCharges,
    ResetDoesNothing,
    ResetIgnoresCase,
    RefundDoesNothing,
    RefundsNow,
    CutsKeys,
    IgnoresCase,
    WholeSeconds,
    TimeNeverGoesBack,
}

#[actix_web::test]
async fn the_suite_finds_every_fault() {
    for (fault, tells) in FAULTS {
        let report = run(&Faulty(fault)).await;
        let found = report.failed().iter().any(|failure| failure.case == tells);
        assert!(found, "{fault:?} is not found by \"{tells}\"\n{report}");
        assert!(!report.passed().is_empty(), "{fault:?} breaks everything");
    }
}

struct Faulty(Fault);

impl Adapter for Faulty {
    async fn subject(&self) -> Subject {
        Subject::new(Mutant { fault: self.0, inner: Reference::new(), latest: Mutex::default() })
    }
}

#[derive(Debug)]
struct Mutant {
    fault: Fault,
    inner: Reference,
    latest: Mutex<Timestamp>,
}

impl Mutant {
    fn now(&self, batch: &Batch<'_>) -> Timestamp {
        let mut latest = self.latest.lock().unwrap();
        *latest = batch.now().max(*latest);
        match self.fault {
            Fault::WholeSeconds => Timestamp::from_secs(batch.now().as_micros() / 1_000_000),
            Fault::TimeNeverGoesBack => *latest,
            _ => batch.now(),
        }
    }

    fn key(&self, key: &str) -> String {
        match self.fault {
            Fault::CutsKeys => key.chars().take(255).collect(),
            Fault::IgnoresCase => key.to_lowercase(),
            _ => key.to_owned(),
        }
    }

    /// Asks the reference about some checks at once, and twists the answers.
    fn ask(&self, now: Timestamp, checks: &[Check<'_>], peek: bool) -> Vec<Decision> {
        let keys: Vec<_> = checks.iter().map(|check| self.key(check.key)).collect();
        let mut batch = Batch::new(now);
        for (key, check) in keys.iter().zip(checks) {
            batch.push(Check { key, ..*check }).unwrap();
        }
        let ask = if peek { Reference::peek } else { Reference::check };
        assert!(matches!(ask(&self.inner, &mut batch), Progress::Done));
        let decisions = batch.verdict().decisions().iter().copied();
        let twisted =
            decisions.zip(checks).map(|(decision, check)| self.twist(decision, check, now));
        twisted.collect()
    }

    fn twist(&self, decision: Decision, check: &Check<'_>, now: Timestamp) -> Decision {
        let (limit, left) = (decision.limit(), decision.remaining());
        let reset_at = decision.reset_at();
        let retry_at = decision.retry_at().unwrap_or(Timestamp::MAX);
        let refuse = |retry_at| Decision::refuse(limit, left, reset_at, retry_at);
        match (self.fault, decision.is_allowed()) {
            (Fault::AdmitsOneMore, false) if u64::from(check.cost) == left + 1 => {
                Decision::allow(limit, 0, reset_at)
            }
            (Fault::AdmitsOneLess, true) if left == 0 && check.cost > 0 => refuse(reset_at),
            (Fault::RetriesLate, false) => refuse(retry_at + 1_000_000),
            (Fault::RetriesEarly, false) if retry_at < Timestamp::MAX => {
                refuse(now + retry_at.since(now) / 1_000_000 * 1_000_000)
            }
            (Fault::NeverSaysNever, false) => refuse(retry_at.min(now + 60_000_000)),
            (Fault::ResetsLate, true) => Decision::allow(limit, left, reset_at + 1),
            _ => decision,
        }
    }

    fn check_faultily(&self, now: Timestamp, checks: &[Check<'_>]) -> Vec<Decision> {
        let one_by_one = |peek| {
            let one = |check: &Check<'_>| self.ask(now, &[*check], peek);
            checks.iter().flat_map(one).collect::<Vec<_>>()
        };
        match self.fault {
            Fault::ChargesOneByOne => one_by_one(false),
            Fault::ChecksDoNotMeet => {
                let looked = one_by_one(true);
                let all = looked.iter().all(Decision::is_allowed);
                if all { one_by_one(false) } else { looked }
            }
            Fault::CountsRefused => {
                let decisions = self.ask(now, checks, false);
                for (check, decision) in checks.iter().zip(&decisions) {
                    let cost = u32::try_from(decision.remaining()).unwrap();
                    if !decision.is_allowed() {
                        self.ask(now, &[Check { cost, ..*check }], false);
                    }
                }
                decisions
            }
            _ => self.ask(now, checks, false),
        }
    }

    fn answer(&self, batch: &mut Batch<'_>, peek: bool) -> Progress {
        let now = self.now(batch);
        let decisions = match peek {
            true => self.ask(now, batch.checks(), true),
            false => self.check_faultily(now, batch.checks()),
        };
        for (index, decision) in decisions.into_iter().enumerate() {
            batch.decide(index, decision);
        }
        Progress::Done
    }
}

impl Backend for Mutant {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.answer(batch, false)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.answer(batch, self.fault != Fault::PeekCharges)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        match self.fault {
            Fault::ResetDoesNothing => self.inner.reset("another"),
            Fault::ResetIgnoresCase => {
                drop(self.inner.reset(&key.replace(":a", ":A")));
                self.inner.reset(key)
            }
            _ => self.inner.reset(&self.key(key)),
        }
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        let key = &self.key(charge.key);
        match self.fault {
            Fault::RefundDoesNothing => Box::pin(std::future::ready(Ok(()))),
            Fault::RefundsNow => {
                let charged_at = *self.latest.lock().unwrap();
                self.inner.refund(Charge { key, charged_at, ..charge })
            }
            _ => self.inner.refund(Charge { key, ..charge }),
        }
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.inner.health()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}
