//! Slots that move to another server while they are asked about.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use futures_util::future::join_all;
use tokio::task::spawn_blocking;

use super::{
    patient,
    support::{redis::RedisCluster, trial::counted},
};

const HOT: &str = "ratelimit:moved:hot";

#[actix_web::test]
async fn a_slot_that_moves_to_and_fro_under_load_is_exact_and_nobody_notices() {
    let cluster = Arc::new(RedisCluster::start(3));
    let trial = patient(&cluster);
    trial.assert_works().await;
    let limit = counted("moved", 2_000);
    let over = Arc::<AtomicBool>::default();
    let moves = {
        let (cluster, over) = (cluster.clone(), over.clone());
        spawn_blocking(move || {
            let slot = cluster.slot_of(HOT);
            let mut moves = 0;
            while !over.load(SeqCst) {
                let from = cluster.node_of_slot(slot);
                cluster.move_slot(slot, from, (from + 1) % 3);
                moves += 1;
            }
            moves
        })
    };
    let mut answers = Vec::new();
    while answers.len() < 4_000 {
        answers.extend(join_all((0..20).map(|_| trial.ask(&limit, "hot"))).await);
    }
    over.store(true, SeqCst);
    let moves = moves.await.unwrap();
    assert!(moves > 2, "the slot moved {moves} times");
    let faults: Vec<_> = answers.iter().filter_map(|answer| answer.fault.as_ref()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let admitted = answers.iter().filter(|answer| answer.outcome.is_allowed()).count();
    assert_eq!(admitted, 2_000);
}

#[actix_web::test]
async fn a_slot_that_moves_to_a_server_that_is_new_is_found() {
    let mut cluster = RedisCluster::start(3);
    let trial = patient(&cluster);
    trial.assert_works().await;
    let new = cluster.grow();
    let limit = counted("moved", 1_000);
    let slot = cluster.slot_of(HOT);
    let from = cluster.node_of_slot(slot);
    let ask = async || {
        let answers = join_all((0..20).map(|_| trial.ask(&limit, "hot"))).await;
        assert!(answers.iter().all(|answer| answer.fault.is_none()), "{:?}", answers[0]);
    };
    cluster.start_moving(slot, from, new);
    ask().await;
    cluster.finish_moving(slot, new);
    ask().await;
    assert_eq!(cluster.node(new).cli(&["GET", HOT]), "40");
}

#[actix_web::test]
async fn a_key_is_found_in_every_stage_of_a_move() {
    let cluster = RedisCluster::start(3);
    let trial = patient(&cluster);
    let limit = counted("moved", 1_000);
    let slot = cluster.slot_of(HOT);
    let from = cluster.node_of_slot(slot);
    let to = (from + 1) % 3;
    let count = |node: usize| cluster.node(node).cli(&["GET", HOT]);
    let ask = async || {
        for _ in 0..10 {
            let answer = trial.ask(&limit, "hot").await;
            assert!(answer.fault.is_none(), "{answer:?}");
        }
    };
    // A key that is not there yet is made where the slot goes to.
    cluster.start_moving(slot, from, to);
    ask().await;
    cluster.finish_moving(slot, to);
    ask().await;
    assert_eq!(count(to), "20");
    // A key that is there stays until it is moved.
    cluster.start_moving(slot, to, from);
    ask().await;
    assert_eq!(count(to), "30");
    cluster.move_keys(slot, to, from);
    ask().await;
    cluster.finish_moving(slot, from);
    ask().await;
    assert_eq!(count(from), "50");
}
