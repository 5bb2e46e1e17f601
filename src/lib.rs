//! The limiter.

pub mod net;
