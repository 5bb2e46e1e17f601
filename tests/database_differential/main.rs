//! What the tables bring back is what the transitions in core were told: generated histories, step by
//! step against a model that holds its states in memory.
//!
//! `STEPS` sets how many checks are made, `SEED` repeats one run; the seed stands in every failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../redis_differential/generate.rs"]
mod generate;
mod model;
#[path = "../support/mod.rs"]
mod support;

use std::{env, time::Duration};

use actix_smart_ratelimit::{
    Batch, Charge, Check, ManualClock, Mode, Timestamp, Verdict,
    backend::{Backend, Progress, database::DatabaseBackend},
};
use futures_util::future::join_all;
use generate::{History, Turn};
use model::Model;
use support::database::{MysqlServer, PostgresServer};

/// Checks in an ordinary run.
const STEPS: usize = 6_000;
/// Later than this no history goes: half a century.
const SPAN: u64 = 50 * 365 * 86_400 * 1_000_000;

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn answer(backend: &DatabaseBackend, batch: &mut Batch<'_>, mode: Mode) -> Verdict {
    let progress = match mode {
        Mode::Charge => backend.check(batch),
        Mode::Peek => backend.peek(batch),
    };
    match progress {
        Progress::Done => batch.clone().into_verdict(),
        Progress::Pending(verdict) => verdict.await.unwrap(),
    }
}

async fn decides_as_core_does(url: &str) {
    let seed = setting("SEED", fastrand::u64(..));
    let steps = usize::try_from(setting("STEPS", STEPS as u64)).unwrap();
    println!("SEED={seed} STEPS={steps}");
    let clock = ManualClock::default();
    // One thread, so that what is asked together is decided in the order in which it was asked.
    let builder = DatabaseBackend::builder(url).clock(clock.clone()).connections(1).denial_cache(0);
    let backend = builder.deadline(Duration::from_secs(20)).build().unwrap();
    backend.migrate().await.unwrap();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut taken, mut number, mut refused) = (0, 0, 0);
    while taken < steps {
        let history = History::new(&mut random, number, Timestamp::from_secs(1_800_000_000))
            .sharing_keys(&mut random);
        let mut run = Run { history, model: Model::default(), told: Vec::new(), seed };
        for _ in 0..random.usize(20..200) {
            let turn = run.history.turn(&mut random, SPAN);
            clock.set(run.history.now());
            let (asked, no) = run.take(&backend, &turn).await;
            (taken, refused) = (taken + asked, refused + no);
        }
        number += 1;
    }
    // A run of which little is refused, or little admitted, would show little.
    assert!(refused * 10 > taken && refused * 10 < 9 * taken, "{refused} of {taken} were refused");
}

struct Run {
    history: History,
    model: Model,
    /// What happened, for a failure's message.
    told: Vec<String>,
    seed: u64,
}

impl Run {
    /// Takes one turn; tells how many checks were made and how many of them refused.
    async fn take(&mut self, backend: &DatabaseBackend, turn: &Turn) -> (usize, usize) {
        let now = self.history.now();
        match turn {
            Turn::Ask(batches) => return self.ask(backend, batches).await,
            Turn::Reset(key) => {
                backend.reset(key).await.unwrap();
                self.model.reset(key);
                self.told.push(format!("{now:?} reset {key} "));
            }
            Turn::Refund { key, policy, cost, charged_at } => {
                let charge = Charge { key, policy, cost: *cost, charged_at: *charged_at };
                backend.refund(charge).await.unwrap();
                self.model.refund(&charge, now);
                self.told.push(format!("{now:?} refund {key} {cost} of {charged_at:?}"));
            }
        }
        (0, 0)
    }

    async fn ask(
        &mut self,
        backend: &DatabaseBackend,
        asked: &[(Mode, Vec<generate::Asked>)],
    ) -> (usize, usize) {
        let now = self.history.now();
        let mut batches: Vec<_> =
            asked.iter().map(|(mode, asked)| (*mode, batch(now, asked))).collect();
        let asked = batches.iter_mut().map(|(mode, batch)| answer(backend, batch, *mode));
        let got = join_all(asked).await;
        let (mut count, mut refused) = (0, 0);
        for ((mode, batch), got) in batches.iter_mut().zip(got) {
            let expected = self.model.settle(batch, *mode, now);
            self.told.extend(lines(batch, *mode, &expected));
            if expected != got {
                self.fail(batch, &expected, &got);
            }
            self.history.hear(&got);
            count += got.decisions().len();
            refused += got.decisions().iter().filter(|d| !d.is_allowed()).count();
        }
        (count, refused)
    }

    /// Shows the recent history of the key about which both differ.
    fn fail(&self, batch: &Batch<'_>, expected: &Verdict, got: &Verdict) -> ! {
        let mut pairs = expected.decisions().iter().zip(got.decisions());
        let index = pairs.position(|(expected, got)| expected != got).unwrap_or(0);
        let about = format!("{} ", batch.checks()[index].key);
        let told: Vec<_> = self.told.iter().filter(|line| line.contains(&about)).cloned().collect();
        let recent = told[told.len().saturating_sub(16)..].join("\n");
        let (seed, got) = (self.seed, got.decisions().get(index));
        panic!("SEED={seed}\n{recent}\ncheck {index} got {got:?}");
    }
}

fn batch(now: Timestamp, asked: &[generate::Asked]) -> Batch<'_> {
    let mut batch = Batch::new(now);
    for (key, policy, cost) in asked {
        batch.push(Check { key, policy, cost: *cost }).unwrap();
    }
    batch
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

#[actix_web::test]
async fn postgres_keeps_states_as_core_does() {
    let server = PostgresServer::shared();
    decides_as_core_does(&server.database()).await;
}

#[actix_web::test]
async fn mysql_keeps_states_as_core_does() {
    let server = MysqlServer::shared();
    decides_as_core_does(&server.database()).await;
}

#[actix_web::test]
async fn sqlite_keeps_states_as_core_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limits.sqlite");
    decides_as_core_does(&format!("sqlite://{}", file.display())).await;
}
