//! For tests: the suite that every backend passes, and a backend for comparison.

pub mod conformance;
mod reference;

pub use reference::Reference;

pub use crate::ManualClock;
