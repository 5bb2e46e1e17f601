//! Runs one case on one backend.

use std::fmt::Write;

use super::{
    Failure, Subject,
    answer::Answer,
    case::{Asked, Case, Op, Step},
};
use crate::{
    Batch, Charge, Check, Mode, Timestamp, Verdict,
    backend::{BackendError, Progress},
};

/// A run of one case.
pub(super) struct Run<'r> {
    subject: &'r Subject,
    case: &'r Case,
    base: Timestamp,
    now: Timestamp,
    latest: Timestamp,
}

/// Why a step failed: expected and got.
type Difference = (String, String);

impl<'r> Run<'r> {
    /// A run that begins after `earliest`.
    pub(super) fn new(subject: &'r Subject, case: &'r Case, earliest: Timestamp) -> Self {
        let base = subject.begin(earliest + 1);
        let now = base + case.start;
        Self { subject, case, base, now, latest: now }
    }

    pub(super) async fn take_all(&mut self) -> Result<(), Failure> {
        let case = self.case;
        for (index, step) in case.steps.iter().enumerate() {
            for _ in 0..step.repeat {
                self.advance(step).await;
                if let Err((expected, got)) = self.take_once(step).await {
                    return Err(Failure {
                        case: case.name.clone(),
                        step: index + 1,
                        expected,
                        got,
                    });
                }
            }
        }
        Ok(())
    }

    /// The latest time that the run has seen.
    pub(super) fn latest(&self) -> Timestamp {
        self.latest
    }

    async fn advance(&mut self, step: &Step) {
        self.now = match step.advance {
            (true, back) => self.now - back,
            (false, forwards) => self.now + forwards,
        };
        self.latest = self.latest.max(self.now);
        self.subject.set_clock(self.now).await;
    }

    async fn take_once(&self, step: &Step) -> Result<(), Difference> {
        match &step.op {
            Op::Check(asked) => self.ask(asked, Mode::Charge).await,
            Op::Peek(asked) => self.ask(asked, Mode::Peek).await,
            Op::Reset { key } => {
                let done = self.subject.backend.reset(&self.stored(key)).await;
                done.map_err(|error| failed("the key is forgotten", &error))
            }
            Op::Refund { key, policy, cost, charged } => {
                let key = self.stored(key);
                let policy = &self.case.policies[*policy];
                let charged_at = self.base + *charged;
                let charge = Charge { key: &key, policy, cost: *cost, charged_at };
                let done = self.subject.backend.refund(charge).await;
                done.map_err(|error| failed("the charge is given back", &error))
            }
        }
    }

    async fn ask(&self, asked: &[Asked], mode: Mode) -> Result<(), Difference> {
        let expected: Vec<_> = asked.iter().map(|asked| asked.expected).collect();
        match self.decide(asked, mode).await {
            Err(error) => Err(failed(&text(asked, &expected), &error)),
            Ok(verdict) => {
                let decisions = verdict.decisions().iter();
                let got: Vec<_> = decisions.map(|d| Answer::of(d, self.now)).collect();
                let tolerance = self.subject.tolerance;
                let met = expected.iter().zip(&got).all(|(e, got)| e.is_met_by(got, tolerance));
                if met && expected.len() == got.len() {
                    return Ok(());
                }
                Err((text(asked, &expected), text(asked, &got)))
            }
        }
    }

    async fn decide(&self, asked: &[Asked], mode: Mode) -> Result<Verdict, BackendError> {
        let keys: Vec<_> = asked.iter().map(|asked| self.stored(&asked.key)).collect();
        let mut batch = Batch::new(self.now);
        for (key, asked) in keys.iter().zip(asked) {
            let policy = &self.case.policies[asked.policy];
            // Too many checks would show as answers that are missing.
            let _ = batch.push(Check { key, policy, cost: asked.cost });
        }
        let backend = &self.subject.backend;
        let progress = match mode {
            Mode::Charge => backend.check(&mut batch),
            Mode::Peek => backend.peek(&mut batch),
        };
        match progress {
            Progress::Done => Ok(batch.into_verdict()),
            Progress::Pending(answer) => answer.await,
        }
    }

    /// Keys of different cases differ, so that cases may share a store. Apart from what the case is
    /// about they look like those of the limiter, which never has white space in them.
    fn stored(&self, key: &str) -> String {
        format!("{}:{key}", self.case.name.replace(' ', "-"))
    }
}

fn failed(expected: &str, error: &BackendError) -> Difference {
    (expected.to_owned(), format!("an error: {error}"))
}

/// One answer, or each with its key.
fn text(asked: &[Asked], answers: &[Answer]) -> String {
    match (asked, answers) {
        ([_], [answer]) => answer.to_string(),
        (_, []) => "no answer".to_owned(),
        _ => {
            let mut text = String::new();
            for (asked, answer) in asked.iter().zip(answers) {
                let separator = if text.is_empty() { "" } else { "; " };
                // Writing to a String cannot fail.
                let _ = write!(text, "{separator}{:?}: {answer}", asked.key);
            }
            text
        }
    }
}
