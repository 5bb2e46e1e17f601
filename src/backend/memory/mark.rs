//! One word beside a state: what kind it is, when it may be forgotten, and how much of it is spent.
//!
//! From the top: 36 bits of time, in units of 65,536 µs and rounded up (until the year 2112); 26
//! bits of the policy's tag; 2 bits of how much is spent.

use crate::{Decision, Timestamp};

const SPENT: u64 = 0b11;
const TAG: u64 = ((1 << 26) - 1) << 2;
const TIME_FROM: u32 = 28;
const UNIT_BITS: u32 = 16;
const NEVER: u64 = (1 << 36) - 1;

/// A state may be forgotten when this has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention(u64);

/// The word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark(u64);

/// The part of a policy's tag that a mark keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u64);

impl Tag {
    #[inline]
    pub(super) fn of(state_tag: u64) -> Self {
        Self((state_tag << 2) & TAG)
    }

    #[inline]
    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

impl Retention {
    #[inline]
    pub(super) fn of(expires: Timestamp, decision: &Decision) -> Self {
        let (limit, remaining) = (decision.limit(), decision.remaining());
        let spent = match remaining {
            0 => 2,
            _ if remaining <= limit / 2 => 1,
            _ => 0,
        };
        let units = (expires.as_micros() >> UNIT_BITS).saturating_add(1).min(NEVER);
        Self(units << TIME_FROM | spent)
    }

    #[inline]
    pub(super) fn with(self, tag: Tag) -> Mark {
        Mark(self.0 | tag.0)
    }

    #[inline]
    pub(super) fn expires(self) -> Timestamp {
        Mark(self.0).expires()
    }
}

impl Mark {
    /// Requests are being refused.
    const REFUSED: u64 = 3;

    #[inline]
    pub(super) fn has(self, tag: Tag) -> bool {
        self.0 & TAG == tag.0
    }

    #[inline]
    pub(super) fn expires(self) -> Timestamp {
        match self.0 >> TIME_FROM {
            NEVER => Timestamp::MAX,
            units => Timestamp::from_micros(units << UNIT_BITS),
        }
    }

    /// What matters less has the lower rank: how much is spent (0: at least half is left; 1: less; 2:
    /// nothing; 3: and requests are being refused), then when it may be forgotten.
    pub(super) fn rank(self) -> (u64, Timestamp) {
        (self.0 & SPENT, self.expires())
    }

    #[inline]
    pub(super) fn is_refused(self) -> bool {
        self.0 & SPENT == Self::REFUSED
    }

    pub(super) fn refused(self) -> Self {
        Self(self.0 | Self::REFUSED)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Retention, Tag};
    use crate::{Decision, Timestamp};

    proptest! {
        #[test]
        fn a_mark_keeps_its_parts_and_never_forgets_early(
            expires in prop_oneof![any::<u64>(), 0_u64..1 << 51],
            tags in any::<(u64, u64)>(),
            limit in 0_u64..100,
            left in 0_u64..100,
        ) {
            let decision = Decision::allow(limit, left.min(limit), Timestamp::ZERO);
            let tag = Tag::of(tags.0);
            let mark = Retention::of(Timestamp::from_micros(expires), &decision).with(tag);
            prop_assert!(mark.has(tag));
            prop_assert_eq!(mark.has(Tag::of(tags.1)), Tag::of(tags.1) == tag);
            prop_assert!(mark.expires().as_micros() >= expires);
            prop_assert!(expires >= 1 << 51 || mark.expires().as_micros() - expires <= 65_536);
            prop_assert!(!mark.is_refused() && mark.refused().is_refused());
            prop_assert!(mark.rank() < mark.refused().rank());
            prop_assert_eq!(mark.refused().expires(), mark.expires());
            prop_assert!(mark.refused().has(tag));
        }
    }
}
