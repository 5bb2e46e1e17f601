//! The example with SQLite does what its first lines say: its counters survive its own restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// The running example, which ends with the test.
struct Server {
    child: Child,
    address: String,
    /// Open as long as the server may want to print.
    _output: BufReader<ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples beside the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join("sqlite")
}

impl Server {
    fn start(file: &Path) -> Self {
        let mut command = Command::new(example());
        command.env("BIND", "127.0.0.1:0").env("DATABASE", file).env_remove("DATABASE_URL");
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.expect("run `cargo build --example sqlite --features sqlite` first");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let listening = output
            .by_ref()
            .lines()
            .find_map(|line| line.unwrap().strip_prefix("listening on http://").map(str::to_owned));
        Self { child, address: listening.unwrap(), _output: output }
    }

    fn status(&self) -> u16 {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET /login HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        connection.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

#[test]
fn counters_survive_the_examples_own_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limits.sqlite");
    {
        let server = Server::start(&file);
        let statuses: Vec<_> = (0..4).map(|_| server.status()).collect();
        assert_eq!(statuses, [200; 4]);
    }
    let server = Server::start(&file);
    assert_eq!([server.status(), server.status(), server.status()], [200, 429, 429]);
}
