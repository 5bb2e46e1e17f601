//! Rate limiting for Actix-web.

pub mod backend;
pub mod clock;

pub use actix_smart_ratelimit_core::{
    Algorithm, Batch, Cell, Charge, Check, CustomAlgorithm, Decision, Entries, EntryLog, Error,
    KeyPart, KeySpec, MAX_CHECKS, Mode, Policy, PolicyBuilder, Rate, Shape, Step, Store, Timestamp,
    Verdict, WindowStart, settle,
};
pub use backend::MemoryBackend;
pub use clock::{Clock, ManualClock};
