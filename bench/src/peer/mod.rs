//! The peers, each behind the few functions that the cases call.

pub(crate) mod actix_extensible;
pub(crate) mod actix_governor;
pub(crate) mod actix_limitation;
pub(crate) mod diesel;
pub(crate) mod governor;
pub(crate) mod redis_rs;

use std::time::Duration;

/// A limit that no case reaches.
pub(crate) const OUT_OF_REACH: u32 = 1_000_000_000;

/// The period of a limit that stays used up for as long as a run lasts.
pub(crate) const LONG: Duration = Duration::from_secs(3600);
