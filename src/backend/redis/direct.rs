//! The backend itself: every check asks the server.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use redis::{Cmd, Value};
use tokio::sync::oneshot;

use super::{
    Shared,
    encode::{self, Asking, array, int, uint},
    fault, health,
    job::Job,
    lanes::Lanes,
    layout::{Kind, all_keys},
    replay::{Outcome, Reply},
    script::{REFUND, ScriptCall},
    spread, support,
};
use crate::{
    Batch, Charge, Check, Error, Mode, Policy, Shape, Timestamp, Verdict,
    backend::{
        Backend, BackendError, BoxFuture, ErrorKind, Fate, Health, Progress, Stats,
        asked::{Asked, OwnedCheck},
    },
};

/// How often a check is sent again because a window on the clock had ended meanwhile.
const WINDOWS_MISSED: usize = 4;

/// Asks the server.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    pub(super) shared: Arc<Shared>,
    pub(super) lanes: Arc<Lanes>,
}

impl Direct {
    fn ask(&self, batch: &Batch<'_>, mode: Mode) -> Progress {
        let asked = Asked::of(batch, mode);
        asked.checks.iter().for_each(|check| self.note(&check.policy));
        let direct = self.clone();
        Progress::Pending(Box::pin(async move {
            asked.validate()?;
            if direct.shared.is_cluster() && asked.len() > 1 {
                return spread::decide(direct, asked).await;
            }
            direct.decide(&asked).await
        }))
    }

    /// Keeps the period of windows on the clock in mind: a reset needs their keys.
    fn note(&self, policy: &Policy) {
        let kind = Kind::of(policy);
        if let (Some(Kind::ClockWindow), Shape::Window(window)) = (kind, policy.shape()) {
            self.shared.periods.note(window.period());
        }
    }

    async fn decide(&self, asked: &Asked) -> Result<Verdict, BackendError> {
        let reply = self.reply(asked).await?;
        asked.verdict(&reply).ok_or_else(unexpected)
    }

    /// What the server answers about checks that one call can be about.
    pub(super) async fn reply(&self, asked: &Asked) -> Result<Reply, BackendError> {
        for _ in 0..WINDOWS_MISSED {
            let group = asked.group(self.shared.time.estimate(), &self.shared.periods.first())?;
            let reply = self.send(|answer| Job::Check(group, answer)).await?;
            self.shared.time.learn(reply.now);
            if reply.outcome != Outcome::Stale {
                return Ok(reply);
            }
        }
        Err(fault::not_charged(ErrorKind::Protocol, "the server's clock does not stand still"))
    }

    async fn send<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, BackendError>>) -> Job,
    ) -> Result<T, BackendError> {
        let (sender, answer) = oneshot::channel();
        self.lanes.send(&self.shared, job(sender))?;
        // A lane that ends without an answer may have sent the call.
        let lost = |_| Err(BackendError::new(ErrorKind::Unreachable, Fate::Unknown));
        answer.await.unwrap_or_else(lost)
    }

    pub(super) async fn command(&self, command: Cmd) -> Result<Value, BackendError> {
        self.send(|answer| Job::Command(Box::new(command), answer)).await
    }

    /// Gives back a charge. `charged_at` is `None` for one of just now.
    pub(super) async fn give_back(
        &self,
        check: OwnedCheck,
        charged_at: Option<Timestamp>,
    ) -> Result<(), BackendError> {
        let window = charged_at.unwrap_or_else(|| self.shared.time.estimate());
        let (key, message) = {
            let check = Check { key: &check.key, policy: &check.policy, cost: check.cost };
            let asking = Asking { mode: Mode::Charge, at: window, periods: &[] };
            encode::check(&check, asking).ok_or_else(unsupported)?
        };
        let mut argument = Vec::with_capacity(message.len() + 24);
        array(&mut argument, 3);
        uint(&mut argument, self.shared.time.given());
        argument.extend_from_slice(&message);
        let charged_at = charged_at.map(|at| i64::try_from(at.as_micros()).unwrap_or(i64::MAX));
        int(&mut argument, charged_at.unwrap_or(-1));
        let call = ScriptCall { script: &REFUND, keys: vec![key], argument };
        self.send(|answer| Job::Script(call, answer)).await.map(drop)
    }
}

pub(super) fn unexpected() -> BackendError {
    BackendError::new(ErrorKind::Protocol, Fate::Unknown)
}

pub(super) fn unsupported() -> BackendError {
    fault::not_charged(ErrorKind::Unsupported, "Redis cannot keep an algorithm of your own")
}

impl Backend for Direct {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.ask(batch, Mode::Charge)
    }

    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.ask(batch, Mode::Peek)
    }

    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        let direct = self.clone();
        let key = key.to_owned();
        Box::pin(async move {
            let periods = direct.shared.periods.all();
            let keys = all_keys(&key, &periods, direct.shared.time.estimate());
            if !direct.shared.is_cluster() {
                let mut command = redis::cmd("UNLINK");
                command.arg(keys);
                return direct.command(command).await.map(drop);
            }
            let unlink = |key: String| {
                let mut command = redis::cmd("UNLINK");
                command.arg(key);
                direct.command(command)
            };
            futures_util::future::try_join_all(keys.into_iter().map(unlink)).await.map(drop)
        })
    }

    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        let Charge { key, policy, cost, charged_at } = charge;
        let direct = self.clone();
        let check = OwnedCheck { key: key.into(), policy: policy.clone(), cost };
        Box::pin(async move { direct.give_back(check, Some(charged_at)).await })
    }

    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        let direct = self.clone();
        Box::pin(async move { health::of(&direct).await })
    }

    fn stats(&self) -> Stats {
        Stats { round_trips: self.shared.round_trips.load(Relaxed), ..Stats::default() }
    }

    fn validate(&self, policy: &Policy, cost: u32) -> Result<(), Error> {
        self.note(policy);
        support::validate(policy, cost)
    }
}
