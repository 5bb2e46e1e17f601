//! The clock by which states are kept.

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
