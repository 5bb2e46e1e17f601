//! Ports for servers of tests.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
};

/// Below the ports that systems give to outgoing connections. Among those, the port of a server that
/// is down could be taken by a stranger before the server returns, or a client could be connected to
/// itself. Nodes of a Redis cluster talk to each other on a port that is 10,000 higher.
const FIRST: u64 = 10_000;
const COUNT: u64 = 10_000;

/// A loopback port that was free just now. Another process may take it at any time: whoever binds it
/// asks for another one when that fails.
pub fn free_port() -> u16 {
    loop {
        let port = FIRST + RandomState::new().hash_one(()) % COUNT;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
