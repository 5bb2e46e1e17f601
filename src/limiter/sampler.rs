//! Which of many like events are logged: the first, and then one in every interval.

use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use foldhash::fast::FixedState;

use super::EventKind;
use crate::Timestamp;

/// Two limits of a hundred that share a place share an interval; nobody takes harm.
const PLACES: usize = 128;

/// When events may be logged again, by kind and scope.
#[derive(Debug)]
pub(super) struct Sampler {
    places: Box<[Place]>,
}

#[derive(Debug, Default)]
struct Place {
    /// Unix microseconds; 0 before the first event.
    next: AtomicU64,
    left_out: AtomicU64,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { places: std::iter::repeat_with(Place::default).take(PLACES).collect() }
    }
}

impl Sampler {
    /// Whether an event of now is to be logged: then how many before it were not.
    pub(super) fn admit(
        &self,
        kind: EventKind,
        scope: &str,
        now: Timestamp,
        every: u64,
    ) -> Option<u64> {
        let hash = FixedState::default().hash_one((kind, scope));
        let index = usize::try_from(hash % PLACES as u64).unwrap_or(0);
        let place = self.places.get(index)?;
        let now = now.as_micros();
        let next = place.next.load(Relaxed);
        // One that is far ahead was set before the clock was set back.
        let is_due = now >= next || next - now > every;
        let then = now.saturating_add(every);
        if is_due && place.next.compare_exchange(next, then, Relaxed, Relaxed).is_ok() {
            return Some(place.left_out.swap(0, Relaxed));
        }
        place.left_out.fetch_add(1, Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Sampler;
    use crate::{EventKind, Timestamp};

    const EVERY: u64 = 1_000_000;

    #[test]
    fn the_first_of_an_interval_is_logged_with_the_number_of_those_before_it() {
        let sampler = Sampler::default();
        let start = Timestamp::from_secs(1_000);
        let admit = |at| sampler.admit(EventKind::Refused, "login", start + at, EVERY);
        assert_eq!(admit(0), Some(0));
        assert_eq!(admit(1), None);
        assert_eq!(admit(999_999), None);
        assert_eq!(admit(EVERY), Some(2));
        assert_eq!(admit(5 * EVERY), Some(0));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nothing_for_long() {
        let sampler = Sampler::default();
        let admit =
            |secs| sampler.admit(EventKind::Refused, "login", Timestamp::from_secs(secs), EVERY);
        assert_eq!(admit(1_000), Some(0));
        assert_eq!(admit(10), Some(0));
    }

    #[test]
    fn limits_and_kinds_of_events_do_not_silence_each_other() {
        let sampler = Sampler::default();
        let now = Timestamp::from_secs(1_000);
        for kind in [EventKind::Refused, EventKind::Shadowed] {
            for scope in ["login", "search"] {
                assert_eq!(sampler.admit(kind, scope, now, EVERY), Some(0), "{kind:?} {scope}");
            }
        }
    }

    #[test]
    fn without_an_interval_everything_is_logged() {
        let sampler = Sampler::default();
        for _ in 0..3 {
            let now = Timestamp::from_secs(1_000);
            assert_eq!(sampler.admit(EventKind::Refused, "login", now, 0), Some(0));
        }
    }
}
