//! Backends around a backend.

mod denial;
mod lease;

pub use denial::DenialCache;
pub use lease::Leases;
