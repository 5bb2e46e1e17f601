//! What became of the cases.

use std::fmt;

use super::Case;
use crate::Error;

/// What became of the cases.
#[derive(Clone, Debug, Default)]
#[must_use = "call `assert`"]
pub struct Report {
    passed: Vec<String>,
    failed: Vec<Failure>,
    skipped: Vec<Skipped>,
}

/// A case that failed. Its later steps were not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Name of the case.
    pub case: String,
    /// The step, counted from 1; 0 if none was taken.
    pub step: usize,
    /// What was expected.
    pub expected: String,
    /// What happened.
    pub got: String,
}

/// A case that was not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Name of the case.
    pub case: String,
    /// Why.
    pub reason: String,
}

impl Report {
    /// Names of the cases that passed.
    #[must_use]
    pub fn passed(&self) -> &[String] {
        &self.passed
    }

    /// The cases that failed.
    #[must_use]
    pub fn failed(&self) -> &[Failure] {
        &self.failed
    }

    /// The cases that were skipped.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Asserts that every case that was run passed, and that one was.
    ///
    /// # Panics
    /// When not, with all failures.
    #[track_caller]
    #[expect(clippy::panic, reason = "this is what an assertion is")]
    pub fn assert(&self) {
        if !self.failed.is_empty() || self.passed.is_empty() {
            panic!("{self}");
        }
    }

    pub(super) fn broken_corpus(error: &Error) -> Self {
        let mut report = Self::default();
        report.failed.push(Failure {
            case: "corpus".to_owned(),
            step: 0,
            expected: "cases that can be understood".to_owned(),
            got: error.to_string(),
        });
        report
    }

    pub(super) fn skip(&mut self, case: &Case, reason: &str) {
        let case = case.name().to_owned();
        if reason.trim().is_empty() {
            let expected = "a reason for which the case is skipped".to_owned();
            self.failed.push(Failure { case, step: 0, expected, got: "none".to_owned() });
        } else {
            self.skipped.push(Skipped { case, reason: reason.to_owned() });
        }
    }

    pub(super) fn record(&mut self, case: &Case, result: Result<(), Failure>) {
        match result {
            Ok(()) => self.passed.push(case.name().to_owned()),
            Err(failure) => self.failed.push(failure),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        let (passed, failed_count) = (passed.len(), failed.len());
        writeln!(f, "{passed} cases passed, {failed_count} failed, {} skipped", skipped.len())?;
        for failure in failed {
            writeln!(f, "{failure}")?;
        }
        for Skipped { case, reason } in skipped {
            writeln!(f, "skipped {case}: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, step, expected, got } = self;
        write!(f, "failed  {case}, step {step}\n  expected {expected}\n  got      {got}")
    }
}
