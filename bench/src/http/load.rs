//! The load: one thread that keeps one request in flight on each connection.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

const CONNECTIONS: usize = 64;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";

/// A server that says nothing for so long is broken.
const SILENCE: Duration = Duration::from_secs(5);

/// Open connections to one server, each with a request in flight.
pub(super) struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
}

impl Load {
    /// Connects and sends the first request on every connection.
    pub(super) fn start(server: SocketAddr) -> Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for token in 0..CONNECTIONS {
            let stream = std::net::TcpStream::connect(server)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(token), Interest::READABLE)?;
            let mut connection = Connection::new(stream);
            connection.send()?;
            connections.push(connection);
        }
        Ok(Self { poll, events: Events::with_capacity(CONNECTIONS), connections })
    }

    /// Keeps asking for `window`; answers how many responses came and in what
    /// time. `status`, when given, is demanded of every one of them.
    pub(super) fn drive(
        &mut self,
        window: Duration,
        status: Option<&[u8; 3]>,
    ) -> Result<(u64, Duration)> {
        let mut responses = 0;
        let begin = Instant::now();
        loop {
            self.poll.poll(&mut self.events, Some(SILENCE))?;
            ensure!(!self.events.is_empty(), "the server stopped answering");
            for event in &self.events {
                let connection = &mut self.connections[event.token().0];
                if connection.receive(status)? {
                    responses += 1;
                    connection.send()?;
                }
            }
            let elapsed = begin.elapsed();
            if elapsed >= window {
                return Ok((responses, elapsed));
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    buffer: [u8; 4096],
    filled: usize,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: [0; 4096], filled: 0 }
    }

    /// The request is far smaller than any socket buffer: it goes in one write.
    fn send(&mut self) -> Result<()> {
        let sent = self.stream.write(REQUEST).context("sending a request")?;
        ensure!(sent == REQUEST.len(), "a request was cut short");
        Ok(())
    }

    /// Reads once; whether the response is complete.
    ///
    /// Once is enough although events are edge-triggered: with one request in
    /// flight, bytes that are still missing raise an event when they come.
    fn receive(&mut self, status: Option<&[u8; 3]>) -> Result<bool> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context("receiving a response"),
        }
        let received = &self.buffer[..self.filled];
        let Some(length) = response_length(received)? else {
            return Ok(false);
        };
        ensure!(self.filled == length, "the server sent more than one response");
        if let Some(status) = status {
            let line = String::from_utf8_lossy(&received[..15]);
            ensure!(received[9..12] == *status, "unexpected response: {line}");
        }
        self.filled = 0;
        Ok(true)
    }
}

/// Bytes of the head and body, once all of them are there.
fn response_length(received: &[u8]) -> Result<Option<usize>> {
    const LENGTH: &[u8] = b"content-length: ";

    let Some(head) = memmem::find(received, b"\r\n\r\n") else {
        return Ok(None);
    };
    let field = memmem::find(&received[..head], LENGTH)
        .context("the server sent a response without content-length")?;
    let digits = received[field + LENGTH.len()..].iter();
    let body = digits
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    let length = head + 4 + body;
    Ok((received.len() >= length).then_some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nHello, world";

    #[test]
    fn a_response_ends_after_head_and_body() {
        let length = response_length(RESPONSE).unwrap();
        assert_eq!(length, Some(RESPONSE.len()));
    }

    #[test]
    fn every_shorter_prefix_is_incomplete() {
        for end in 0..RESPONSE.len() {
            assert_eq!(response_length(&RESPONSE[..end]).unwrap(), None);
        }
    }

    #[test]
    fn a_response_of_unknown_length_is_an_error() {
        assert!(response_length(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
