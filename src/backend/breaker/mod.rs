//! One store, watched: a circuit breaker that its failures open and its probes close.
//!
//! `machine` is the circuit breaker itself, `guard` puts it before a store, `probe` is the task that finds
//! out whether the store is back. Requests never probe: while a breaker is open they are told at once.

mod guard;
mod latency;
mod machine;
mod probe;
mod record;
mod settings;
mod status;

pub(crate) use guard::{Guard, Ticket, undecided};
pub use latency::Latency;
pub use machine::MemberState;
pub(crate) use probe::Probing;
pub use settings::BreakerSettings;
pub use status::{Change, ChangeKind, MemberStatus, Watcher};
