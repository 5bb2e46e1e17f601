//! Several runtimes, as the workers of Actix are, and few connections.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use actix_smart_ratelimit::backend::{Backend, redis::RedisBackend};
use futures_util::{FutureExt, future::join_all};
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

use super::{
    patient_with,
    support::{
        redis::{RedisServer, wait_until},
        trial::{Trial, counted},
    },
};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn trial(server: &RedisServer, connections: usize) -> Trial {
    patient_with(RedisBackend::builder(server.url()).connections(connections))
}

/// Connections but for the one that asks.
fn connections(server: &RedisServer) -> usize {
    server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).lines().count() - 1
}

/// Asks 400 times for the same 500 permits, and tells how many were given.
async fn ask(trial: &Trial) -> usize {
    let limit = counted("hot", 500);
    let mut admitted = 0;
    for _ in 0..20 {
        let answers = join_all((0..20).map(|_| trial.ask(&limit, "hot"))).await;
        assert!(answers.iter().all(|answer| answer.fault.is_none()), "{answers:?}");
        admitted += answers.iter().filter(|answer| answer.outcome.is_allowed()).count();
    }
    admitted
}

/// Asks from four runtimes at once, which run until all have been answered. Tells how much was admitted
/// and how many connections there were.
fn ask_from_four(server: &RedisServer, trial: &Trial) -> (usize, usize) {
    let answered = AtomicUsize::new(0);
    let work = || {
        runtime().block_on(async {
            let admitted = ask(trial).await;
            answered.fetch_add(1, SeqCst);
            while answered.load(SeqCst) < 5 {
                sleep(Duration::from_millis(1)).await;
            }
            admitted
        })
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        wait_until("answers for all", || {
            answered.load(SeqCst) == 4 || workers.iter().any(ScopedJoinHandle::is_finished)
        });
        let connections = connections(server);
        answered.fetch_add(1, SeqCst);
        (workers.into_iter().map(|worker| worker.join().unwrap()).sum(), connections)
    })
}

#[test]
fn each_runtime_has_a_connection_or_they_share_those_there_may_be() {
    for (most, expected) in [(8, 4), (2, 2), (1, 1)] {
        let server = RedisServer::start();
        let trial = trial(&server, most);
        assert_eq!(ask_from_four(&server, &trial), (500, expected));
    }
}

#[test]
fn a_runtime_that_ends_is_replaced() {
    let server = RedisServer::start();
    let trial = trial(&server, 1);
    for _ in 0..5 {
        runtime().block_on(trial.assert_works());
        wait_until("the connection of a runtime that has ended is closed", || {
            connections(&server) == 0
        });
    }
}

#[test]
fn outside_of_a_runtime_nothing_can_be_asked_but_nothing_breaks() {
    let server = RedisServer::start();
    let backend = RedisBackend::connect(&server.url()).unwrap();
    let error = backend.health().now_or_never().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "rate limit store: not reachable");
}

#[test]
fn a_backend_that_is_dropped_closes_its_connections() {
    let server = RedisServer::start();
    let runtime = runtime();
    runtime.block_on(async {
        let trial = trial(&server, 1);
        trial.assert_works().await;
        assert_eq!(connections(&server), 1);
        drop(trial);
        while connections(&server) > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    });
}
