//! A server that answers, but with errors.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use actix_smart_ratelimit::{
    Algorithm, Limit,
    OnError::Local,
    backend::{
        ErrorKind::{Setup, Unavailable},
        Fate::NotCharged,
    },
};
use futures_util::future::join_all;
use redis::Value;
use tokio::task::{JoinHandle, spawn_blocking, yield_now};

use super::{
    patient,
    support::{
        ports::free_port,
        rate,
        redis::{RedisServer, wait_until},
        trial::{Fault, Trial, assert_cause, counted, fates, kinds},
    },
    trial,
};

/// Has a server do something long while the test goes on.
fn begin(server: &Arc<RedisServer>, command: &'static [&'static str]) -> JoinHandle<()> {
    let server = server.clone();
    spawn_blocking(move || drop(server.ask::<Value>(command)))
}

/// Waits for the first check that the store does not decide.
async fn first_fault(trial: &Trial) -> Fault {
    loop {
        if let Some(fault) = trial.ask_with(Local, "first").await.fault {
            return fault;
        }
        yield_now().await;
    }
}

/// Makes a server forget its scripts again and again.
struct Flushes {
    over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Flushes {
    fn of(server: &Arc<RedisServer>) -> Self {
        let over = Arc::<AtomicBool>::default();
        let (server, told) = (server.clone(), over.clone());
        let flush = move || {
            while !told.load(SeqCst) {
                server.cli(&["SCRIPT", "FLUSH"]);
            }
        };
        Self { over, thread: Some(thread::spawn(flush)) }
    }
}

impl Drop for Flushes {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

#[actix_web::test]
async fn scripts_that_are_forgotten_under_load_are_not_noticed() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        let server = Arc::new(RedisServer::start());
        let trial = patient(server.url());
        let limit = Limit::new("flushed", rate("1000/h")).algorithm(algorithm);
        let flushes = Flushes::of(&server);
        let mut admitted = 0;
        for _ in 0..150 {
            let answers = join_all((0..20).map(|_| trial.ask(&limit, "hot"))).await;
            assert!(answers.iter().all(|answer| answer.fault.is_none()), "{answers:?}");
            admitted += answers.iter().filter(|answer| answer.outcome.is_allowed()).count();
        }
        drop(flushes);
        assert_eq!(admitted, 1_000);
        assert!(server.calls("eval") > 5, "hardly any script was forgotten");
    }
}

#[actix_web::test]
async fn a_server_that_loads_its_data() {
    let server = Arc::new(RedisServer::with(&[
        "--enable-debug-command",
        "yes",
        "--loading-process-events-interval-bytes",
        "1024",
        "--rdbcompression",
        "no",
    ]));
    let trial = trial(&server).await;
    for number in 0..200 {
        server.cli(&["SET", &format!("filler{number}"), &"x".repeat(1_500)]);
    }
    server.cli(&["CONFIG", "SET", "key-load-delay", "8000"]);
    let reload = begin(&server, &["DEBUG", "RELOAD"]);
    assert_cause(&[first_fault(&trial).await], "loading");
    let faults = trial.suffer_alone(5).await;
    assert_eq!((kinds(&faults), fates(&faults)), (vec![Unavailable], vec![NotCharged]));
    assert!(!reload.is_finished(), "the data were loaded too fast for this test");
    reload.await.unwrap();
    trial.recovers().await;
}

#[actix_web::test]
async fn a_server_that_loads_its_data_when_it_starts() {
    let server = Arc::new(RedisServer::with(&[
        "--key-load-delay",
        "5000",
        "--loading-process-events-interval-bytes",
        "1024",
        "--rdbcompression",
        "no",
    ]));
    let trial = trial(&server).await;
    for number in 0..200 {
        server.cli(&["SET", &format!("filler{number}"), &"x".repeat(1_500)]);
    }
    server.cli(&["SAVE"]);
    let restarting = server.clone();
    let restart = spawn_blocking(move || restarting.restart());
    let mut faults = Vec::new();
    while !restart.is_finished() {
        faults.extend(trial.suffer(1).await);
    }
    restart.await.unwrap();
    faults.retain(|fault| fault.kind == Unavailable);
    assert_cause(&faults, "loading");
    assert_eq!(fates(&faults), [NotCharged]);
    trial.recovers().await;
}

#[actix_web::test]
async fn a_server_that_becomes_a_replica_and_a_primary_again() {
    let server = RedisServer::start();
    let trial = trial(&server).await;
    server.cli(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
    let before: u64 = server.info("stats", "total_connections_received").parse().unwrap();
    let faults = trial.suffer_alone(8).await;
    assert_eq!((kinds(&faults), fates(&faults)), (vec![Unavailable], vec![NotCharged]));
    assert!(faults.iter().any(|fault| fault.cause.contains("READONLY")), "{:?}", faults[0]);
    let after: u64 = server.info("stats", "total_connections_received").parse().unwrap();
    assert!(after - before < 12, "{} connections in less than a second", after - before);
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    trial.recovers().await;
}

#[actix_web::test]
async fn a_server_without_memory() {
    let server = RedisServer::with(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let trial = trial(&server).await;
    let filler = "x".repeat(10_000);
    let full = (0..).find_map(|number| {
        let name = format!("filler{number}");
        server.ask::<Value>(&["SET", &name, &filler]).err()
    });
    assert_eq!(full.unwrap().code(), Some("OOM"));
    // What the filler took last may have been given back.
    server.cli(&["CONFIG", "SET", "maxmemory", "2mb"]);
    let faults = trial.suffer_alone(5).await;
    assert_eq!((kinds(&faults), fates(&faults)), (vec![Unavailable], vec![NotCharged]));
    assert_cause(&faults, "OOM");
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    trial.recovers().await;
}

#[actix_web::test]
async fn a_server_that_is_busy_with_a_script_of_others() {
    let server = Arc::new(RedisServer::with(&["--busy-reply-threshold", "10"]));
    let trial = trial(&server).await;
    let script = begin(&server, &["EVAL", "while true do end", "0"]);
    assert_cause(&[first_fault(&trial).await], "BUSY");
    let faults = trial.suffer_alone(5).await;
    assert_eq!((kinds(&faults), fates(&faults)), (vec![Unavailable], vec![NotCharged]));
    assert_cause(&faults, "BUSY");
    server.cli(&["SCRIPT", "KILL"]);
    script.await.unwrap();
    trial.recovers().await;
}

#[actix_web::test]
async fn a_server_that_cannot_save() {
    let server = RedisServer::with(&["--stop-writes-on-bgsave-error", "yes"]);
    let trial = trial(&server).await;
    let folder = server.cli(&["CONFIG", "GET", "dir"]);
    let obstacle = PathBuf::from(folder.lines().last().unwrap()).join("dump.rdb");
    fs::create_dir(&obstacle).unwrap();
    server.cli(&["CONFIG", "SET", "save", "3600 1"]);
    save(&server, "err");
    let faults = trial.suffer_alone(5).await;
    assert_eq!((kinds(&faults), fates(&faults)), (vec![Unavailable], vec![NotCharged]));
    assert_cause(&faults, "MISCONF");
    fs::remove_dir(&obstacle).unwrap();
    save(&server, "ok");
    trial.recovers().await;
}

fn save(server: &RedisServer, expected: &str) {
    server.cli(&["BGSAVE"]);
    wait_until("the end of saving", || {
        server.info("persistence", "rdb_bgsave_in_progress") == "0"
            && server.info("persistence", "rdb_last_bgsave_status") == expected
    });
}

#[actix_web::test]
async fn a_foreign_value_at_a_key_disturbs_nobody_else_in_the_same_call() {
    let kinds_of_keys = [
        (counted("poisoned", 1_000), "ratelimit:poisoned:7"),
        (
            Limit::new("poisoned", rate("1000/h")).algorithm(Algorithm::Gcra),
            "ratelimit:poisoned:7:gcra",
        ),
        (
            Limit::new("poisoned", rate("1000/h")).algorithm(Algorithm::SlidingWindow),
            "ratelimit:poisoned:7",
        ),
    ];
    for (limit, key) in kinds_of_keys {
        let server = RedisServer::start();
        let trial = patient(server.url());
        trial.assert_works().await;
        server.cli(&["RPUSH", key, "a list"]);
        let before = server.calls("evalsha");
        let keys: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        let answers = join_all(keys.iter().map(|key| trial.ask(&limit, key))).await;
        for (number, answer) in answers.iter().enumerate() {
            assert_eq!(answer.fault.is_some(), number == 7, "{number}: {answer:?}");
        }
        let fault = answers[7].fault.as_ref().unwrap();
        assert_eq!((fault.kind, fault.fate), (Setup, NotCharged));
        assert_cause(std::slice::from_ref(fault), "WRONGTYPE");
        assert!(server.calls("evalsha") - before < 20, "the checks did not travel together");
        assert_eq!(server.cli(&["LRANGE", key, "0", "-1"]), "a list");
        server.cli(&["DEL", key]);
        assert!(trial.ask(&limit, "7").await.fault.is_none());
    }
}

#[actix_web::test]
async fn text_that_is_no_count_disturbs_nobody_else_in_the_same_call() {
    let server = RedisServer::start();
    let trial = patient(server.url());
    server.cli(&["SET", "ratelimit:poisoned:7", "many"]);
    let limit = counted("poisoned", 1_000);
    let keys: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    let answers = join_all(keys.iter().map(|key| trial.ask(&limit, key))).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.fault.is_some(), number == 7, "{number}: {answer:?}");
    }
    assert_eq!(answers[7].fault.as_ref().unwrap().kind, Setup);
    assert_eq!(server.cli(&["GET", "ratelimit:poisoned:7"]), "many");
}
