//! Whether something is done or was given up, which a worker and who waits agree about.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;
const ANSWERED: u8 = 3;

#[derive(Debug, Default)]
pub(super) struct Claim(AtomicU8);

impl Claim {
    /// For the worker, before it changes anything, and again if it has to begin anew: whether it may.
    pub(super) fn take(&self) -> bool {
        match self.0.compare_exchange(WAITING, TAKEN, SeqCst, SeqCst) {
            Ok(_) => true,
            Err(found) => found == TAKEN,
        }
    }

    /// For the worker, where it has changed nothing after all.
    pub(super) fn release(&self) {
        // One that was given up meanwhile stays so.
        let _ = self.0.compare_exchange(TAKEN, WAITING, SeqCst, SeqCst);
    }

    /// For who waits no longer: whether it is certain that nothing was changed, nor will be.
    pub(super) fn give_up(&self) -> bool {
        self.0.swap(GIVEN_UP, SeqCst) == WAITING
    }

    /// For the worker, with the answer.
    pub(super) fn finish(&self) {
        self.0.store(ANSWERED, SeqCst);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.0.load(SeqCst) == GIVEN_UP
    }

    /// Whether there is an answer, or nobody waits for one.
    pub(super) fn is_over(&self) -> bool {
        self.0.load(SeqCst) >= GIVEN_UP
    }
}

#[cfg(test)]
mod tests {
    use super::Claim;

    #[test]
    fn what_was_given_up_is_not_taken_and_what_was_taken_may_have_been_done() {
        let claim = Claim::default();
        assert!(claim.give_up() && !claim.take() && claim.is_given_up());
        let claim = Claim::default();
        assert!(claim.take() && claim.take(), "an attempt may be repeated");
        assert!(!claim.give_up());
        assert!(!claim.take(), "but not when nobody waits any more");
    }

    #[test]
    fn what_was_taken_and_not_done_can_be_given_up_as_before() {
        let claim = Claim::default();
        assert!(claim.take());
        claim.release();
        assert!(claim.give_up());
        claim.release();
        assert!(!claim.take());
    }
}
