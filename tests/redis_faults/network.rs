//! A network that delays, loses and cuts.

use std::time::{Duration, Instant};

use actix_smart_ratelimit::{
    OnError::Local,
    backend::{
        ErrorKind::{Timeout, Unavailable, Unreachable},
        Fate::NotCharged,
    },
};
use futures_util::future::join_all;
use tokio::{task::yield_now, time::sleep};

use super::{
    backend, patient,
    support::{
        ports::free_port,
        proxy::{ChaosProxy, Mode},
        redis::{PATIENCE, RedisServer},
        trial::{DEADLINE, Trial, ample, assert_cause, fates, kinds},
    },
};

/// Long enough for a network to be given up.
const LONG: Duration = Duration::from_secs(3_600);
/// A connection that ends earlier counts as one that could not be made.
const LASTING: Duration = Duration::from_millis(450);

/// A server behind a proxy that passes everything so far.
async fn proxied() -> (RedisServer, ChaosProxy, Trial) {
    let server = RedisServer::start();
    let proxy = ChaosProxy::to(server.address());
    let trial = Trial::of(backend(proxy.url()));
    trial.begins().await;
    (server, proxy, trial)
}

/// Most attempts to connect in a time, by one lane.
fn most_attempts(time: Duration) -> u64 {
    8 + u64::try_from(time.as_millis()).unwrap() / 200
}

#[actix_web::test]
async fn answers_that_do_not_come_in_time() {
    let late = Mode::Latency(DEADLINE * 3);
    let ways =
        [late, Mode::Slice(1, LONG), Mode::Blackhole, Mode::SwallowReplies, Mode::SwallowRequests];
    for mode in ways {
        let (_server, proxy, trial) = proxied().await;
        let (begun, before) = (Instant::now(), proxy.accepted());
        proxy.set(mode);
        let faults = trial.suffer_alone(8).await;
        assert_eq!(kinds(&faults), [Timeout], "{mode:?}");
        assert!(fates(&faults).contains(&NotCharged), "{mode:?}: nobody was told before sending");
        let attempts = proxy.accepted() - before;
        assert!(attempts <= most_attempts(begun.elapsed()), "{mode:?}: {attempts} connections");
        proxy.set(Mode::Pass);
        trial.recovers().await;
    }
}

#[actix_web::test]
async fn answers_that_come_late_but_in_time() {
    let server = RedisServer::start();
    let proxy = ChaosProxy::to(server.address());
    let trial = patient(proxy.url());
    proxy.set(Mode::Latency(DEADLINE));
    for _ in 0..3 {
        let answers = join_all((0..20).map(|_| trial.ask_with(Local, "late"))).await;
        assert!(answers.iter().all(|answer| answer.fault.is_none()), "{answers:?}");
    }
}

#[actix_web::test]
async fn connections_that_are_refused_or_closed() {
    for mode in [Mode::Refuse, Mode::Hangup, Mode::CutAfter(0), Mode::CutAfter(400)] {
        let (_server, proxy, trial) = proxied().await;
        let (begun, before) = (Instant::now(), proxy.accepted());
        proxy.set(mode);
        proxy.cut();
        trial.suffer(1).await;
        let faults = trial.suffer(10).await;
        assert_eq!(kinds(&faults), [Unreachable], "{mode:?}");
        let attempts = proxy.accepted() - before;
        assert!(attempts <= most_attempts(begun.elapsed()), "{mode:?}: {attempts} connections");
        proxy.set(Mode::Pass);
        trial.recovers().await;
    }
}

#[actix_web::test]
async fn a_port_where_nobody_listens() {
    let trial = Trial::of(backend(format!("redis://127.0.0.1:{}", free_port())));
    let faults = trial.suffer_alone(5).await;
    assert_eq!((kinds(&faults), fates(&faults)), (vec![Unreachable], vec![NotCharged]));
    assert_cause(&faults, "refused");
}

#[actix_web::test]
async fn calls_that_are_cut_in_the_middle() {
    let (_server, proxy, trial) = proxied().await;
    for round in 0..20 {
        let checks = join_all((0..20).map(|_| trial.ask_with(Local, "cut")));
        let cut = async {
            for _ in 0..round % 5 {
                yield_now().await;
            }
            proxy.cut();
        };
        let (answers, ()) = futures_util::future::join(checks, cut).await;
        let faults: Vec<_> = answers.into_iter().filter_map(|answer| answer.fault).collect();
        assert!(faults.iter().all(|fault| fault.kind == Unreachable), "{faults:?}");
        trial.recovers().await;
    }
}

#[actix_web::test]
async fn an_idle_connection_that_the_server_closes_is_mended_before_the_next_check() {
    let server = RedisServer::start();
    let proxy = ChaosProxy::to(server.address());
    let trial = patient(proxy.url());
    trial.assert_works().await;
    for _ in 0..4 {
        let before = proxy.accepted();
        sleep(LASTING).await;
        server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        let begun = Instant::now();
        while proxy.accepted() == before {
            assert!(begun.elapsed() < PATIENCE, "the lane does not connect again");
            sleep(Duration::from_millis(1)).await;
        }
        trial.assert_works().await;
        assert_eq!(proxy.accepted(), before + 1);
    }
}

#[actix_web::test]
async fn more_checks_than_can_wait_are_turned_away() {
    let (_server, proxy, trial) = proxied().await;
    proxy.set(Mode::Blackhole);
    let limit = ample(Local);
    let answers = join_all((0..17_000).map(|_| trial.ask(&limit, "crowd"))).await;
    let faults: Vec<_> = answers.into_iter().filter_map(|answer| answer.fault).collect();
    assert_eq!(faults.len(), 17_000);
    let turned_away: Vec<_> = faults.into_iter().filter(|f| f.kind == Unavailable).collect();
    assert_eq!(fates(&turned_away), [NotCharged]);
    assert_cause(&turned_away, "too many checks are waiting");
    proxy.set(Mode::Pass);
    trial.recovers().await;
}
