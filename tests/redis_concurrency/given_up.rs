//! Checks that nobody waits for any more: their answers reach nobody else, and they are charged once or
//! not at all.

use std::{
    collections::BTreeSet,
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    task::Poll,
    thread,
    time::Duration,
};

use actix_smart_ratelimit::{Decision, Policy, backend::redis::RedisBackend};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::{
    fleet::{TASKS, builder, random},
    support::{
        asking::{lasting, left, policies, take},
        proxy::{ChaosProxy, Mode},
        redis::RedisServer,
    },
};

const CHECKS: usize = if cfg!(debug_assertions) { 4_000 } else { 40_000 };
const KEYS: usize = 32;

/// A key with a limit that no other has, so that the answer to another check is seen to be one.
struct Counter {
    key: String,
    policy: Policy,
}

fn counters() -> Vec<Counter> {
    let counter = |number: usize| {
        let variants = policies(lasting(100_000 + u32::try_from(number).unwrap()));
        let (name, policy) = variants[number % variants.len()].clone();
        Counter { key: format!("{name}:{number}"), policy }
    };
    (0..KEYS).map(counter).collect()
}

/// When somebody gives up.
#[derive(Clone, Copy)]
enum Patience {
    Unlimited,
    /// As soon as the check was asked for.
    None,
    /// When the answer is there, unseen.
    UntilAnswered,
    Until(Duration),
}

impl Patience {
    /// Three in ten give up.
    fn any(random: &mut fastrand::Rng) -> Self {
        match random.u32(..10) {
            0 => Self::None,
            1 => Self::UntilAnswered,
            2 => Self::Until(Duration::from_micros(random.u64(..6_000))),
            _ => Self::Unlimited,
        }
    }

    async fn wait<T>(self, answer: impl Future<Output = T>) -> Option<T> {
        let first_only = match self {
            Self::Unlimited => return Some(answer.await),
            Self::Until(time) => return timeout(time, answer).await.ok(),
            Self::None => true,
            Self::UntilAnswered => false,
        };
        let (mut answer, mut asked) = (pin!(answer), false);
        poll_fn(|context| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(None);
            }
            match answer.as_mut().poll(context) {
                Poll::Pending if !first_only => Poll::Pending,
                Poll::Pending => Poll::Ready(None),
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
            }
        })
        .await
    }
}

/// The decisions about each key, without those that were given up.
type Decisions = Vec<Vec<Option<Decision>>>;

async fn ask(backend: &RedisBackend, counters: &[Counter], task: usize) -> Decisions {
    let mut random = random(task);
    let mut decisions = vec![Vec::new(); KEYS];
    for _ in 0..CHECKS / TASKS {
        let key = random.usize(..KEYS);
        let Counter { key: name, policy } = &counters[key];
        let patience = Patience::any(&mut random);
        decisions[key].push(patience.wait(take(backend, name, policy, 1)).await);
    }
    decisions
}

/// Makes the proxy slow, by another time every few milliseconds, while `work` is done.
fn while_slow<T>(proxy: &ChaosProxy, work: impl FnOnce() -> T) -> T {
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = End(&ended);
        scope.spawn(|| {
            while !ended.load(SeqCst) {
                proxy.set(Mode::Latency(Duration::from_micros(fastrand::u64(..=5_000))));
                thread::sleep(Duration::from_millis(2));
            }
        });
        work()
    })
}

#[test]
fn what_is_given_up_crosses_with_nothing_and_is_charged_at_most_once() {
    let server = RedisServer::start();
    let proxy = ChaosProxy::to(server.address());
    let backend = builder(&proxy.url()).denial_cache(0).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counters = counters();
    let tasks = while_slow(&proxy, || {
        runtime.block_on(join_all((0..TASKS).map(|task| ask(&backend, &counters, task))))
    });
    let (mut given_up, mut charged_unseen) = (0, 0);
    for (number, Counter { key, policy }) in counters.iter().enumerate() {
        let decisions: Vec<_> = tasks.iter().flat_map(|keys| keys[number].clone()).collect();
        let answered: Vec<_> = decisions.iter().flatten().collect();
        for decision in &answered {
            assert_eq!((decision.limit(), decision.is_allowed()), (policy.limit(), true), "{key}");
        }
        let seen: BTreeSet<_> = answered.iter().map(|decision| decision.remaining()).collect();
        assert_eq!(seen.len(), answered.len(), "{key}: each permit is given once");
        let left = runtime.block_on(left(&backend, key, policy));
        assert!(seen.first().is_none_or(|least| *least >= left), "{key}");
        let lost = decisions.len() - answered.len();
        let unseen = usize::try_from(policy.limit() - left).unwrap() - answered.len();
        assert!(unseen <= lost, "{key}: {unseen} charged, {lost} given up");
        (given_up, charged_unseen) = (given_up + lost, charged_unseen + unseen);
    }
    // They were given up before the server was asked as well as after it.
    assert!(charged_unseen > 0 && charged_unseen < given_up, "{charged_unseen} of {given_up}");
}
