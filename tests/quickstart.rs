//! The first command of the README does what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

/// A server that ends with the test.
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
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().nth(2).expect("a test lies in a folder of its profile");
    profile.join("examples").join("quickstart")
}

impl Server {
    fn start() -> Self {
        let command =
            Command::new(example()).env("BIND", "127.0.0.1:0").stdout(Stdio::piped()).spawn();
        let mut child = command.expect("run `cargo build --example quickstart` first");
        let mut first = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        output.read_line(&mut first).expect("the server says where it listens");
        let address = first.split(['/', ';']).nth(2).expect(&first).to_owned();
        Self { child, address, _output: output }
    }

    fn get(&self, path: &str) -> String {
        let mut connection = TcpStream::connect(&self.address).expect("the server listens");
        let address = &self.address;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).expect("the server reads");
        let mut response = String::new();
        connection.read_to_string(&mut response).expect("the server answers");
        response.to_ascii_lowercase()
    }
}

#[test]
fn login_is_answered_five_times_a_minute_then_refused() {
    let server = Server::start();
    for left in (0..5).rev() {
        let response = server.get("/login");
        assert!(response.starts_with("http/1.1 200"), "{response}");
        assert!(response.contains(&format!("x-ratelimit-remaining: {left}\r\n")), "{response}");
    }
    let refusal = server.get("/login");
    assert!(refusal.starts_with("http/1.1 429"), "{refusal}");
    assert!(refusal.contains("retry-after: "), "{refusal}");
    assert!(server.get("/report").starts_with("http/1.1 200"));
    assert!(server.get("/api/items/7").contains("ratelimit-policy: \"items\";q=10;w=60"));
}
