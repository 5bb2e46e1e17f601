//! The command that a lone check of ours sends, to be repeated by a plain client.
//!
//! A relay between client and server notes what passes, so that what is
//! repeated is the very script with the very arguments, whatever they are.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::rt::{net::TcpListener, net::TcpStream, spawn, task::JoinHandle};
use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};

/// A command in which a key can be put in place of another.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// Each argument, cut at every place of the key.
    arguments: Vec<Vec<Vec<u8>>>,
}

impl Template {
    /// A command that was made for `key`.
    pub(crate) fn new(command: Vec<Vec<u8>>, key: &str) -> Self {
        let arguments = command.iter().map(|argument| cut(argument, key.as_bytes())).collect();
        Self { arguments }
    }

    /// Hands out the arguments for `key`, the name of the command first.
    pub(crate) fn fill(&self, key: &str, mut take: impl FnMut(&[u8])) {
        for pieces in &self.arguments {
            match pieces.as_slice() {
                [whole] => take(whole),
                pieces => take(&pieces.join(key.as_bytes())),
            }
        }
    }

    /// The arguments for `key` as texts.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>> {
        let mut arguments = Vec::new();
        self.fill(key, |argument| arguments.push(String::from_utf8(argument.to_vec())));
        arguments.into_iter().collect::<Result<_, _>>().context("an argument is no text")
    }
}

/// The pieces of `text` between the places of `key`.
fn cut(text: &[u8], key: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for at in memmem::find_iter(text, key) {
        pieces.push(text[from..at].to_vec());
        from = at + key.len();
    }
    pieces.push(text[from..].to_vec());
    pieces
}

/// Passes on all that comes and notes what clients send. Stops taking connections when dropped.
pub(super) struct Relay {
    address: SocketAddr,
    sent: Rc<RefCell<Vec<u8>>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// To be called on an Actix runtime.
    pub(super) async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("binding a relay")?;
        let address = listener.local_addr()?;
        let sent = Rc::<RefCell<Vec<u8>>>::default();
        let log = Rc::clone(&sent);
        let accepting = spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                spawn(pass(client, server, Rc::clone(&log)));
            }
        });
        Ok(Self { address, sent, accepting })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last `EVALSHA` that passed, with places for other keys.
    pub(super) fn evalsha(&self, key: &str) -> Result<Template> {
        let commands = commands(&self.sent.borrow())?;
        let is_evalsha = |command: &Vec<Vec<u8>>| {
            command.first().is_some_and(|name| name.eq_ignore_ascii_case(b"EVALSHA"))
        };
        let command = commands.into_iter().rfind(is_evalsha);
        let template = Template::new(command.context("no EVALSHA passed")?, key);
        let keyed = template.arguments.iter().any(|pieces| pieces.len() > 1);
        ensure!(keyed, "the EVALSHA does not name its key");
        Ok(template)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Ends when one side hangs up.
async fn pass(client: TcpStream, server: SocketAddr, log: Rc<RefCell<Vec<u8>>>) -> Result<()> {
    let server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    spawn(async move { copy(&mut from_server, &mut to_client).await });
    let mut buffer = [0; 4096];
    loop {
        let count = from_client.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        log.borrow_mut().extend_from_slice(&buffer[..count]);
        to_server.write_all(&buffer[..count]).await?;
    }
}

/// The commands in what a client has sent: arrays of strings that tell their lengths.
fn commands(mut sent: &[u8]) -> Result<Vec<Vec<Vec<u8>>>> {
    let mut commands = Vec::new();
    while !sent.is_empty() {
        let count = number(&mut sent, b'*')?;
        let mut command = Vec::new();
        for _ in 0..count {
            let length = number(&mut sent, b'$')?;
            ensure!(sent.len() >= length + 2, "a command was cut short");
            command.push(sent[..length].to_vec());
            sent = &sent[length + 2..];
        }
        commands.push(command);
    }
    Ok(commands)
}

/// Takes a line such as `*3` from `sent`.
fn number(sent: &mut &[u8], kind: u8) -> Result<usize> {
    let end = memmem::find(sent, b"\r\n").context("a command was cut short")?;
    let line = &sent[..end];
    let Some(digits) = line.strip_prefix(&[kind]) else {
        bail!("{:?} is no part of a command", String::from_utf8_lossy(line));
    };
    let number = std::str::from_utf8(digits)?.parse()?;
    *sent = &sent[end + 2..];
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_cut_out_of_what_was_sent() {
        let sent = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n";
        let commands = commands(sent).unwrap();
        assert_eq!(commands, [vec![b"PING".to_vec()], vec![b"GET".to_vec(), b"a\r\n".to_vec()]]);
    }

    #[test]
    fn half_a_command_is_an_error() {
        assert!(commands(b"*1\r\n$4\r\nPI").is_err());
        assert!(commands(b"PING\r\n").is_err());
    }

    #[test]
    fn a_template_puts_the_key_wherever_it_stood() {
        let command = ["EVALSHA", "k", "a:k:k", "1"].map(Into::into).to_vec();
        let texts = Template::new(command, "k").texts("other").unwrap();
        assert_eq!(texts, ["EVALSHA", "other", "a:other:other", "1"]);
    }
}
