//! Servers of a cluster that freeze, die and come back.

use std::sync::Arc;

use actix_smart_ratelimit::backend::{
    ErrorKind::{self, Timeout, Unavailable, Unreachable},
    Fate::NotCharged,
    redis::RedisBackend,
};
use futures_util::future::join_all;
use tokio::task::spawn_blocking;

use super::{
    support::{
        redis::{RedisCluster, wait_until},
        trial::{DEADLINE, Trial, assert_cause, counted, fates},
    },
    trial,
};

/// For each of three servers a key of the limit `counted` that it serves.
fn keys(cluster: &RedisCluster) -> [String; 3] {
    let prefix = "ratelimit:counted:";
    [0, 1, 2].map(|node| {
        let key = cluster.key_on(node, &format!("{prefix}client"));
        key.strip_prefix(prefix).unwrap().to_owned()
    })
}

/// Asks ten times for each key, and tells which kinds of faults there were.
async fn ask_for(trial: &Trial, keys: &[String; 3]) -> [Vec<ErrorKind>; 3] {
    let limit = counted("counted", 1_000_000);
    let asked = keys.iter().map(|key| join_all((0..10).map(|_| trial.ask(&limit, key))));
    let answers = join_all(asked)
        .await
        .into_iter()
        .map(|answers| answers.into_iter().filter_map(|answer| Some(answer.fault?.kind)).collect());
    answers.collect::<Vec<_>>().try_into().unwrap()
}

#[actix_web::test]
async fn while_one_server_is_frozen_the_others_decide() {
    let cluster = RedisCluster::start(3);
    let deadline = DEADLINE * 4;
    let builder = RedisBackend::cluster(cluster.urls()).denial_cache(0).deadline(deadline);
    let trial = Trial::with_deadline(builder.build().unwrap(), deadline);
    trial.begins().await;
    let keys = keys(&cluster);
    cluster.node(1).freeze();
    for _ in 0..2 {
        let [first, frozen, last] = ask_for(&trial, &keys).await;
        assert!(first.is_empty() && last.is_empty(), "{first:?} {last:?}");
        assert_eq!(frozen, [Timeout; 10]);
    }
    cluster.node(1).thaw();
    trial.recovers_for(&counted("counted", 1_000_000), &keys[1]).await;
}

#[actix_web::test]
async fn a_replica_that_takes_the_place_of_a_dead_server_decides() {
    let cluster = Arc::new(RedisCluster::with_replicas(3, 1));
    let (trial, keys) = (trial(&cluster).await, keys(&cluster));
    let dying = cluster.clone();
    let fail_over = spawn_blocking(move || dying.fail_over(1));
    while !fail_over.is_finished() {
        let faults = trial.suffer(1).await;
        let expected = |kind| [Timeout, Unavailable, Unreachable].contains(&kind);
        assert!(faults.iter().all(|fault| expected(fault.kind)), "{faults:?}");
    }
    assert_eq!(fail_over.await.unwrap(), 4);
    for key in &keys {
        trial.recovers_for(&counted("counted", 1_000_000), key).await;
    }
}

#[actix_web::test]
async fn a_cluster_that_lacks_slots_decides_nothing_until_they_are_served_again() {
    let cluster = Arc::new(RedisCluster::start(3));
    let (trial, keys) = (trial(&cluster).await, keys(&cluster));
    cluster.node(1).kill();
    let state = |node: usize, state: &str| {
        cluster.node(node).cli(&["CLUSTER", "INFO"]).contains(&format!("cluster_state:{state}"))
    };
    wait_until("a cluster that is down", || state(0, "fail") && state(2, "fail"));
    let faults = trial.suffer_alone(4).await;
    let refused: Vec<_> = faults.into_iter().filter(|fault| fault.kind == Unavailable).collect();
    assert_eq!(fates(&refused), [NotCharged]);
    assert_cause(&refused, "cluster is down");
    let returning = cluster.clone();
    spawn_blocking(move || returning.node(1).restart()).await.unwrap();
    wait_until("a cluster that is whole", || (0..3).all(|node| state(node, "ok")));
    for key in &keys {
        trial.recovers_for(&counted("counted", 1_000_000), key).await;
    }
}
