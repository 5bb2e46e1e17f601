//! What is known to be refused, and how an answer becomes known.

use std::sync::Arc;

use arrayvec::ArrayVec;

use super::{
    generations::{Change, Generations},
    lone::{LoneRefusals, Refusal},
    several::RefusedBatches,
};
use crate::{
    Batch, Decision, MAX_CHECKS, Timestamp, Verdict,
    backend::{counter::Counter, hash::KeyHash, refusal::is_repeatable},
};

/// What is known, shared with the answers under way.
#[derive(Debug)]
pub(super) struct Known {
    keys: KeyHash,
    generations: Arc<Generations>,
    lone: LoneRefusals,
    several: RefusedBatches,
    pub(super) refused_locally: Counter,
}

/// What a batch asks, and when.
#[derive(Debug)]
pub(super) struct Question {
    /// What stands for all of its checks, in order; never 0.
    pub(super) id: u64,
    /// Sum of the generations of its keys, read before the store is asked.
    pub(super) generation: u64,
    /// The caller's time.
    pub(super) now: Timestamp,
    stripes: ArrayVec<u16, MAX_CHECKS>,
}

impl Known {
    pub(super) fn new(entries: usize) -> Self {
        Self {
            keys: KeyHash::new(),
            generations: Arc::default(),
            lone: LoneRefusals::new(entries),
            several: RefusedBatches::new(entries),
            refused_locally: Counter::default(),
        }
    }

    /// What a batch asks, if the answer may be remembered.
    #[inline]
    pub(super) fn question(&self, batch: &Batch<'_>) -> Option<Question> {
        let now = batch.now();
        let mut question = Question { id: 0, generation: 0, now, stripes: ArrayVec::new() };
        for (index, check) in batch.checks().iter().enumerate() {
            if !is_repeatable(check) {
                return None;
            }
            let key = self.keys.of(check.key);
            let id = self.keys.identity(key, check);
            question.id = if index == 0 { id } else { self.keys.chain(question.id, id).max(1) };
            question.stripes.push(Generations::stripe(key));
        }
        question.generation = self.generation(&question.stripes);
        (question.id != 0).then_some(question)
    }

    /// Marks a key as changed until what is returned is dropped, and then again.
    pub(super) fn change(&self, key: &str) -> Change {
        Change::begin(&self.generations, self.keys.of(key))
    }

    /// Generations only rise, so their sum stands still only if all of them do.
    #[inline]
    fn generation(&self, stripes: &[u16]) -> u64 {
        stripes.iter().fold(0, |sum, stripe| sum.wrapping_add(self.generations.of(*stripe)))
    }

    /// Answers a batch if it is known to be refused; whether it is.
    #[inline]
    pub(super) fn answer(&self, question: &Question, batch: &mut Batch<'_>) -> bool {
        let answered = match batch.checks() {
            [check] => match self.lone.find(question) {
                Some((refusal, known_for)) => {
                    let limit = check.policy.limit();
                    refusal.repeat(batch, limit, known_for);
                    true
                }
                None => false,
            },
            _ => self.several.find(question, |decided_at, known_for, decisions| {
                repeat_all(batch, decided_at + known_for, decisions);
            }),
        };
        if answered {
            self.refused_locally.add_one();
        }
        answered
    }

    /// Remembers an answer of the store if it is a refusal that is still worth it.
    pub(super) fn remember(
        &self,
        question: &Question,
        limit: u64,
        max_age: u64,
        verdict: &Verdict,
    ) {
        let decisions = verdict.decisions();
        let complete = decisions.len() == question.stripes.len();
        if !complete || self.generation(&question.stripes) != question.generation {
            return;
        }
        let Some(retry_at) = refused_until(decisions) else { return };
        let holds = retry_at.since(verdict.decided_at()).min(max_age);
        if holds == 0 {
            return;
        }
        match decisions {
            [decision] if decision.limit() == limit && decision.remaining() == 0 => {
                let (decided_at, reset_at) = (verdict.decided_at(), decision.reset_at());
                self.lone.keep(question, &Refusal { holds, decided_at, reset_at, retry_at });
            }
            [_] => {}
            _ => self.several.keep(question, holds, verdict),
        }
    }
}

/// Until when a batch is refused: as long as any of its checks is.
fn refused_until(decisions: &[Decision]) -> Option<Timestamp> {
    let refused = decisions.iter().filter(|decision| !decision.is_allowed());
    refused.map(|decision| decision.retry_at().unwrap_or(Timestamp::MAX)).max()
}

impl Refusal {
    #[inline]
    fn repeat(&self, batch: &mut Batch<'_>, limit: u64, known_for: u64) {
        let now = self.decided_at + known_for;
        batch.decided_at(now);
        batch.decide(0, Decision::refuse(limit, 0, self.reset_at.max(now), self.retry_at));
    }
}

fn repeat_all(batch: &mut Batch<'_>, now: Timestamp, decisions: &[Decision]) {
    batch.decided_at(now);
    for (index, decision) in decisions.iter().enumerate() {
        let (limit, remaining) = (decision.limit(), decision.remaining());
        let reset_at = decision.reset_at().max(now);
        let repeated = if decision.is_allowed() {
            Decision::allow(limit, remaining, reset_at)
        } else {
            let retry_at = decision.retry_at().unwrap_or(Timestamp::MAX);
            Decision::refuse(limit, remaining, reset_at, retry_at)
        };
        batch.decide(index, repeated);
    }
}
