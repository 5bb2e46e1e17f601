//! From keys to an outcome: asks the backend, and does what `on_error` says when it cannot answer.

use std::{future::Future, pin::Pin, sync::Arc};

use tracing::Instrument;

use super::{Limit, OnError, Plan, RateLimiter, plan::Rules, storage_key::Keys};
use crate::{
    Batch, Charge, Check, Decision, Error, Mode, Timestamp, Verdict,
    backend::{Backend, BackendError, BoxFuture, ErrorKind, Fate, Progress},
};

/// How a request fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its limits were asked, and answered.
    Decided {
        /// The decision of the policy that decides: the one closest to refusing.
        decision: Decision,
        /// Which of the limit's rates that is, counted from 0.
        rate: usize,
        /// When it was decided, by the clock that the decision's times are of: the store's. For a
        /// refund, when the permits were taken.
        decided_at: Timestamp,
    },
    /// The store could not decide, and `on_error` is [`OnError::Allow`]; or the limit has no rates.
    Unlimited,
    /// The store could not decide, and `on_error` is [`OnError::Deny`].
    Unavailable,
}

impl Outcome {
    #[inline]
    fn of(verdict: &Verdict) -> Self {
        let rate = verdict.deciding();
        match verdict.decisions().get(rate) {
            Some(decision) => {
                Self::Decided { decision: *decision, rate, decided_at: verdict.decided_at() }
            }
            None => Self::Unlimited,
        }
    }

    /// Whether the request may pass.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        match self {
            Self::Decided { decision, .. } => decision.is_allowed(),
            Self::Unlimited => true,
            Self::Unavailable => false,
        }
    }

    /// The decision, if there is one.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Decided { decision, .. } => Some(decision),
            Self::Unlimited | Self::Unavailable => None,
        }
    }
}

/// What is asked of a plan.
pub(crate) struct Asked<'a> {
    pub(crate) plan: &'a Arc<Plan>,
    pub(crate) rules: &'a Arc<Rules>,
    pub(crate) cost: u32,
    pub(crate) now: Timestamp,
}

/// The answer, now or later.
pub(crate) enum Deciding {
    Ready(Outcome),
    Waiting(Pin<Box<dyn Future<Output = Outcome>>>),
}

impl RateLimiter {
    /// Takes the permits for `keys`. The buffer stays as it is if the store decides at once.
    #[inline]
    pub(crate) fn decide(&self, asked: &Asked<'_>, keys: &mut Keys) -> Deciding {
        self.ask(asked, keys, Mode::Charge)
    }

    #[inline]
    fn ask(&self, asked: &Asked<'_>, keys: &mut Keys, mode: Mode) -> Deciding {
        let mut batch = batch_of(asked.rules, asked.cost, asked.now, keys);
        let (_, backend) = &self.0.backends[asked.plan.backend()];
        let answer = match send(&**backend, &mut batch, mode) {
            Progress::Done if asked.rules.are_answered_by(batch.verdict()) => {
                let outcome = Outcome::of(batch.verdict());
                if mode == Mode::Charge {
                    self.observe(asked.plan, &outcome, keys);
                }
                return Deciding::Ready(outcome);
            }
            Progress::Done => None,
            Progress::Pending(answer) => Some(answer),
        };
        drop(batch);
        let waiting = Waiting {
            limiter: self.clone(),
            plan: asked.plan.clone(),
            rules: asked.rules.clone(),
            cost: asked.cost,
            keys: std::mem::take(keys),
        };
        match answer {
            Some(answer) => {
                let span = tracing::debug_span!(
                    target: super::TARGET,
                    "rate limit",
                    scope = asked.plan.scope(),
                    backend = self.backend_of(asked.plan)
                );
                Deciding::Waiting(Box::pin(waiting.outcome(answer, mode).instrument(span)))
            }
            None => Deciding::Ready(waiting.without_store(&undecided(), mode)),
        }
    }

    /// Takes the limit's cost for `key`, for code that limits something else than a request.
    ///
    /// # Errors
    /// As [`validate`](Self::validate). A store that cannot decide is no error but an [`Outcome`].
    pub async fn check(&self, limit: &Limit, key: &str) -> Result<Outcome, Error> {
        self.ask_about(limit, key, Mode::Charge).await
    }

    /// Whether the limit's cost would be admitted for `key`, and how much is left; takes nothing.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub async fn peek(&self, limit: &Limit, key: &str) -> Result<Outcome, Error> {
        self.ask_about(limit, key, Mode::Peek).await
    }

    async fn ask_about(&self, limit: &Limit, key: &str, mode: Mode) -> Result<Outcome, Error> {
        let plan = Arc::new(self.plan(limit)?);
        let (rules, mut keys) = self.rules_and_keys(&plan, key)?;
        let asked = Asked { plan: &plan, rules: &rules, cost: plan.cost(), now: self.now() };
        match self.ask(&asked, &mut keys, mode) {
            Deciding::Ready(outcome) => Ok(outcome),
            Deciding::Waiting(outcome) => Ok(outcome.await),
        }
    }

    /// Forgets what `key` has taken under this limit.
    ///
    /// # Errors
    /// As [`validate`](Self::validate), or when the store cannot do it.
    pub async fn reset(&self, limit: &Limit, key: &str) -> Result<(), ResetError> {
        let plan = self.plan(limit)?;
        let (_, keys) = self.rules_and_keys(&plan, key)?;
        let (_, backend) = &self.0.backends[plan.backend()];
        for key in keys.iter() {
            self.0.fallback.reset(key).await?;
            backend.reset(key).await?;
        }
        Ok(())
    }

    /// Gives back what a request took for `key` at `charged_at`, for instance after a successful
    /// login.
    ///
    /// # Errors
    /// As [`validate`](Self::validate), or when the store cannot do it.
    pub async fn refund(
        &self,
        limit: &Limit,
        key: &str,
        charged_at: Timestamp,
    ) -> Result<(), ResetError> {
        let plan = self.plan(limit)?;
        let (rules, keys) = self.rules_and_keys(&plan, key)?;
        let (_, backend) = &self.0.backends[plan.backend()];
        for (policy, key) in rules.policies.iter().zip(keys.iter()) {
            let cost = plan.cost();
            backend.refund(Charge { key, policy, cost, charged_at }).await?;
        }
        Ok(())
    }
}

impl RateLimiter {
    /// The policies in force for a key, and its storage keys under them.
    fn rules_and_keys(&self, plan: &Plan, key: &str) -> Result<(Arc<Rules>, Keys), Error> {
        let mut keys = Keys::default();
        keys.begin(plan.prefix()).push_str(key);
        if keys.is_blank() {
            return Err(Error::new("key", key, "it is empty", "name whom to count"));
        }
        let change = self.override_of(keys.end());
        let changed = change.and_then(|change| plan.rules_under(change, self).ok());
        let rules = changed.unwrap_or_else(|| plan.rules().clone());
        keys.finish(&rules.suffixes);
        Ok((rules, keys))
    }
}

/// Why counters could not be changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResetError {
    /// The limit cannot work as it is written.
    #[error(transparent)]
    Limit(#[from] Error),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] BackendError),
}

struct Waiting {
    limiter: RateLimiter,
    plan: Arc<Plan>,
    rules: Arc<Rules>,
    cost: u32,
    keys: Keys,
}

impl Waiting {
    async fn outcome(
        self,
        answer: BoxFuture<Result<Verdict, BackendError>>,
        mode: Mode,
    ) -> Outcome {
        #[cfg(feature = "metrics")]
        let since = crate::Clock::System.now();
        let answer = tokio::time::timeout(self.limiter.0.settings.deadline, answer).await;
        #[cfg(feature = "metrics")]
        self.plan.meters(&self.limiter).waited(crate::Clock::System.now().since(since));
        let late = |_| Err(BackendError::new(ErrorKind::Timeout, Fate::Unknown));
        match answer.unwrap_or_else(late) {
            Ok(verdict) if self.rules.are_answered_by(&verdict) => {
                self.observed(Outcome::of(&verdict), mode)
            }
            Ok(_) => self.without_store(&undecided(), mode),
            Err(error) => self.without_store(&error, mode),
        }
    }

    fn without_store(&self, error: &BackendError, mode: Mode) -> Outcome {
        self.limiter.observe_fault(&self.plan, error);
        let outcome = match self.plan.on_error() {
            OnError::Allow => Outcome::Unlimited,
            OnError::Deny => Outcome::Unavailable,
            OnError::Local => {
                let now = self.limiter.now();
                let mut batch = batch_of(&self.rules, self.cost, now, &self.keys);
                match send(&self.limiter.0.fallback, &mut batch, mode) {
                    Progress::Done => Outcome::of(batch.verdict()),
                    // Memory has always decided by then.
                    Progress::Pending(_) => Outcome::Unavailable,
                }
            }
        };
        self.observed(outcome, mode)
    }

    fn observed(&self, outcome: Outcome, mode: Mode) -> Outcome {
        if mode == Mode::Charge {
            self.limiter.observe(&self.plan, &outcome, &self.keys);
        }
        outcome
    }
}

/// The fault of a backend that says it has decided and has not.
#[cold]
fn undecided() -> BackendError {
    BackendError::new(ErrorKind::Protocol, Fate::Unknown)
}

#[inline]
fn send(backend: &dyn Backend, batch: &mut Batch<'_>, mode: Mode) -> Progress {
    match mode {
        Mode::Charge => backend.check(batch),
        Mode::Peek => backend.peek(batch),
    }
}

#[inline]
fn batch_of<'a>(rules: &'a Rules, cost: u32, now: Timestamp, keys: &'a Keys) -> Batch<'a> {
    let mut batch = Batch::new(now);
    for (policy, key) in rules.policies.iter().zip(keys.iter()) {
        // A plan has no more policies than a batch has places.
        let _ = batch.push(Check { key, policy, cost });
    }
    batch
}
