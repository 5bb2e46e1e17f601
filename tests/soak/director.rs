//! Starts the stores and the processes, lets stores fail at random, and has the history judged.

use std::{
    collections::BTreeMap,
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use actix_smart_ratelimit::backend::database::DatabaseBackend;
use fastrand::Rng;

use super::{
    checker::{Promise, Setting, faults},
    history::{Ended, History, Line, Result as Came, Span},
    support::{
        database::PostgresServer,
        processes,
        proxy::{ChaosProxy, Mode},
        redis::RedisServer,
    },
    worker::{PER_SECOND, TOTAL, limits, now},
};

const PROCESSES: u32 = 3;
const SECOND: u64 = 1_000_000_000;
const TEST: &str = "processes_whose_stores_fail_admit_no_more_than_they_may";

/// Both stores behind proxies.
struct Stores {
    redis: RedisServer,
    postgres: PostgresServer,
    proxies: [ChaosProxy; 2],
}

pub(crate) fn direct(seconds: u64) {
    let seed = Rng::new().u64(..);
    let mut rng = Rng::with_seed(seed);
    let (redis, postgres) = (RedisServer::start(), PostgresServer::start());
    let url = postgres.database();
    migrate(&url);
    let proxies = [ChaosProxy::to(redis.address()), ChaosProxy::to(postgres.address())];
    let proxied = url.replace(&postgres.address().to_string(), &proxies[1].address().to_string());
    let folder = tempfile::tempdir().unwrap();
    let role = |number| {
        let (redis, folder) = (proxies[0].url(), folder.path().display().to_string());
        format!("{number} {redis} {proxied} {seconds} {folder}")
    };
    let started: Vec<_> =
        (0..PROCESSES).map(|number| processes::spawn_self(TEST, &role(number))).collect();
    let stores = Stores { redis, postgres, proxies };
    let mut history = History::default();
    let begun = Instant::now();
    let mut failed = BTreeMap::<&str, u32>::new();
    sleep(Duration::from_secs(1));
    stores.fail_together();
    while begun.elapsed() < Duration::from_secs(seconds) {
        sleep(Duration::from_millis(rng.u64(200..1_500)));
        *failed.entry(stores.fail(&mut rng, &mut history)).or_default() += 1;
    }
    let decided: u64 = started.into_iter().map(|process| process.numbers().sum::<u64>()).sum();
    for number in 0..PROCESSES {
        let path = folder.path().join(format!("process{number}"));
        history.read(&fs::read_to_string(path).unwrap());
    }
    println!("seed {seed}: {decided} requests in {seconds} s, faults {failed:?}");
    tell(&history);
    assert_met_everything(&history);
    let found = faults(&history, &setting());
    assert!(found.is_empty(), "{} faults: {:#?}", found.len(), &found[..found.len().min(10)]);
}

fn migrate(url: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(DatabaseBackend::connect(url).unwrap().migrate()).unwrap();
}

/// What was promised.
fn setting() -> Setting {
    let promise = |limit: &actix_smart_ratelimit::Limit| {
        let name = limit.name().to_owned();
        let promise = match &*name {
            "steady" => Promise {
                permits: PER_SECOND.into(),
                interval: Some(SECOND / u64::from(PER_SECOND)),
            },
            _ => Promise { permits: TOTAL.into(), interval: None },
        };
        (name, promise)
    };
    Setting {
        promises: limits().iter().map(promise).collect(),
        stores: vec!["redis".to_owned(), "postgres".to_owned()],
        processes: PROCESSES.into(),
        patience: 10 * SECOND,
    }
}

impl Stores {
    /// Both stores are away for so long that limits kept locally refuse: chance alone may not bring it.
    fn fail_together(&self) {
        for proxy in &self.proxies {
            proxy.set(Mode::Refuse);
            proxy.cut();
        }
        sleep(Duration::from_secs(3));
        self.proxies.iter().for_each(|proxy| proxy.set(Mode::Pass));
    }

    /// Lets one store fail for a while, or both, and names what it did.
    fn fail(&self, rng: &mut Rng, history: &mut History) -> &'static str {
        let time = Duration::from_millis(rng.u64(100..1_500));
        let both = [&self.proxies[..1], &self.proxies[1..], &self.proxies[..]];
        let proxies = both[rng.usize(..3)];
        let through = |mode: Mode, cuts: bool| {
            for proxy in proxies {
                proxy.set(mode);
                if cuts {
                    proxy.cut();
                }
            }
            sleep(time);
            proxies.iter().for_each(|proxy| proxy.set(Mode::Pass));
        };
        match rng.u32(..10) {
            0 => {
                let begun = now();
                self.redis.kill();
                sleep(time);
                self.redis.restart();
                let place = "redis".to_owned();
                history.add(Line::Loss(Span { process: 0, place, begun, ended: now() }));
                return "redis killed";
            }
            1 => {
                self.postgres.kill();
                sleep(time);
                self.postgres.restart();
                return "postgres killed";
            }
            2 => {
                self.redis.freeze();
                sleep(time);
                self.redis.thaw();
                return "redis frozen";
            }
            3 => {
                self.postgres.freeze_all();
                sleep(time);
                self.postgres.thaw_all();
                return "postgres frozen";
            }
            4 => through(Mode::Blackhole, false),
            5 => through(Mode::Latency(Duration::from_millis(rng.u64(20..1_000))), false),
            6 => through(Mode::CutAfter(rng.usize(..200)), false),
            7 => through(Mode::Refuse, true),
            8 => through(Mode::SwallowReplies, false),
            _ => {
                for _ in 0..4 {
                    proxies.iter().for_each(|proxy| proxy.set(Mode::Refuse));
                    proxies.iter().for_each(ChaosProxy::cut);
                    sleep(Duration::from_millis(200));
                    proxies.iter().for_each(|proxy| proxy.set(Mode::Pass));
                    sleep(Duration::from_millis(200));
                }
                return "flapping";
            }
        }
        "network"
    }
}

fn tell(history: &History) {
    let mut counts = BTreeMap::<(&str, String), u64>::new();
    for attempt in &history.attempts {
        *counts.entry((&attempt.place, format!("{:?}", attempt.result))).or_default() += 1;
    }
    let otherwise = |request: &&super::history::Request| {
        !matches!(request.outcome, Ended::Allowed | Ended::Refused)
    };
    let errors = history.requests.iter().filter(otherwise).count();
    let mut waits: Vec<_> =
        history.requests.iter().map(|request| request.ended - request.begun).collect();
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 1_000] / 1_000;
    println!("{counts:?}");
    println!(
        "errors {errors}, probes {}, pauses {}, losses {}; decided in µs: p50 {}, p99 {}, p99.9 {}",
        history.probes.len(),
        history.pauses.len(),
        history.losses.len(),
        at(500),
        at(990),
        at(999)
    );
}

/// A run in which nothing happens proves nothing.
fn assert_met_everything(history: &History) {
    for place in ["redis", "postgres", "local"] {
        for result in [Came::Allowed, Came::Refused] {
            let met = |attempt: &&super::history::Attempt| {
                (&*attempt.place, attempt.result) == (place, result)
            };
            assert!(history.attempts.iter().any(|attempt| met(&attempt)), "{place} {result:?}");
        }
    }
    assert!(!history.pauses.is_empty() && !history.probes.is_empty());
}
