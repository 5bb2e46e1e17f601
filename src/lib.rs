//! Rate limiting for Actix-web.

pub mod backend;
pub mod clock;
mod limiter;
pub mod net;

pub use actix_smart_ratelimit_core::{
    Algorithm, Batch, Cell, Charge, Check, CustomAlgorithm, Decision, Entries, EntryLog, Error,
    KeyPart, KeySpec, MAX_CHECKS, Mode, Policy, PolicyBuilder, Rate, Shape, Step, Store, Timestamp,
    Verdict, WindowStart, settle,
};
pub use backend::MemoryBackend;
pub use clock::{Clock, ManualClock};
pub use limiter::{
    Enforcement, Event, EventKind, Headers, Limit, MissingAddress, OnError, Outcome, RateLimiter,
    RateLimiterBuilder, Rates, ResetError,
};
