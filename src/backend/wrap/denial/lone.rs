//! Refusals of single checks, read without a lock.

use std::sync::OnceLock;

use super::known::Question;
use crate::{
    Timestamp,
    backend::{hash::scale, seqlock::SeqLock},
};

const WAYS: usize = 4;
/// Places for each refusal that may be kept: sets are seldom full before the table is.
const PLACES: usize = 2;

/// A bounded table of sets of [`WAYS`] refusals. Made when there is the first to keep.
#[derive(Debug)]
pub(super) struct LoneRefusals {
    sets: OnceLock<Box<[Set]>>,
    count: usize,
}

type Set = [Way; WAYS];

/// Who was asked about, the generation of the key, and the times of the refusal: one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Way(SeqLock<7>);

/// The refusal of one permit; none is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    /// Microseconds from the asking on for which it holds.
    pub(super) holds: u64,
    pub(super) decided_at: Timestamp,
    pub(super) reset_at: Timestamp,
    /// [`Timestamp::MAX`]: never.
    pub(super) retry_at: Timestamp,
}

impl LoneRefusals {
    pub(super) fn new(entries: usize) -> Self {
        Self { sets: OnceLock::new(), count: (PLACES * entries).div_ceil(WAYS).max(1) }
    }

    /// The refusal that holds for this question, and for how many microseconds it has been known.
    #[inline]
    pub(super) fn find(&self, question: &Question) -> Option<(Refusal, u64)> {
        let set = &self.sets.get()?[scale(question.id, self.count)];
        (0..WAYS).find_map(|turn| {
            let [_, generation, sent_at, holds, times @ ..] =
                set[way(question.id, turn)].0.read(question.id)?;
            let known_for = question.now.as_micros().checked_sub(sent_at)?;
            if generation != question.generation || known_for >= holds {
                return None;
            }
            let [decided_at, reset_at, retry_at] = times.map(Timestamp::from_micros);
            Some((Refusal { holds, decided_at, reset_at, retry_at }, known_for))
        })
    }

    /// Keeps a refusal in place of an older one of the same check, or else of one that has ended. Where
    /// others hold all places it goes unremembered: were it to displace one, checks of more keys than
    /// there are places would displace each other all the time.
    pub(super) fn keep(&self, question: &Question, refusal: &Refusal) {
        let make = || (0..self.count).map(|_| Set::default()).collect();
        let set = &self.sets.get_or_init(make)[scale(question.id, self.count)];
        let now = question.now.as_micros();
        // What was decided after now was decided before the clock was set back.
        let value = |turn: &usize| match set[way(question.id, *turn)].0.peek() {
            Some([id, _, sent_at, ..]) if id == question.id || sent_at > now => 0,
            Some([_, _, sent_at, holds, ..]) => sent_at.saturating_add(holds),
            None => u64::MAX,
        };
        let Some(turn) = (0..WAYS).min_by_key(value).filter(|turn| value(turn) <= now) else {
            return;
        };
        let times = [refusal.decided_at, refusal.reset_at, refusal.retry_at];
        let [decided_at, reset_at, retry_at] = times.map(Timestamp::as_micros);
        let &Question { id, generation, .. } = question;
        let words = [id, generation, now, refusal.holds, decided_at, reset_at, retry_at];
        // If another thread is writing there, this answer goes unremembered.
        set[way(id, turn)].0.try_write(words);
    }
}

/// The way that is looked at in this turn: not all keys begin with the same one.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "only the low bits count")]
fn way(id: u64, turn: usize) -> usize {
    (id as usize).wrapping_add(turn) % WAYS
}
