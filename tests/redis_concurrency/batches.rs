//! Checks that are asked together, take more than one permit, or are counted though refused.

use std::iter::zip;

use actix_smart_ratelimit::{Check, Mode, Policy, backend::redis::RedisBackend};

use crate::{
    fleet::{self, Member, PROCESSES, TASKS, random},
    support::{
        asking::{ask, counting_policies, lasting, left, policies, take, taken},
        processes::say,
        redis::RedisServer,
    },
};

/// Requests of all processes together, for each algorithm.
const REQUESTS: usize = if cfg!(debug_assertions) { 4_000 } else { 50_000 };
const USERS: usize = 200;
const TENANTS: usize = 20;

/// Three limits of one algorithm. Everybody's is used up, if there is demand for it.
struct Limits {
    name: &'static str,
    user: Policy,
    tenant: Policy,
    everyone: Policy,
}

fn limits() -> impl Iterator<Item = Limits> {
    let [users, tenants, all] = [10, 90, 1_000].map(|limit| policies(lasting(limit)));
    zip(zip(users, tenants), all).map(|(((name, user), (_, tenant)), (_, everyone))| Limits {
        name,
        user,
        tenant,
        everyone,
    })
}

impl Limits {
    fn user_key(&self, user: usize) -> String {
        format!("{}:user:{user}", self.name)
    }

    fn tenant_key(&self, tenant: usize) -> String {
        format!("{}:tenant:{tenant}", self.name)
    }

    fn everyone_key(&self) -> String {
        format!("{}:everyone", self.name)
    }

    /// Whether a request of this user is admitted by all three limits.
    async fn admit(&self, backend: &RedisBackend, user: usize, order: usize) -> bool {
        let keys = [self.user_key(user), self.tenant_key(user % TENANTS), self.everyone_key()];
        let mut checks = [
            Check { key: &keys[0], policy: &self.user, cost: 1 },
            Check { key: &keys[1], policy: &self.tenant, cost: 1 },
            Check { key: &keys[2], policy: &self.everyone, cost: 1 },
        ];
        checks.rotate_left(order % 3);
        ask(backend, &checks, Mode::Charge).await.unwrap().is_allowed()
    }

    async fn assert_taken(&self, backend: &RedisBackend, by_user: &[u64]) {
        let (name, all) = (self.name, by_user.iter().sum::<u64>());
        assert_eq!(all, 1_000, "{name}: there is demand for all of it");
        assert_eq!(taken(backend, &self.everyone_key(), &self.everyone).await, all, "{name}");
        for (user, admitted) in by_user.iter().enumerate() {
            let taken = taken(backend, &self.user_key(user), &self.user).await;
            assert_eq!(taken, *admitted, "{name}: user {user}");
        }
        for tenant in 0..TENANTS {
            let admitted: u64 = by_user.iter().skip(tenant).step_by(TENANTS).sum();
            let taken = taken(backend, &self.tenant_key(tenant), &self.tenant).await;
            assert_eq!(taken, admitted, "{name}: tenant {tenant}");
        }
    }
}

#[test]
fn batches_are_charged_whole_or_not_at_all() {
    assert_whole("batches::batches_are_charged_whole_or_not_at_all", 0);
}

#[test]
fn batches_are_whole_too_where_refusals_are_remembered() {
    assert_whole("batches::batches_are_whole_too_where_refusals_are_remembered", 10_000);
}

fn assert_whole(test: &str, denial_cache: usize) {
    if let Some(mut member) = Member::of_fleet() {
        let backend = member.backend(denial_cache);
        for limits in limits() {
            member.meet();
            let admitted = member.in_all_tasks(async |task| {
                let mut random = random(task);
                let mut admitted = [0; USERS];
                for _ in 0..REQUESTS / PROCESSES / TASKS {
                    let user = random.usize(..USERS);
                    admitted[user] += u64::from(limits.admit(&backend, user, task).await);
                }
                admitted
            });
            let admitted = sums(admitted.iter().map(<[u64; USERS]>::as_slice));
            let words: Vec<_> = admitted.iter().map(u64::to_string).collect();
            say(words.join(" "));
        }
        return;
    }
    let server = RedisServer::start();
    let said = fleet::run(test, &server);
    on_server(&server, async |backend| {
        for (number, limits) in limits().enumerate() {
            let said: Vec<_> = said.iter().map(|lines| numbers(&lines[number])).collect();
            limits.assert_taken(&backend, &sums(said.iter().map(Vec::as_slice))).await;
        }
    });
}

#[test]
fn requests_of_several_permits_take_exactly_as_many() {
    let policies = policies(lasting(5_000));
    if let Some(mut member) = Member::of_fleet() {
        let backend = member.backend(0);
        for (name, policy) in &policies {
            member.meet();
            let taken = member.in_all_tasks(async |task| {
                let mut random = random(task);
                let mut taken = 0;
                for _ in 0..REQUESTS.max(8_000) / PROCESSES / TASKS {
                    let cost = random.u32(1..8);
                    let decision = take(&backend, name, policy, cost).await;
                    taken += u64::from(cost) * u64::from(decision.is_allowed());
                }
                taken
            });
            say(taken.into_iter().sum::<u64>());
        }
        return;
    }
    let server = RedisServer::start();
    let test = "batches::requests_of_several_permits_take_exactly_as_many";
    let said = fleet::run(test, &server);
    on_server(&server, async |backend| {
        for (number, (name, policy)) in policies.iter().enumerate() {
            let taken: u64 = said.iter().map(|lines| numbers(&lines[number])[0]).sum();
            // Those who ask for one permit take what others have left.
            assert_eq!((taken, left(&backend, name, policy).await), (5_000, 0), "{name}");
        }
    });
}

#[test]
fn refusals_that_count_are_counted_once_each() {
    const EACH: usize = 4;
    let policies: Vec<_> = zip(policies(lasting(10)), counting_policies(lasting(2_000))).collect();
    if let Some(mut member) = Member::of_fleet() {
        let backend = member.backend(0);
        for ((name, few), (_, many)) in &policies {
            member.meet();
            let counted = format!("{name}:counted");
            let checks = [
                Check { key: name, policy: few, cost: 1 },
                Check { key: &counted, policy: many, cost: 1 },
            ];
            let admitted = member.in_all_tasks(async |_| {
                let mut admitted = 0;
                for _ in 0..EACH {
                    let verdict = ask(&backend, &checks, Mode::Charge).await.unwrap();
                    admitted += u64::from(verdict.is_allowed());
                }
                admitted
            });
            say(admitted.into_iter().sum::<u64>());
        }
        return;
    }
    let server = RedisServer::start();
    let said = fleet::run("batches::refusals_that_count_are_counted_once_each", &server);
    on_server(&server, async |backend| {
        for (number, ((name, few), (_, many))) in policies.iter().enumerate() {
            let admitted: u64 = said.iter().map(|lines| numbers(&lines[number])[0]).sum();
            assert_eq!((admitted, taken(&backend, name, few).await), (10, 10), "{name}");
            let counted = taken(&backend, &format!("{name}:counted"), many).await;
            assert_eq!(counted, (PROCESSES * TASKS * EACH) as u64, "{name}");
        }
    });
}

/// Looks at what is left on a server.
fn on_server(server: &RedisServer, look: impl AsyncFn(RedisBackend)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let backend = fleet::builder(&server.url()).denial_cache(0).build().unwrap();
    runtime.block_on(look(backend));
}

fn numbers(line: &str) -> Vec<u64> {
    line.split(' ').map(|number| number.parse().unwrap()).collect()
}

/// Adds lists of numbers up, place by place.
fn sums<'a>(lists: impl Iterator<Item = &'a [u64]>) -> Vec<u64> {
    let add = |sums: Vec<u64>, list: &[u64]| zip(sums, list).map(|(sum, own)| sum + own).collect();
    lists.fold(vec![0; USERS], add)
}
