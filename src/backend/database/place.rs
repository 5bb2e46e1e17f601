//! Where the state of a check is.

use std::borrow::Cow;

use super::{key::stored, row};
use crate::{Policy, Shape, WindowStart, backend::asked::OwnedCheck};

/// Where the state of a check is.
#[derive(Debug)]
pub(super) struct Place<'r> {
    pub(super) key: Cow<'r, str>,
    pub(super) tag: i64,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A fixed window on the clock, of this period: a counter, if that has no other period.
    Window(u64),
    /// A log of this period.
    Log(u64),
    /// A bucket whose cell is a time.
    Bucket,
    /// Anything else.
    Cell,
}

impl Kind {
    pub(super) fn of(policy: &Policy) -> Self {
        match policy.shape() {
            Shape::Window(window)
                if !window.is_weighted() && window.start() == WindowStart::Clock =>
            {
                Self::Window(window.period())
            }
            Shape::Log(log) => Self::Log(log.period()),
            Shape::Meter(meter) if meter.refill().0 > 0 => Self::Bucket,
            _ => Self::Cell,
        }
    }
}

impl<'r> Place<'r> {
    pub(super) fn of(check: &'r OwnedCheck) -> Self {
        let OwnedCheck { key, policy, .. } = check;
        Self { key: stored(key), tag: row::bits(policy.state_tag()), kind: Kind::of(policy) }
    }

    pub(super) fn is_window(&self) -> bool {
        matches!(self.kind, Kind::Window(_))
    }
}
