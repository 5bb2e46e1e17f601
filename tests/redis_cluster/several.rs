//! Several limits of one decision, whose keys are on different servers.

use std::time::{Duration, Instant};

use actix_smart_ratelimit::{Algorithm, Limit, Rate, WindowStart};
use futures_util::future::join_all;
use tokio::time::sleep;

use super::{
    patient,
    support::{
        redis::{PATIENCE, RedisCluster},
        trial::Answer,
    },
    trial,
};

fn limit(scope: &str, texts: [&str; 3]) -> Limit {
    let rates = texts.map(|text| text.parse::<Rate>().unwrap());
    Limit::new(scope, rates).algorithm(Algorithm::FixedWindow).window(WindowStart::FirstRequest)
}

/// What the three rates of a key have counted.
fn held(cluster: &RedisCluster, key: &str, texts: [&str; 3]) -> [u64; 3] {
    let keys = [key.to_owned(), format!("{key}#{}", texts[1]), format!("{key}#{}", texts[2])];
    keys.map(|key| {
        let node = cluster.node(cluster.node_of_key(&key));
        node.cli(&["GET", &key]).parse().unwrap_or(0)
    })
}

fn admitted(answers: &[Answer]) -> u64 {
    answers.iter().filter(|answer| answer.outcome.is_allowed()).count() as u64
}

#[actix_web::test]
async fn a_refusal_by_any_of_them_charges_none() {
    let cluster = RedisCluster::start(3);
    let trial = patient(&cluster);
    for (number, texts) in
        [["5/h", "50/2h", "50/3h"], ["50/h", "5/2h", "50/3h"], ["50/h", "50/2h", "5/3h"]]
            .into_iter()
            .enumerate()
    {
        let scope = format!("limit{number}");
        let limit = limit(&scope, texts);
        let mut answers = Vec::new();
        for _ in 0..10 {
            answers.push(trial.ask(&limit, "hot").await);
        }
        assert!(answers.iter().all(|answer| answer.fault.is_none()), "{answers:?}");
        assert_eq!(admitted(&answers), 5);
        assert_eq!(held(&cluster, &format!("ratelimit:{scope}:hot"), texts), [5; 3]);
    }
}

#[actix_web::test]
async fn when_all_is_settled_the_servers_hold_exactly_what_was_admitted() {
    let cluster = RedisCluster::start(3);
    let trial = patient(&cluster);
    let texts = ["40/h", "30/2h", "50/3h"];
    let limit = limit("settled", texts);
    let keys: Vec<_> = (0..8).map(|number| format!("client{number}")).collect();
    let mut answers: Vec<Vec<Answer>> = vec![Vec::new(); keys.len()];
    for _ in 0..10 {
        let waves = keys.iter().map(|key| join_all((0..10).map(|_| trial.ask(&limit, key))));
        for (all, wave) in answers.iter_mut().zip(join_all(waves).await) {
            all.extend(wave);
        }
    }
    for (key, answers) in keys.iter().zip(&answers) {
        assert!(answers.iter().all(|answer| answer.fault.is_none()), "{answers:?}");
        let admitted = admitted(answers);
        assert_eq!(held(&cluster, &format!("ratelimit:settled:{key}"), texts), [admitted; 3]);
        assert_eq!(admitted, 30, "{key}");
    }
}

#[actix_web::test]
async fn what_was_taken_is_given_back_though_another_server_does_not_answer() {
    let cluster = RedisCluster::start(3);
    let trial = trial(&cluster).await;
    let texts = ["9/h", "9/2h", "9/3h"];
    let limit = limit("given-back", texts);
    let keys = (0..20).map(|number| format!("client{number}"));
    let nodes_of = |key: &str| {
        let key = format!("ratelimit:given-back:{key}");
        let ends = [String::new(), format!("#{}", texts[1]), format!("#{}", texts[2])];
        ends.map(|end| cluster.node_of_key(&format!("{key}{end}")))
    };
    let keys: Vec<_> = keys.filter(|key| nodes_of(key).contains(&1)).collect();
    assert!(keys.len() > 2, "{keys:?}");
    cluster.node(1).freeze();
    let answers = join_all(keys.iter().map(|key| trial.ask(&limit, key))).await;
    assert!(answers.iter().all(|answer| answer.fault.is_some()));
    let healthy = |key: &String| {
        let storage_key = format!("ratelimit:given-back:{key}");
        let ends = ["", "#9/2h", "#9/3h"];
        let held = ends.iter().zip(nodes_of(key)).filter(|(_, node)| *node != 1);
        let held = held
            .map(|(end, node)| cluster.node(node).cli(&["GET", &format!("{storage_key}{end}")]));
        held.map(|text| text.parse().unwrap_or(0)).sum::<u64>()
    };
    let begun = Instant::now();
    while keys.iter().map(healthy).sum::<u64>() > 0 {
        assert!(begun.elapsed() < PATIENCE, "not given back: {:?}", keys.iter().map(healthy));
        sleep(Duration::from_millis(5)).await;
    }
    cluster.node(1).thaw();
}
