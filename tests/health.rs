//! How the stores are, by HTTP: in bounded time, and without a load on them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use actix_smart_ratelimit::{
    Batch, Charge, HealthCheck, MemoryBackend, RateLimiter,
    backend::{Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, Progress, Stats},
};
use actix_web::{App, http::Method, test::init_service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{get, send};

/// A store that is asked how it is.
#[derive(Debug, Default)]
struct Patient {
    inner: MemoryBackend,
    asked: AtomicUsize,
    mood: Mood,
}

#[derive(Clone, Copy, Debug, Default)]
enum Mood {
    #[default]
    Well,
    Dead,
    Silent,
}

impl Backend for Patient {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.inner.check(batch)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.inner.peek(batch)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.inner.reset(key)
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.inner.refund(charge)
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.asked.fetch_add(1, SeqCst);
        let mood = self.mood;
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut health = Health::default();
            health.round_trip_micros = 7;
            health.warnings.push("it is old".to_owned());
            match mood {
                Mood::Well => Ok(health),
                Mood::Dead => Err(BackendError::with_source(
                    ErrorKind::Unreachable,
                    Fate::NotCharged,
                    std::io::Error::other("redis://:secret@host refused"),
                )),
                Mood::Silent => std::future::pending().await,
            }
        })
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

fn patient(mood: Mood) -> Arc<Patient> {
    Arc::new(Patient { mood, ..Patient::default() })
}

fn limiter(backends: &[(&str, &Arc<Patient>)]) -> RateLimiter {
    let mut builder = RateLimiter::builder();
    for (name, backend) in backends {
        builder = builder.backend(*name, (*backend).clone());
    }
    builder.build().unwrap()
}

/// Status, and what the body says.
async fn ask(check: &HealthCheck) -> (u16, Value) {
    let app = init_service(App::new().service(check.at("/health/limits"))).await;
    let answer = send(&app, get("/health/limits")).await;
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[actix_web::test]
async fn stores_that_answer_are_healthy() {
    let well = patient(Mood::Well);
    let check = HealthCheck::of(&limiter(&[("main", &well)]));
    let expected = json!({
        "healthy": true,
        "backends": [{
            "name": "main",
            "default": true,
            "healthy": true,
            "round_trip_micros": 7,
            "warnings": ["it is old"],
            "error": null,
        }],
    });
    assert_eq!(ask(&check).await, (200, expected));
}

#[actix_web::test]
async fn one_that_cannot_decide_makes_it_503_and_nothing_secret_is_told() {
    let (well, dead) = (patient(Mood::Well), patient(Mood::Dead));
    let (status, body) =
        ask(&HealthCheck::of(&limiter(&[("main", &well), ("spare", &dead)]))).await;
    assert_eq!((status, &body["healthy"]), (503, &json!(false)));
    assert_eq!(body["backends"][0]["healthy"], json!(true));
    let spare = json!({
        "name": "spare",
        "default": false,
        "healthy": false,
        "round_trip_micros": null,
        "warnings": [],
        "error": {"kind": "unreachable", "message": "not reachable"},
    });
    assert_eq!(body["backends"][1], spare);
}

#[actix_web::test]
async fn one_that_does_not_answer_is_not_waited_for_longer_than_the_deadline() {
    let silent = patient(Mood::Silent);
    let check = HealthCheck::of(&limiter(&[("main", &silent)])).deadline(Duration::from_millis(20));
    let (status, body) = tokio::time::timeout(Duration::from_secs(20), ask(&check)).await.unwrap();
    assert_eq!((status, &body["backends"][0]["error"]["kind"]), (503, &json!("timeout")));
}

#[actix_web::test]
async fn a_flood_of_questions_asks_the_store_once() {
    let well = patient(Mood::Well);
    let check = HealthCheck::of(&limiter(&[("main", &well)])).fresh_for(Duration::from_secs(600));
    let answers = join_all((0..200).map(|_| ask(&check))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(well.asked.load(SeqCst), 1);
    let own = check.clone().fresh_for(Duration::ZERO);
    ask(&own).await;
    ask(&own).await;
    assert_eq!(well.asked.load(SeqCst), 3);
}

#[actix_web::test]
async fn who_asks_may_give_up_without_harm_to_others() {
    let well = patient(Mood::Well);
    let check = HealthCheck::of(&limiter(&[("main", &well)])).fresh_for(Duration::from_secs(600));
    let mut given_up = Box::pin(check.report());
    assert!(futures_util::poll!(&mut given_up).is_pending());
    drop(given_up);
    assert_eq!(ask(&check).await.0, 200);
    assert_eq!(well.asked.load(SeqCst), 1);
}

#[actix_web::test]
async fn it_is_asked_by_get_and_head_only() {
    let check = HealthCheck::of(&RateLimiter::in_memory());
    let app = init_service(App::new().service(check.at("/health"))).await;
    for (method, expected) in [(Method::GET, 200), (Method::HEAD, 200), (Method::POST, 405)] {
        let request = get("/health").method(method.clone());
        assert_eq!(send(&app, request).await.status, expected, "{method}");
    }
}
