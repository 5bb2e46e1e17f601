//! The scripts decide as the transitions in core do: generated histories on a private server, step by
//! step against a model that holds its states in memory.
//!
//! `STEPS` sets how many checks are made, `SEED` repeats one run; the seed stands in every failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../support/mod.rs"]
mod support;

mod generate;
mod model;

use std::{env, time::SystemTime};

use actix_smart_ratelimit::{
    Algorithm, Batch, Charge, Check, ManualClock, Mode, Policy, Rate, Timestamp, Verdict,
    backend::{Backend, Progress, redis::RedisBackend},
};
use futures_util::future::join_all;

use generate::{History, PERIODS, Turn};
use model::Model;
use support::redis::RedisServer;

/// Checks in an ordinary run; `STEPS` in release mode makes it a million.
const STEPS: usize = 40_000;
/// Later than this no history goes: half a century.
const SPAN: u64 = 50 * 365 * 86_400 * 1_000_000;

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// States expire by the server's clock, which must be behind the model's.
fn base() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_secs(since_epoch.as_secs().next_multiple_of(7 * 86_400) + 400 * 86_400)
}

async fn answer(backend: &RedisBackend, batch: &mut Batch<'_>, mode: Mode) -> Verdict {
    let progress = match mode {
        Mode::Charge => backend.check(batch),
        Mode::Peek => backend.peek(batch),
    };
    match progress {
        Progress::Done => batch.clone().into_verdict(),
        Progress::Pending(verdict) => verdict.await.unwrap(),
    }
}

#[actix_web::test]
async fn scripts_decide_as_core_does() {
    let seed = setting("SEED", fastrand::u64(..));
    let steps = usize::try_from(setting("STEPS", STEPS as u64)).unwrap();
    println!("SEED={seed} STEPS={steps}");
    let server = RedisServer::start();
    let clock = ManualClock::default();
    let backend = RedisBackend::builder(server.url())
        .clock(clock.clone())
        .deadline(std::time::Duration::from_secs(20))
        .denial_cache(0)
        .build()
        .unwrap();
    // A reset is about windows of every period that a limit has.
    for period in PERIODS {
        let policy = Policy::new(Algorithm::FixedWindow, Rate::new(1, period).unwrap());
        backend.validate(&policy, 1).unwrap();
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut taken, mut number, mut refused) = (0, 0, 0);
    while taken < steps {
        let mut run = Run {
            history: History::new(&mut random, number, base()),
            model: Model::default(),
            told: Vec::new(),
        };
        for _ in 0..random.usize(20..200) {
            let turn = run.history.turn(&mut random, SPAN);
            clock.set(run.history.now());
            let (asked, no) = run.take(&backend, &turn, seed).await;
            (taken, refused) = (taken + asked, refused + no);
        }
        run.expiries(&server, seed);
        number += 1;
    }
    // A run of which little is refused, or little admitted, would show little.
    assert!(refused * 10 > taken && refused * 10 < 9 * taken, "{refused} of {taken} were refused");
}

/// What was asked of a batch and decided, a line for each check.
fn lines(batch: &Batch<'_>, mode: Mode, verdict: &Verdict) -> impl Iterator<Item = String> {
    let at = verdict.decided_at();
    batch.checks().iter().zip(verdict.decisions()).map(move |(check, decision)| {
        let Check { key, policy, cost } = check;
        let (shape, counted) = (policy.shape(), policy.counts_refused());
        format!("{at:?} {mode:?} {key} {cost} of {shape:?} {counted} -> {decision:?}")
    })
}

struct Run {
    history: History,
    model: Model,
    /// What happened, for a failure's message.
    told: Vec<String>,
}

impl Run {
    /// Takes one turn; tells how many checks were made and how many of them refused.
    async fn take(&mut self, backend: &RedisBackend, turn: &Turn, seed: u64) -> (usize, usize) {
        let now = self.history.now();
        match turn {
            Turn::Ask(batches) => {
                let mut batches: Vec<_> = batches
                    .iter()
                    .map(|(mode, checks)| {
                        let mut batch = Batch::new(now);
                        for (key, policy, cost) in checks {
                            batch.push(Check { key, policy, cost: *cost }).unwrap();
                        }
                        (*mode, batch)
                    })
                    .collect();
                let asked = batches.iter_mut().map(|(mode, batch)| answer(backend, batch, *mode));
                let got = join_all(asked).await;
                let (mut count, mut refused) = (0, 0);
                for ((mode, batch), got) in batches.iter_mut().zip(got) {
                    let expected = self.model.settle(batch, *mode, now);
                    self.told.extend(lines(batch, *mode, &expected));
                    if expected != got {
                        self.fail(batch, &expected, &got, seed);
                    }
                    self.history.hear(&got);
                    count += got.decisions().len();
                    refused += got.decisions().iter().filter(|d| !d.is_allowed()).count();
                }
                (count, refused)
            }
            Turn::Reset(key) => {
                backend.reset(key).await.unwrap();
                self.model.reset(key, now);
                self.told.push(format!("{now:?} reset {key} "));
                (0, 0)
            }
            Turn::Refund { key, policy, cost, charged_at } => {
                let charge = Charge { key, policy, cost: *cost, charged_at: *charged_at };
                backend.refund(charge).await.unwrap();
                self.model.refund(&charge, now);
                self.told.push(format!("{now:?} refund {key} {cost} of {charged_at:?}"));
                (0, 0)
            }
        }
    }

    /// Fails with what happened to the first key about which there is no agreement.
    fn fail(&self, batch: &Batch<'_>, expected: &Verdict, got: &Verdict, seed: u64) -> ! {
        let both = expected.decisions().iter().zip(got.decisions());
        let index = both.clone().position(|(expected, got)| expected != got).unwrap_or(0);
        let key = batch.checks()[index].key;
        let about = |line: &&String| line.contains(&format!("{key} "));
        let told: Vec<_> = self.told.iter().filter(about).cloned().collect();
        let recent = &told[told.len().saturating_sub(16)..];
        panic!(
            "SEED={seed}\n{}\ncheck {index} got {:?}",
            recent.join("\n"),
            got.decisions().get(index)
        );
    }

    /// Whether every state that matters is kept as long as it does.
    fn expiries(&self, server: &RedisServer, seed: u64) {
        let mut keys = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        for (key, needed) in self.model.needed_until(self.history.now()) {
            let until: i64 = redis::cmd("PEXPIRETIME").arg(&key).query(&mut keys).unwrap();
            let needed = i64::try_from(needed.as_micros() / 1_000).unwrap_or(i64::MAX);
            let kept = until == -1 || until >= needed;
            assert!(kept, "SEED={seed}: {key} until {until}, not {needed}");
        }
    }
}
