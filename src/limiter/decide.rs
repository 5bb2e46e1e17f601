//! From keys to an outcome: asks the backend, and does what `on_error` says when it cannot answer.

use std::{future::Future, pin::Pin, sync::Arc};

use tracing::Instrument;

use super::{Limit, OnError, Plan, RateLimiter, plan::Rules, storage_key::Keys};
use crate::{
    Batch, Charge, Check, Decision, Error, Mode, Policy, Timestamp, Verdict,
    backend::{
        Backend, BackendError, BoxFuture, Progress,
        breaker::{Ticket, undecided},
    },
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
        let store = &self.0.stores[asked.plan.backend()];
        let Some(ticket) = store.guard.pass() else {
            return Deciding::Ready(self.without_store(asked, keys, &store.guard.away(), mode));
        };
        let mut batch = batch_of(&asked.rules.policies, asked.cost, asked.now, keys);
        let answer = match send(&**store.guard.backend(), &mut batch, mode) {
            Progress::Done if asked.rules.are_answered_by(batch.verdict()) => {
                let outcome = Outcome::of(batch.verdict());
                if mode == Mode::Charge {
                    self.observe(asked.plan, &outcome, keys);
                }
                return Deciding::Ready(outcome);
            }
            Progress::Done => {
                drop(batch);
                let error = undecided();
                store.guard.failed(ticket, &error);
                return Deciding::Ready(self.without_store(asked, keys, &error, mode));
            }
            Progress::Pending(answer) => answer,
        };
        drop(batch);
        let waiting = Waiting {
            limiter: self.clone(),
            plan: asked.plan.clone(),
            rules: asked.rules.clone(),
            cost: asked.cost,
            keys: std::mem::take(keys),
        };
        let span = tracing::debug_span!(
            target: super::TARGET,
            "rate limit",
            scope = asked.plan.scope(),
            backend = store.guard.name()
        );
        Deciding::Waiting(Box::pin(waiting.outcome(ticket, answer, mode).instrument(span)))
    }

    /// Decides as `on_error` says.
    #[cold]
    fn without_store(
        &self,
        asked: &Asked<'_>,
        keys: &Keys,
        error: &BackendError,
        mode: Mode,
    ) -> Outcome {
        let Asked { plan, rules, cost, .. } = asked;
        #[cfg(feature = "metrics")]
        super::meters::count_fault(self.0.stores[plan.backend()].guard.name(), error);
        self.tell_away(&self.0.stores[plan.backend()], plan.scope(), error);
        let outcome = match plan.on_error() {
            OnError::Allow => Outcome::Unlimited,
            OnError::Deny => Outcome::Unavailable,
            OnError::Local => {
                let mut batch = batch_of(rules.local(), *cost, self.now(), keys);
                match send(&self.0.fallback, &mut batch, mode) {
                    Progress::Done => Outcome::of(batch.verdict()),
                    // Memory has always decided by then.
                    Progress::Pending(_) => Outcome::Unavailable,
                }
            }
        };
        if mode == Mode::Charge {
            self.observe(plan, &outcome, keys);
        }
        outcome
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
    pub(super) fn rules_and_keys(
        &self,
        plan: &Plan,
        key: &str,
    ) -> Result<(Arc<Rules>, Keys), Error> {
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
        ticket: Ticket,
        answer: BoxFuture<Result<Verdict, BackendError>>,
        mode: Mode,
    ) -> Outcome {
        let Self { limiter, plan, rules, cost, keys } = &self;
        let store = &limiter.0.stores[plan.backend()];
        let patience = tokio::time::sleep(limiter.0.settings.deadline);
        #[cfg(feature = "metrics")]
        let since = crate::Clock::System.now();
        let answer = store.guard.wait(ticket, answer, rules.policies.len(), patience).await;
        #[cfg(feature = "metrics")]
        plan.meters(limiter).waited(crate::Clock::System.now().since(since));
        match answer {
            Ok(verdict) => {
                limiter.tell_back(store);
                let outcome = Outcome::of(&verdict);
                if mode == Mode::Charge {
                    limiter.observe(plan, &outcome, keys);
                }
                outcome
            }
            Err(error) => {
                let asked = Asked { plan, rules, cost: *cost, now: limiter.now() };
                limiter.without_store(&asked, keys, &error, mode)
            }
        }
    }
}

#[inline]
fn send(backend: &dyn Backend, batch: &mut Batch<'_>, mode: Mode) -> Progress {
    match mode {
        Mode::Charge => backend.check(batch),
        Mode::Peek => backend.peek(batch),
    }
}

#[inline]
fn batch_of<'a>(policies: &'a [Policy], cost: u32, now: Timestamp, keys: &'a Keys) -> Batch<'a> {
    let mut batch = Batch::new(now);
    for (policy, key) in policies.iter().zip(keys.iter()) {
        // A plan has no more policies than a batch has places.
        let _ = batch.push(Check { key, policy, cost });
    }
    batch
}
