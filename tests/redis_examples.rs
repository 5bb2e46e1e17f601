//! The examples about Redis do what they say, against private servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use support::redis::{RedisCluster, RedisServer};

/// A program that ends with the test.
struct Program {
    child: Child,
    address: String,
    /// Open as long as the program may want to print.
    output: BufReader<ChildStdout>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples beside the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join(name)
}

impl Program {
    fn start(name: &str, variable: &str, urls: &str) -> Self {
        let mut command = Command::new(example(name));
        command.env("BIND", "127.0.0.1:0").env(variable, urls).stdout(Stdio::piped());
        let mut child = command.spawn().expect("run `cargo build --examples` first");
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut program = Self { child, address: String::new(), output };
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert!(program.output.read_line(&mut line).unwrap() > 0, "{name} ended early");
        }
        program.address = line.split(['[', ']', ',']).nth(1).expect(&line).to_owned();
        program
    }

    fn status(&self, path: &str) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        response.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

#[test]
fn two_processes_let_a_client_in_five_times_together() {
    let server = RedisServer::start();
    let both = [(); 2].map(|()| Program::start("redis", "REDIS_URL", &server.url()));
    let statuses: Vec<_> = (0..8).map(|call| both[call % 2].status("/login")).collect();
    assert_eq!(statuses, ["200", "200", "200", "200", "200", "429", "429", "429"]);
}

#[test]
fn without_its_server_a_process_keeps_the_limit_by_itself() {
    let server = RedisServer::start();
    let program = Program::start("redis", "REDIS_URL", &server.url());
    server.kill();
    let statuses: Vec<_> = (0..6).map(|_| program.status("/login")).collect();
    assert_eq!(statuses, ["200", "200", "200", "200", "200", "429"]);
}

#[test]
fn a_cluster_counts_several_rates_of_one_limit() {
    let cluster = RedisCluster::start(3);
    let program = Program::start("redis_cluster", "REDIS_NODES", &cluster.urls().join(","));
    let passed = (0..12).filter(|_| program.status("/") == "200").count();
    assert_eq!(passed, 10);
}
