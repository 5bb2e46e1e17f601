//! The arithmetic of `actix-smart-ratelimit`: rates, algorithms, policies and decisions.
//!
//! Everything here is a pure value or a pure function over integer time. Nothing reads a clock,
//! does I/O, allocates on a decision's path or knows about HTTP, so the attribute macro, every
//! backend and every test share one copy of each formula.
//!
//! | word | type |
//! |---|---|
//! | N permits per period | [`Rate`] |
//! | how permits come back | [`Algorithm`], or your own [`CustomAlgorithm`] |
//! | a rate, an algorithm and its parameters, validated | [`Policy`] |
//! | several policies asked at once, all or nothing | [`Batch`] of [`Check`]s |
//! | what was decided and until when | [`Decision`], [`Verdict`] |
//! | whom to count | [`KeySpec`] |
//!
//! ```
//! use actix_smart_ratelimit_core::{Algorithm, Policy, Rate, Timestamp};
//!
//! let policy = Policy::new(Algorithm::Gcra, "2/m".parse::<Rate>()?);
//! let now = Timestamp::from_secs(1_800_000_000);
//! let first = policy.step(None, now, 1);
//! let second = policy.step(Some(first.cell), now, 1);
//! let third = policy.step(Some(second.cell), now, 1);
//! assert!(first.decision.is_allowed() && second.decision.is_allowed());
//! assert_eq!(third.decision.retry_at(), Some(now + 30_000_000));
//! # Ok::<(), actix_smart_ratelimit_core::Error>(())
//! ```

pub mod algorithm;
mod batch;
mod decision;
mod error;
mod key;
mod policy;
mod rate;
mod settle;
mod share;
mod time;

pub use algorithm::{Algorithm, Cell, CustomAlgorithm, Entries, EntryLog, Step, WindowStart};
pub use batch::{Batch, Check, MAX_CHECKS};
pub use decision::{Decision, Verdict};
pub use error::{Error, nearest};
pub use key::{KeyPart, KeySpec};
pub use policy::{Charge, Policy, PolicyBuilder, Shape};
pub use rate::{MAX_PERIOD_MICROS, Rate};
pub use settle::{Mode, Store, settle};
pub use time::Timestamp;
