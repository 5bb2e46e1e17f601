//! A server whose process is frozen, ends, or begins anew.

use std::{sync::Arc, time::Instant};

use actix_smart_ratelimit::{
    Algorithm, Limit,
    OnError::Local,
    backend::{
        Backend,
        ErrorKind::{Timeout, Unreachable},
        Fate::{NotCharged, Unknown},
    },
};
use tokio::{join, task::spawn_blocking, time::sleep};

use super::{
    backend,
    support::{
        rate,
        redis::RedisServer,
        trial::{DEADLINE, Trial, fates, kinds},
    },
    trial,
};

#[actix_web::test]
async fn a_frozen_server() {
    let server = RedisServer::start();
    let trial = trial(&server).await;
    server.freeze();
    let faults = trial.suffer_alone(8).await;
    assert_eq!((kinds(&faults), fates(&faults)), (vec![Timeout], vec![Unknown, NotCharged]));
    server.thaw();
    trial.recovers().await;
}

#[actix_web::test]
async fn a_server_that_is_frozen_before_the_first_check() {
    let server = RedisServer::start();
    let trial = Trial::of(backend(server.url()));
    server.freeze();
    let faults = trial.suffer_alone(8).await;
    assert_eq!(kinds(&faults), [Timeout]);
    server.thaw();
    trial.recovers().await;
}

#[actix_web::test]
async fn a_server_that_freezes_again_and_again() {
    let server = RedisServer::start();
    let trial = trial(&server).await;
    for _ in 0..3 {
        server.freeze();
        trial.suffer_alone(1).await;
        server.thaw();
        trial.recovers().await;
    }
}

#[actix_web::test]
async fn a_server_that_is_killed_and_started_again() {
    let server = Arc::new(RedisServer::start());
    let trial = trial(&server).await;
    for _ in 0..3 {
        server.kill();
        let faults = trial.suffer_alone(4).await;
        assert_eq!(kinds(&faults), [Unreachable]);
        assert!(fates(&faults).contains(&NotCharged));
        let restarting = server.clone();
        spawn_blocking(move || restarting.restart()).await.unwrap();
        // It has forgotten its scripts, too.
        assert_eq!(server.calls("eval"), 0);
        trial.recovers().await;
    }
}

#[actix_web::test]
async fn a_server_that_is_killed_under_load() {
    let server = Arc::new(RedisServer::start());
    let trial = trial(&server).await;
    let restarting = server.clone();
    let restart = spawn_blocking(move || (0..5).for_each(|_| restarting.restart()));
    while !restart.is_finished() {
        let faults = trial.suffer(1).await;
        assert!(faults.iter().all(|fault| fault.kind == Unreachable), "{faults:?}");
    }
    restart.await.unwrap();
    trial.recovers().await;
}

#[actix_web::test]
async fn what_does_not_wait_for_a_decision_ends_by_the_deadline_too() {
    let server = RedisServer::start();
    let backend = Arc::new(backend(server.url()));
    let trial = Trial::of(backend.clone());
    trial.begins().await;
    let limit = Limit::new("limit", rate("9/h")).algorithm(Algorithm::Gcra);
    server.freeze();
    let begun = Instant::now();
    let now = trial.0.now();
    let (health, reset, refund, ()) = join!(
        backend.health(),
        trial.0.reset(&limit, "key"),
        trial.0.refund(&limit, "key", now),
        async {
            sleep(DEADLINE * 2).await;
            assert!(begun.elapsed() < DEADLINE * 4, "this machine is too slow for the test");
        },
    );
    assert!(begun.elapsed() < DEADLINE * 4, "{:?}", begun.elapsed());
    assert_eq!(health.unwrap_err().kind(), Timeout);
    assert!(reset.is_err() && refund.is_err());
    server.thaw();
    trial.recovers().await;
    assert!(backend.health().await.is_ok());
    assert!(trial.ask_with(Local, "key").await.fault.is_none());
}
