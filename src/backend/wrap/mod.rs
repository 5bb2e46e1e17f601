//! Backends around a backend.
//!
//! | to | use |
//! |---|---|
//! | refuse what is known to be refused, without asking the store | [`DenialCache`] |
//! | admit from memory what was taken from the store in lots | [`Leases`] |
//!
//! Where both are used, [`Leases`] go outside: what a process holds is then handed out before
//! anything is refused.

mod denial;
mod lease;
mod sets;

pub use denial::DenialCache;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub(super) use denial::Remembered;
pub use lease::Leases;
