//! Keys in all slots.

use actix_smart_ratelimit::{
    Algorithm, Limit,
    backend::{ErrorKind, redis::RedisBackend},
};
use futures_util::future::join_all;

use super::{
    patient, patient_with,
    support::{
        ports::free_port,
        rate,
        redis::{RedisCluster, RedisServer},
        trial::{Trial, assert_cause, counted, kinds},
    },
};

#[actix_web::test]
async fn every_algorithm_admits_exactly_on_keys_of_every_server() {
    let cluster = RedisCluster::start(3);
    let trial = patient(&cluster);
    let algorithms = [
        Algorithm::FixedWindow,
        Algorithm::SlidingWindow,
        Algorithm::SlidingWindowCounter,
        Algorithm::TokenBucket,
        Algorithm::LeakyBucket,
        Algorithm::Gcra,
    ];
    for algorithm in algorithms {
        let limit = Limit::new(format!("{algorithm:?}"), rate("5/d")).algorithm(algorithm);
        let keys: Vec<_> = (0..60).map(|number| format!("client{number}")).collect();
        let asked = keys.iter().flat_map(|key| (0..10).map(|_| trial.ask(&limit, key)));
        let answers = join_all(asked).await;
        assert!(answers.iter().all(|answer| answer.fault.is_none()), "{answers:?}");
        for (key, answers) in keys.iter().zip(answers.chunks(10)) {
            let admitted = answers.iter().filter(|answer| answer.outcome.is_allowed()).count();
            assert_eq!(admitted, 5, "{algorithm:?}: {key}");
        }
    }
    assert!(cluster.nodes().iter().all(|node| node.calls("evalsha") > 100));
}

#[actix_web::test]
async fn resets_and_refunds_find_their_servers() {
    let cluster = RedisCluster::start(3);
    let trial = patient(&cluster);
    let limit = counted("counted", 1);
    for number in 0..20 {
        let key = format!("client{number}");
        let answer = trial.ask(&limit, &key).await;
        assert!(answer.outcome.is_allowed() && answer.fault.is_none(), "{answer:?}");
        assert!(!trial.ask(&limit, &key).await.outcome.is_allowed());
        trial.0.reset(&limit, &key).await.unwrap();
        assert!(trial.ask(&limit, &key).await.outcome.is_allowed());
        trial.0.refund(&limit, &key, trial.0.now()).await.unwrap();
        assert!(trial.ask(&limit, &key).await.outcome.is_allowed());
    }
    assert!(trial.0.backend("store").unwrap().health().await.unwrap().warnings.is_empty());
}

#[actix_web::test]
async fn one_server_that_is_known_is_enough_and_a_dead_one_does_no_harm() {
    let cluster = RedisCluster::start(3);
    let dead = format!("redis://127.0.0.1:{}", free_port());
    for urls in [vec![cluster.node(1).url()], vec![dead.clone(), cluster.node(2).url()]] {
        let trial = patient_with(RedisBackend::cluster(urls));
        for number in 0..20 {
            let answer = trial.ask(&counted("known", 9), &format!("client{number}")).await;
            assert!(answer.fault.is_none(), "{answer:?}");
        }
    }
    let trial = Trial::of(RedisBackend::cluster([dead]).build().unwrap());
    let faults = trial.suffer_alone(3).await;
    assert_eq!(kinds(&faults), [ErrorKind::Unreachable]);
}

#[actix_web::test]
async fn a_server_without_a_cluster_is_told_of() {
    let server = RedisServer::start();
    let trial = Trial::of(RedisBackend::cluster([server.url()]).build().unwrap());
    let faults = trial.suffer_alone(2).await;
    assert_eq!(kinds(&faults), [ErrorKind::Setup]);
    assert_cause(&faults, "cluster support disabled");
}

#[test]
fn a_list_of_servers_has_one_and_no_wrong_ones() {
    let error = RedisBackend::cluster(Vec::<String>::new()).build().unwrap_err();
    assert_eq!(error.field(), "nodes");
    let urls = ["redis://:s3cret@host", "redis://:s3cret@host/abc"];
    let error = RedisBackend::cluster(urls).build().unwrap_err();
    assert_eq!((error.field(), error.value()), ("url", "redis://:***@host/abc"));
    let error = RedisBackend::cluster(["redis://host/3"]).build().unwrap_err();
    assert_eq!(error.reason(), "a cluster has no databases with numbers");
    let backend = RedisBackend::cluster([urls[0]]).build().unwrap();
    assert!(!format!("{backend:?}").contains("s3cret"));
}
