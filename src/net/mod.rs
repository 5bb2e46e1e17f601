//! Who is at the other end: addresses and networks as pure values.
//!
//! Nothing here reads a socket, resolves a name or knows a web framework. Addresses are compared
//! by their bits, never by their spelling, so one client cannot be many by writing its address
//! in many ways.

mod address;
mod cidr;
mod error;
mod networks;
mod ranges;

pub use address::{canonical, parse_address};
pub use error::NetworkError;
pub use networks::Networks;
