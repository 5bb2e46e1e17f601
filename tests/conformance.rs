//! The conformance suite: which backends pass it, and how it is run on them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::{collections::HashSet, future::ready};

use actix_smart_ratelimit::{
    Algorithm, Batch, Charge, Check, ManualClock, MemoryBackend, Timestamp,
    backend::{Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, Progress, Stats},
    test_util::{
        Reference,
        conformance::{self, Adapter, Case, MemoryAdapter, Subject, corpus, run, run_cases},
    },
};

/// An adapter for a backend that a function makes.
struct Made<F>(F);

impl<F: Fn() -> Subject> Adapter for Made<F> {
    async fn subject(&self) -> Subject {
        (self.0)()
    }
}

#[actix_web::test]
async fn the_memory_backend_conforms() {
    let report = run(&MemoryAdapter).await;
    report.assert();
    assert_eq!(report.passed().len(), corpus().unwrap().len());
}

#[actix_web::test]
async fn one_memory_backend_conforms_in_all_cases_together() {
    let memory = std::sync::Arc::new(MemoryBackend::new(10_000));
    run(&Made(|| Subject::new(memory.clone()))).await.assert();
}

#[actix_web::test]
async fn the_reference_conforms() {
    run(&Made(|| Subject::new(Reference::new()))).await.assert();
}

#[actix_web::test]
async fn cases_may_begin_at_a_later_time() {
    let later = Timestamp::from_secs(4_000_000_007);
    run(&Made(|| Subject::new(Reference::new()).not_before(later))).await.assert();
}

#[test]
fn the_corpus_is_about_every_algorithm_and_no_two_cases_have_one_name() {
    let cases = corpus().unwrap();
    let names: HashSet<_> = cases.iter().map(|case| case.name().replace(' ', "-")).collect();
    assert_eq!(names.len(), cases.len());
    for (name, algorithm) in Algorithm::NAMES {
        assert!(cases.iter().filter(|case| case.uses(algorithm)).count() >= 10, "{name}");
    }
}

/// Answers later and by a clock of its own, as a backend with a server does.
#[derive(Debug)]
struct Remote {
    inner: Reference,
    clock: ManualClock,
}

impl Remote {
    fn ask(&self, batch: &Batch<'_>, ask: fn(&Reference, &mut Batch<'_>) -> Progress) -> Progress {
        let mut sent = Batch::new(self.clock.now());
        for check in batch.checks() {
            sent.push(*check).unwrap();
        }
        assert!(matches!(ask(&self.inner, &mut sent), Progress::Done));
        Progress::Pending(Box::pin(ready(Ok(sent.into_verdict()))))
    }
}

impl Backend for Remote {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.ask(batch, Reference::check)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.ask(batch, Reference::peek)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.inner.reset(key)
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.inner.refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.inner.health()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

#[actix_web::test]
async fn a_backend_with_a_clock_of_its_own_conforms_if_that_is_set() {
    let remote = || {
        let clock = ManualClock::default();
        let subject = Subject::new(Remote { inner: Reference::new(), clock: clock.clone() });
        (subject, clock)
    };
    run(&Made(|| {
        let (subject, clock) = remote();
        subject.own_clock(move |now| {
            clock.set(now);
            Box::pin(ready(()))
        })
    }))
    .await
    .assert();
    assert!(!run(&Made(|| remote().0)).await.failed().is_empty());
}

/// Cannot keep logs, and says so either beforehand or when it is asked.
struct WithoutLogs {
    reason: Option<&'static str>,
}

#[derive(Debug)]
struct Refusing;

impl Backend for Refusing {
    fn check(&self, _: &mut Batch<'_>) -> Progress {
        let error = BackendError::new(ErrorKind::Unsupported, Fate::NotCharged);
        Progress::Pending(Box::pin(ready(Err(error))))
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.check(batch)
    }

    fn reset(&self, _: &str) -> BoxFuture<Result<(), BackendError>> {
        Box::pin(ready(Ok(())))
    }

    fn refund(&self, _: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        Box::pin(ready(Ok(())))
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        Box::pin(ready(Ok(Health::default())))
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }
}

impl Adapter for WithoutLogs {
    async fn subject(&self) -> Subject {
        Subject::new(Refusing)
    }

    fn skip(&self, case: &Case) -> Option<&str> {
        self.reason.filter(|_| case.uses(Algorithm::SlidingWindow))
    }
}

fn of_logs() -> Vec<Case> {
    let all = corpus().unwrap();
    all.into_iter().filter(|case| case.name().starts_with("sliding_window/")).collect()
}

#[actix_web::test]
async fn a_skipped_case_is_reported_with_its_reason() {
    let adapter = WithoutLogs { reason: Some("there is no log") };
    let report = run_cases(&adapter, &of_logs()).await;
    assert!(report.failed().is_empty());
    assert!(report.skipped().iter().all(|skipped| skipped.reason == "there is no log"));
    assert!(report.to_string().contains("skipped sliding_window/"));
}

#[actix_web::test]
async fn a_case_that_is_skipped_for_no_reason_fails() {
    let report = run_cases(&WithoutLogs { reason: Some(" ") }, &of_logs()).await;
    assert!(report.skipped().is_empty());
    assert_eq!(report.failed().len(), of_logs().len());
    assert_eq!(report.failed()[0].step, 0);
}

#[actix_web::test]
async fn an_error_of_the_store_fails_the_case_with_its_text() {
    let report = run_cases(&WithoutLogs { reason: None }, &of_logs()).await;
    let failure = &report.failed()[0];
    assert_eq!(failure.step, 1);
    assert_eq!(failure.expected, "allowed, 2 of 3 left, reset in 1m");
    assert!(failure.got.contains("policy not supported by this backend"), "{}", failure.got);
}

#[actix_web::test]
#[should_panic(expected = "0 cases passed, 0 failed, 1 skipped")]
async fn a_suite_of_which_everything_is_skipped_does_not_pass() {
    let adapter = WithoutLogs { reason: Some("there is no log") };
    run_cases(&adapter, &of_logs()[..1]).await.assert();
}

/// Keeps whole milliseconds, as some stores do.
#[derive(Debug)]
struct Milliseconds(Reference);

impl Backend for Milliseconds {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        let now = Timestamp::from_micros(batch.now().as_micros() / 1_000 * 1_000);
        let mut coarse = Batch::new(now);
        for Check { key, policy, cost } in batch.checks().iter().copied() {
            coarse.push(Check { key, policy, cost }).unwrap();
        }
        assert!(matches!(self.0.check(&mut coarse), Progress::Done));
        for (index, decision) in coarse.verdict().decisions().iter().enumerate() {
            batch.decide(index, *decision);
        }
        Progress::Done
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.0.peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.0.reset(key)
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.0.refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.0.health()
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }
}

#[actix_web::test]
async fn a_tolerance_accepts_times_that_are_off_by_no_more() {
    let text = r#"
        [[case]]
        name = "coarse"
        policy = { algorithm = "gcra", rate = "7/m" }
        start = "1999us"
        steps = [{ allowed = true, remaining = 6, reset = "8571429us" }]
    "#;
    let cases = Case::parse("own", text).unwrap();
    let subject = || Subject::new(Milliseconds(Reference::new()));
    run_cases(&Made(|| subject().tolerance(999)), &cases).await.assert();
    let report = run_cases(&Made(|| subject().tolerance(998)), &cases).await;
    assert_eq!(report.failed()[0].got, "allowed, 6 of 7 left, reset in 8570430us");
}

#[test]
fn a_case_that_cannot_be_understood_is_an_error_that_names_its_place() {
    let case = |policy: &str, step: &str| {
        let text =
            format!("[[case]]\nname = \"c\"\npolicy = {{ {policy} }}\nsteps = [{{ {step} }}]");
        conformance::Case::parse("own", &text).unwrap_err().to_string()
    };
    let policy = r#"algorithm = "gcra", rate = "7/m""#;
    let whole = r#"allowed = true, remaining = 6, reset = "9s""#;
    for (policy, step, said) in [
        (r#"algorithm = "gcar", rate = "7/m""#, whole, "own/c: algorithm: "),
        (r#"algorithm = "gcra", rate = "7""#, whole, "own/c: rate: "),
        (policy, "allowed = true, remaining = 6", "own/c: step 1: reset: "),
        (policy, r#"allowed = false, remaining = 6, reset = "9s""#, "own/c: step 1: retry: "),
        (policy, r#"allowed = true, remaining = 6, reset = "9""#, "own/c: step 1: reset: "),
        (policy, r#"policy = "other", allowed = true"#, "own/c: step 1: policy: "),
        (policy, r#"op = "reset", allowed = true"#, "own/c: step 1: allowed: "),
        (policy, "alowed = true", "unknown field"),
    ] {
        let error = case(policy, step);
        assert!(error.contains(said), "{error}");
    }
}
