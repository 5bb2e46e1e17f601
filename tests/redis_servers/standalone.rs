//! One server, in each way to reach it.

use actix_smart_ratelimit::{Algorithm, Limit, Outcome};
use futures_util::future::join_all;

use super::{
    patient,
    support::{rate, redis::RedisServer, trial::counted},
};

/// The permissions that docs/redis.md names as enough.
fn permissions() -> Vec<&'static str> {
    let page = include_str!("../../docs/redis.md");
    let (_, rest) = page.split_once("A user of its own needs").unwrap();
    let (list, _) = rest.split_once("With a").unwrap();
    let words = list.split(|c: char| c.is_whitespace() || "`,.".contains(c));
    words.filter(|word| word.starts_with(['+', '~'])).collect()
}

/// Admits exactly what every algorithm allows, and forgets it when told to.
async fn assert_serves(url: &str) {
    let trial = patient(url);
    let algorithms = [
        Algorithm::FixedWindow,
        Algorithm::SlidingWindow,
        Algorithm::SlidingWindowCounter,
        Algorithm::TokenBucket,
        Algorithm::LeakyBucket,
        Algorithm::Gcra,
    ];
    for algorithm in algorithms {
        let limit = Limit::new(format!("{algorithm:?}"), rate("20/d")).algorithm(algorithm);
        for _ in 0..2 {
            let answers = join_all((0..40).map(|_| trial.ask(&limit, "hot"))).await;
            assert!(answers.iter().all(|answer| answer.fault.is_none()), "{url}: {answers:?}");
            let admitted = answers.iter().filter(|answer| answer.outcome.is_allowed()).count();
            assert_eq!(admitted, 20, "{url}: {algorithm:?}");
            trial.0.reset(&limit, "hot").await.unwrap();
        }
    }
    let limit = counted("refunded", 1);
    for _ in 0..3 {
        let Outcome::Decided { decision, decided_at, .. } = trial.ask(&limit, "hot").await.outcome
        else {
            panic!("not decided")
        };
        assert!(decision.is_allowed());
        trial.0.refund(&limit, "hot", decided_at).await.unwrap();
    }
    trial.0.backend("store").unwrap().health().await.unwrap();
}

#[actix_web::test]
async fn by_tcp_and_by_unix_socket_with_either_protocol() {
    let server = RedisServer::start();
    for url in [server.url(), server.unix_url()] {
        for end in ["", "?protocol=resp2", "?protocol=resp3"] {
            server.cli(&["FLUSHALL"]);
            assert_serves(&format!("{url}{end}")).await;
            assert!(server.cli(&["KEYS", "*"]).contains("ratelimit:"));
        }
    }
}

#[actix_web::test]
async fn in_a_database_of_its_own() {
    let server = RedisServer::start();
    let socket = server.unix_url();
    for (url, number) in [(format!("{}/3", server.url()), "db3"), (format!("{socket}?db=5"), "db5")]
    {
        assert_serves(&url).await;
        assert!(server.info("keyspace", number).starts_with("keys="), "{url}");
    }
    assert_eq!(server.info("keyspace", "db0"), "");
}

#[actix_web::test]
async fn with_a_password_or_as_a_user_with_few_permissions() {
    let server = RedisServer::with(&["--requirepass", "p@ss:w/rd#%"]);
    let address = server.address();
    let password = "p%40ss%3Aw%2Frd%23%25";
    let rules = [vec!["ACL", "SETUSER", "limiter", "on", ">p@ss:w/rd#%"], permissions()].concat();
    server.cli(&rules);
    for login in
        [format!(":{password}"), format!("default:{password}"), format!("limiter:{password}")]
    {
        for end in ["", "?protocol=resp2"] {
            server.cli(&["FLUSHALL"]);
            assert_serves(&format!("redis://{login}@{address}{end}")).await;
        }
    }
    let socket = server.unix_url();
    server.cli(&["FLUSHALL"]);
    assert_serves(&format!("{socket}?user=limiter&pass={password}")).await;
}

#[actix_web::test]
async fn two_backends_on_one_server_admit_together_what_one_would() {
    let server = RedisServer::start();
    let limit = counted("shared", 100);
    let trials = [(); 2].map(|()| patient(server.url()));
    let asked = (0..300).map(|number| trials[number % 2].ask(&limit, "hot"));
    let answers = join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.outcome.is_allowed()).count(), 100);
}
