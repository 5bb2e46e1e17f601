//! Refusals of batches of several checks.

use std::sync::OnceLock;

use super::known::Question;
use crate::{
    Decision, Timestamp, Verdict,
    backend::wrap::sets::{Sets, WAYS},
};

/// A bounded table of refused batches. Made when there is the first to keep.
#[derive(Debug)]
pub(super) struct RefusedBatches {
    sets: OnceLock<Sets<Refused>>,
    entries: usize,
}

#[derive(Debug)]
struct Refused {
    id: u64,
    generation: u64,
    sent_at: Timestamp,
    /// Microseconds from the asking on for which it holds.
    holds: u64,
    decided_at: Timestamp,
    decisions: Box<[Decision]>,
}

impl RefusedBatches {
    pub(super) fn new(entries: usize) -> Self {
        Self { sets: OnceLock::new(), entries }
    }

    /// Hands the refusal that holds for this question to `answer`: when it was decided, for how
    /// many microseconds it has been known, and its decisions. Whether there is one.
    pub(super) fn find(
        &self,
        question: &Question,
        answer: impl FnOnce(Timestamp, u64, &[Decision]),
    ) -> bool {
        let Some(sets) = self.sets.get() else { return false };
        let set = sets.of(question.id);
        let holds = set.iter().find(|refused| refused.holds_for(question));
        if let Some(refused) = holds {
            let known_for = question.now.since(refused.sent_at);
            answer(refused.decided_at, known_for, &refused.decisions);
        }
        holds.is_some()
    }

    /// Keeps a refusal in place of an older one of the same batch, or else of that which ends first.
    pub(super) fn keep(&self, question: &Question, holds: u64, verdict: &Verdict) {
        let refused = Refused {
            id: question.id,
            generation: question.generation,
            sent_at: question.now,
            holds,
            decided_at: verdict.decided_at(),
            decisions: verdict.decisions().into(),
        };
        let mut set = self.sets.get_or_init(|| Sets::new(self.entries)).of(question.id);
        if let Some(older) = set.iter_mut().find(|older| older.id == question.id) {
            *older = refused;
        } else if set.len() < WAYS {
            set.push(refused);
        } else if let Some(first) = set.iter_mut().min_by_key(|other| other.sent_at + other.holds) {
            *first = refused;
        }
    }
}

impl Refused {
    fn holds_for(&self, question: &Question) -> bool {
        self.id == question.id
            && self.generation == question.generation
            && self.sent_at <= question.now
            && question.now.since(self.sent_at) < self.holds
    }
}
