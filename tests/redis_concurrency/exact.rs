//! Exactly the limit is admitted on every key.

use actix_smart_ratelimit::{
    Policy,
    backend::{Backend, redis::RedisBackend},
};

use crate::{
    fleet::{self, Member, PROCESSES, TASKS, random},
    history::{History, now},
    support::{
        asking::{lasting, policies, take},
        processes::say,
        redis::RedisServer,
    },
};

const IS_FULL_SIZE: bool = !cfg!(debug_assertions);

/// What is asked for, by each algorithm. There is ten times as much demand for every key as it has
/// permits.
#[derive(Clone, Copy)]
struct Demand {
    /// Of all processes together.
    checks: usize,
    keys: usize,
    limit: u32,
    denial_cache: usize,
}

const ONE_KEY: Demand = if IS_FULL_SIZE {
    Demand { checks: 1_000_000, keys: 1, limit: 100_000, denial_cache: 0 }
} else {
    Demand { checks: 10_000, keys: 1, limit: 1_000, denial_cache: 0 }
};
const MANY_KEYS: Demand = if IS_FULL_SIZE {
    Demand { checks: 1_000_000, keys: 1_000, limit: 100, denial_cache: 0 }
} else {
    Demand { checks: 10_000, keys: 50, limit: 20, denial_cache: 0 }
};

#[test]
fn one_hot_key_admits_exactly_its_limit() {
    assert_exact("exact::one_hot_key_admits_exactly_its_limit", ONE_KEY);
}

#[test]
fn many_keys_admit_exactly_their_limits() {
    assert_exact("exact::many_keys_admit_exactly_their_limits", MANY_KEYS);
}

#[test]
fn remembered_refusals_come_no_earlier_than_others() {
    let (checks, keys) = (MANY_KEYS.checks / 10, MANY_KEYS.keys / 10);
    let demand = Demand { checks, keys, denial_cache: 1_000, ..MANY_KEYS };
    assert_exact("exact::remembered_refusals_come_no_earlier_than_others", demand);
}

fn assert_exact(test: &str, demand: Demand) {
    let policies = policies(lasting(demand.limit));
    if let Some(member) = Member::of_fleet() {
        return play(member, demand, &policies);
    }
    let server = RedisServer::start();
    let mut seen = vec![vec![History::default(); demand.keys]; policies.len()];
    for line in fleet::run(test, &server).concat() {
        let [number, key, history] = line.split(' ').collect::<Vec<_>>()[..] else { panic!() };
        let (number, key): (usize, usize) = (number.parse().unwrap(), key.parse().unwrap());
        seen[number][key].merge(history.parse().unwrap());
    }
    for (histories, (name, _)) in seen.iter().zip(&policies) {
        for (key, history) in histories.iter().enumerate() {
            assert_eq!(history.fault(demand.limit.into()), None, "{name}: key {key}");
        }
    }
}

fn play(mut member: Member, demand: Demand, policies: &[(&str, Policy)]) {
    let backend = member.backend(demand.denial_cache);
    let checks = demand.checks / PROCESSES / TASKS;
    for (number, (name, policy)) in policies.iter().enumerate() {
        member.meet();
        let keys: Vec<_> = (0..demand.keys).map(|key| format!("{name}:{key}")).collect();
        let seen =
            member.in_all_tasks(async |task| ask(&backend, policy, &keys, task, checks).await);
        let mut merged = vec![History::default(); demand.keys];
        for histories in seen {
            merged.iter_mut().zip(histories).for_each(|(all, own)| all.merge(own));
        }
        for (key, history) in merged.iter().enumerate() {
            say(format_args!("{number} {key} {}", history.written()));
        }
    }
    assert_eq!(backend.stats().refused_locally > 0, demand.denial_cache > 0);
}

/// What one task sees of every key.
async fn ask(
    backend: &RedisBackend,
    policy: &Policy,
    keys: &[String],
    task: usize,
    checks: usize,
) -> Vec<History> {
    let mut seen = vec![History::default(); keys.len()];
    let mut random = random(task);
    for _ in 0..checks {
        let key = random.usize(..keys.len());
        let asked = now();
        let decision = take(backend, &keys[key], policy, 1).await;
        if decision.is_allowed() {
            seen[key].admit(asked, decision.remaining());
        } else {
            seen[key].refuse();
        }
    }
    seen
}
