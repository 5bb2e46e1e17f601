//! The clock by which states are kept.

use super::row::signed;
use crate::ManualClock;

#[derive(Clone, Debug, Default)]
pub(super) enum ServerTime {
    /// The database's own.
    #[default]
    Server,
    /// One that a test moves.
    #[cfg_attr(not(feature = "test-util"), expect(dead_code, reason = "tests move it"))]
    Manual(ManualClock),
}

impl ServerTime {
    /// The time in Unix microseconds where it is not the database's.
    pub(super) fn manual(&self) -> Option<i64> {
        match self {
            Self::Server => None,
            Self::Manual(clock) => Some(signed(clock.now().as_micros())),
        }
    }
}
