//! The primary that Sentinels name.

use std::time::{Duration, Instant};

use actix_smart_ratelimit::{
    OnError::Local,
    backend::{
        ErrorKind::{Setup, Unreachable},
        Fate::NotCharged,
        redis::RedisBackend,
    },
};
use futures_util::future::join_all;
use tokio::time::sleep;

use super::{
    patient_with,
    support::{
        ports::free_port,
        redis::{PATIENCE, RedisServer, Sentinel, wait_until},
        trial::{Answer, Trial, assert_cause, counted, fates, kinds},
    },
};

/// Where `counted` keeps what the key `hot` has taken.
const HOT: &str = "ratelimit:counted:hot";

fn trial(name: &str, urls: Vec<String>) -> Trial {
    Trial::of(RedisBackend::sentinel(name, urls).denial_cache(0).build().unwrap())
}

async fn wave(trial: &Trial) -> Vec<Answer> {
    let limit = counted("counted", 1_000_000);
    join_all((0..20).map(|_| trial.ask(&limit, "hot"))).await
}

fn decided(answers: &[Answer]) -> u64 {
    answers.iter().filter(|answer| answer.fault.is_none()).count() as u64
}

fn count(server: &RedisServer) -> u64 {
    server.cli(&["GET", HOT]).parse().unwrap_or(0)
}

/// Asks until the store decides all of a wave, and tells how many it decided.
async fn until_decided(trial: &Trial) -> u64 {
    let (begun, mut admitted) = (Instant::now(), 0);
    loop {
        let answers = wave(trial).await;
        admitted += decided(&answers);
        if decided(&answers) == 20 {
            return admitted;
        }
        assert!(begun.elapsed() < PATIENCE, "{:?}", answers[0].fault);
        sleep(Duration::from_millis(10)).await;
    }
}

#[actix_web::test]
async fn the_replica_that_takes_the_place_of_a_dead_primary_decides() {
    let sentinel = Sentinel::start();
    let trial = trial(sentinel.master_name(), sentinel.urls());
    let before = until_decided(&trial).await;
    assert_eq!(count(sentinel.primary()), before);
    wait_until("replication", || count(sentinel.replica()) == before);
    let dead = sentinel.kill_primary();
    // While the Sentinels have not agreed, nobody decides, but limits do.
    let meanwhile = wave(&trial).await;
    assert!(meanwhile.iter().all(|answer| answer.outcome.is_allowed()));
    assert_eq!(decided(&meanwhile), 0);
    let successor = sentinel.successor(dead);
    trial.recovers().await;
    let after = until_decided(&trial).await;
    assert_eq!(count(successor), before + after);
}

#[actix_web::test]
async fn a_primary_that_becomes_a_replica_is_left_for_the_new_one() {
    let sentinel = Sentinel::start();
    let trial = trial(sentinel.master_name(), sentinel.urls());
    let mut admitted = until_decided(&trial).await;
    let before = sentinel.primary();
    sentinel.sentinels()[0].cli(&["SENTINEL", "FAILOVER", sentinel.master_name()]);
    let begun = Instant::now();
    while sentinel.primary().port() == before.port() || !is_replica(before) {
        assert!(begun.elapsed() < PATIENCE);
        let answers = wave(&trial).await;
        admitted += decided(&answers);
    }
    trial.recovers().await;
    admitted += until_decided(&trial).await;
    let held = count(sentinel.primary());
    // What the old primary had not yet handed on is lost.
    assert!((20..=admitted).contains(&held), "{held} of {admitted}");
    let more = until_decided(&trial).await;
    assert_eq!(count(sentinel.primary()), held + more);
}

/// A server closes connections when it becomes one.
fn is_replica(server: &RedisServer) -> bool {
    server.ask::<String>(&["INFO", "replication"]).is_ok_and(|info| info.contains("role:slave"))
}

#[actix_web::test]
async fn a_dead_sentinel_is_passed_over() {
    let sentinel = Sentinel::start();
    let mut urls = vec![format!("redis://127.0.0.1:{}", free_port())];
    urls.extend(sentinel.urls());
    patient_with(RedisBackend::sentinel(sentinel.master_name(), urls)).assert_works().await;
}

#[actix_web::test]
async fn sentinels_that_know_no_such_primary_or_are_none_are_told_of_in_time() {
    let sentinel = Sentinel::start();
    let nobody = vec![format!("redis://127.0.0.1:{}", free_port())];
    for (name, urls, kind, cause) in [
        ("unknown", sentinel.urls(), Setup, "not found in sentinel"),
        (sentinel.master_name(), nobody, Unreachable, "refused"),
        (sentinel.master_name(), vec![sentinel.primary().url()], Setup, "not point to a sentinel"),
    ] {
        let faults = trial(name, urls).suffer_alone(3).await;
        assert_eq!((kinds(&faults), fates(&faults)), (vec![kind], vec![NotCharged]));
        assert_cause(&faults, cause);
    }
}

#[actix_web::test]
async fn sentinels_and_servers_have_logins_of_their_own() {
    let sentinel = Sentinel::start();
    for server in [sentinel.primary(), sentinel.replica()] {
        server.cli(&["ACL", "SETUSER", "limiter", "on", ">pw", "~*", "+@all"]);
        // Until then nobody needs a password.
        server.cli(&["ACL", "SETUSER", "default", "-@scripting"]);
    }
    let builder = || RedisBackend::sentinel(sentinel.master_name(), sentinel.urls());
    let stranger = Trial::of(builder().build().unwrap());
    assert_eq!(kinds(&stranger.suffer_alone(1).await), [Setup]);
    let trial = patient_with(builder().login(Some("limiter"), "pw").database(4));
    assert!(trial.ask_with(Local, "key").await.fault.is_none());
    assert!(sentinel.primary().info("keyspace", "db4").starts_with("keys="));
}
