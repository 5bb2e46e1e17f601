//! One word beside a state: when it may be forgotten, in microseconds, and in its two low bits how
//! much of it is spent.

use crate::{Decision, Timestamp};

const SPENT: u64 = 0b11;
/// Requests are being refused.
const REFUSED: u64 = 3;
const NEVER: u64 = u64::MAX >> 2;

/// The word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Mark {
    /// Of a state that may be forgotten at `expires` and stands as `decision` says.
    #[inline]
    pub(super) fn of(expires: Timestamp, decision: &Decision) -> Self {
        let (limit, remaining) = (decision.limit(), decision.remaining());
        let spent = match remaining {
            0 => 2,
            _ if remaining <= limit / 2 => 1,
            _ => 0,
        };
        Self(expires.as_micros().min(NEVER) << 2 | spent)
    }

    /// When the state may be forgotten.
    #[inline]
    pub(super) fn expires(self) -> Timestamp {
        match self.0 >> 2 {
            NEVER => Timestamp::MAX,
            micros => Timestamp::from_micros(micros),
        }
    }

    /// What matters less has the lower rank: how much is spent (0: at least half is left; 1: less; 2:
    /// nothing; 3: and requests are being refused), then when it may be forgotten.
    pub(super) fn rank(self) -> (u64, Timestamp) {
        (self.0 & SPENT, self.expires())
    }

    #[inline]
    pub(super) fn is_refused(self) -> bool {
        self.0 & SPENT == REFUSED
    }

    pub(super) fn refused(self) -> Self {
        Self(self.0 | REFUSED)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Mark;
    use crate::{Decision, Timestamp};

    proptest! {
        #[test]
        fn a_mark_keeps_its_parts(
            expires in prop_oneof![Just(u64::MAX), 0_u64..1 << 61],
            limit in 0_u64..100,
            left in 0_u64..100,
        ) {
            let expires = Timestamp::from_micros(expires);
            let mark = Mark::of(expires, &Decision::allow(limit, left.min(limit), expires));
            prop_assert_eq!(mark.expires(), expires);
            prop_assert!(!mark.is_refused() && mark.refused().is_refused());
            prop_assert_eq!(mark.refused().expires(), expires);
            prop_assert!(mark.rank() < mark.refused().rank());
        }
    }
}
