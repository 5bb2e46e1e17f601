//! Several processes share one limit: none is admitted too many, none too few, whatever the algorithm.
//!
//! `ROUNDS` sets how often each of their tasks asks of each algorithm. In release mode that is often
//! enough for 200,000 checks in PostgreSQL, 100,000 in MariaDB and 50,000 in SQLite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{env, sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, Batch, Check, Policy, Rate, Timestamp, WindowStart,
    backend::{Backend, Progress, database::DatabaseBackend},
};
use futures_util::future::join_all;
use support::{
    database::{MysqlServer, PostgresServer},
    processes,
};

const PROCESSES: usize = 4;
const TASKS: usize = 32;
/// Keys beside the one that everybody fights for.
const KEYS: usize = 40;
/// Keys among which checks are spread, fewer where there are not four for each.
const SPREAD: usize = 1_000;
/// Permits of each of them.
const SPREAD_LIMIT: u32 = 2;
/// How often a task asks in a debug build.
const FEW_ROUNDS: usize = 8;
/// Keys that all processes see for the first time.
const NEW_KEYS: u64 = 100;

/// A policy of which nothing comes back while the test runs.
fn policy(algorithm: Algorithm, limit: u32) -> Policy {
    let rate = Rate::new(limit, 366 * 86_400 * 1_000_000).unwrap();
    match algorithm {
        Algorithm::FixedWindow => {
            let first = Policy::builder(algorithm, rate).window_start(WindowStart::FirstRequest);
            first.build().unwrap()
        }
        Algorithm::TokenBucket | Algorithm::LeakyBucket => {
            Policy::builder(algorithm, rate).refill_rate(0.0).build().unwrap()
        }
        _ => Policy::new(algorithm, rate),
    }
}

/// Every algorithm; the fixed window also on the clock, as a counter.
fn policies(limit: u32) -> Vec<(String, Policy)> {
    let rate = Rate::new(limit, 366 * 86_400 * 1_000_000).unwrap();
    let clock = ("counter".to_owned(), Policy::new(Algorithm::FixedWindow, rate));
    let others = Algorithm::NAMES
        .iter()
        .map(|(name, algorithm)| ((*name).to_owned(), policy(*algorithm, limit)));
    others.chain([clock]).collect()
}

/// Asks for `rounds` permits of one hot key by each task, each together with one of many keys, and
/// tells how many were admitted. Odd tasks ask in the opposite order.
async fn admitted(url: &str, name: &str, policy: &Policy, rounds: usize) -> u64 {
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_secs(60)).denial_cache(0);
    let backend = Arc::new(builder.connections(3).build().unwrap());
    let wide = self::policy(Algorithm::Gcra, 1_000_000);
    let tasks = (0..TASKS).map(|task| {
        let (backend, wide) = (backend.clone(), wide.clone());
        async move {
            let mut admitted = 0;
            for round in 0..rounds {
                let hot = format!("hot:{name}");
                let other = format!("other:{name}:{}", (task * 7 + round) % KEYS);
                let mut checks = [(&hot, policy), (&other, &wide)];
                if task % 2 == 1 {
                    checks.reverse();
                }
                let mut batch = Batch::new(Timestamp::ZERO);
                for (key, policy) in checks {
                    batch.push(Check { key, policy, cost: 1 }).unwrap();
                }
                let Progress::Pending(verdict) = backend.check(&mut batch) else { panic!() };
                admitted += u64::from(verdict.await.unwrap().is_allowed());
            }
            admitted
        }
    });
    join_all(tasks).await.into_iter().sum()
}

/// Which keys a task asks for, one after the other; the task of the same number in another process asks
/// for the same ones.
fn spread(task: usize, rounds: usize) -> impl Iterator<Item = usize> {
    let keys = SPREAD.min(TASKS * rounds);
    (0..rounds).map(move |round| (round * TASKS + task) % keys)
}

/// How often this key is asked for by all processes.
fn asked(key: usize, rounds: usize) -> usize {
    let all = (0..TASKS).flat_map(|task| spread(task, rounds));
    PROCESSES * all.filter(|asked| *asked == key).count()
}

/// Asks for one permit of many keys in turn by each task, and tells how many each of them admitted.
async fn admitted_each(url: &str, name: &str, policy: &Policy, rounds: usize) -> Vec<usize> {
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_secs(60)).denial_cache(0);
    let backend = Arc::new(builder.connections(3).build().unwrap());
    let tasks = (0..TASKS).map(|task| {
        let backend = backend.clone();
        async move {
            let mut admitted = Vec::new();
            for key in spread(task, rounds) {
                let name = format!("spread:{name}:{key}");
                let mut batch = Batch::of(Timestamp::ZERO, Check { key: &name, policy, cost: 1 });
                let Progress::Pending(verdict) = backend.check(&mut batch) else { panic!() };
                admitted.extend(verdict.await.unwrap().is_allowed().then_some(key));
            }
            admitted
        }
    });
    let mut each = vec![0; SPREAD];
    for key in join_all(tasks).await.into_iter().flatten() {
        each[key] += 1;
    }
    each
}

/// Asks once for each of many keys that nobody has seen, as all others do at the same time, and tells
/// how many were admitted.
async fn first(url: &str, name: &str, policy: &Policy) -> u64 {
    let builder = DatabaseBackend::builder(url).deadline(Duration::from_secs(60)).denial_cache(0);
    let backend = builder.build().unwrap();
    let mut admitted = 0;
    for key in 0..NEW_KEYS {
        let key = format!("new:{name}:{key}");
        let mut batch = Batch::of(Timestamp::ZERO, Check { key: &key, policy, cost: 1 });
        let Progress::Pending(verdict) = backend.check(&mut batch) else { panic!() };
        admitted += u64::from(verdict.await.unwrap().is_allowed());
    }
    admitted
}

/// What each of several processes does: all algorithms one after the other.
fn play(role: &str) {
    let (url, rounds) = role.split_once(' ').unwrap();
    let rounds: usize = rounds.parse().unwrap();
    actix_web::rt::System::new().block_on(async {
        for (name, policy) in policies(limit(rounds)) {
            processes::say(admitted(url, &name, &policy, rounds).await);
        }
        for (name, policy) in policies(1) {
            processes::say(first(url, &name, &policy).await);
        }
        for (name, policy) in policies(SPREAD_LIMIT) {
            for admitted in admitted_each(url, &name, &policy, rounds).await {
                processes::say(admitted);
            }
        }
    });
}

/// Half of what all processes ask for.
fn limit(rounds: usize) -> u32 {
    u32::try_from(PROCESSES * TASKS * rounds / 2).unwrap()
}

/// `full` is how often a task asks in release mode.
fn admits_exactly(test: &str, url: &str, full: usize) {
    let default = if cfg!(debug_assertions) { FEW_ROUNDS } else { full };
    let rounds = env::var("ROUNDS").map_or(default, |rounds| rounds.parse().unwrap());
    actix_web::rt::System::new().block_on(async {
        DatabaseBackend::connect(url).unwrap().migrate().await.unwrap();
    });
    let role = format!("{url} {rounds}");
    let workers: Vec<_> = (0..PROCESSES).map(|_| processes::spawn_self(test, &role)).collect();
    let told: Vec<Vec<u64>> =
        workers.into_iter().map(|worker| worker.numbers().collect()).collect();
    let policies = policies(1);
    let total = |index: usize| told.iter().map(|of_process| of_process[index]).sum::<u64>();
    let asked: Vec<_> = (0..SPREAD).map(|key| asked(key, rounds)).collect();
    let due = asked.iter().map(|asked| (*asked as u64).min(SPREAD_LIMIT.into()));
    let due: Vec<_> = due.collect();
    for (index, (name, _)) in policies.iter().enumerate() {
        assert_eq!(total(index), u64::from(limit(rounds)), "one hot key, {name}");
        assert_eq!(total(policies.len() + index), NEW_KEYS, "new keys, {name}");
        let begin = 2 * policies.len() + index * SPREAD;
        let admitted: Vec<_> = (begin..begin + SPREAD).map(total).collect();
        assert_eq!(admitted, due, "many keys, {name}");
    }
    let spread: usize = asked.iter().sum();
    println!("{} checks", policies.len() * (2 * PROCESSES * TASKS * rounds + spread));
}

#[test]
fn processes_that_share_postgres_admit_exactly_the_limit() {
    if let Some(role) = processes::role() {
        return play(&role);
    }
    let server = PostgresServer::shared();
    let test = "processes_that_share_postgres_admit_exactly_the_limit";
    admits_exactly(test, &server.database(), 80);
}

#[test]
fn processes_that_share_mysql_admit_exactly_the_limit() {
    if let Some(role) = processes::role() {
        return play(&role);
    }
    let server = MysqlServer::shared();
    let test = "processes_that_share_mysql_admit_exactly_the_limit";
    admits_exactly(test, &server.database(), 40);
}

#[test]
fn processes_that_share_sqlite_admit_exactly_the_limit() {
    if let Some(role) = processes::role() {
        return play(&role);
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("limits.sqlite").display());
    admits_exactly("processes_that_share_sqlite_admit_exactly_the_limit", &url, 20);
}
