//! The example about failover prints what a reader would see who stops Redis and starts it again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{
    io::{BufRead, BufReader, Lines},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use support::redis::RedisServer;

/// The running example, which ends with the test.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples beside the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join("failover")
}

impl Program {
    /// The next line that has all these parts.
    fn says(&mut self, parts: &[&str]) {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if parts.iter().all(|part| line.contains(part)) {
                return;
            }
            seen.push(line);
        }
        panic!("it never says {parts:?}: {seen:#?}");
    }
}

#[test]
fn a_reader_sees_sqlite_take_over_and_redis_come_back() {
    let server = RedisServer::start();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(example());
    command.env("REDIS_URL", server.url()).env("DATABASE", folder.path().join("limits.sqlite"));
    // It ends by itself, so that a test that waits for a line in vain ends too.
    command.env("SECONDS", "30").stdout(Stdio::piped());
    let mut child = command.spawn().expect("run `cargo build --examples --all-features` first");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut program = Program { child, lines };

    program.says(&["redis Closed", "sqlite Closed (0 decided)"]);
    server.kill();
    program.says(&["redis is not asked any more", "not reachable"]);
    program.says(&["sqlite decides from now on"]);
    program.says(&["left", "sqlite Closed"]);
    server.restart();
    program.says(&["redis is asked again"]);
    program.says(&["redis decides from now on"]);
    server.freeze();
    program.says(&["redis is not asked any more", "no answer within the deadline"]);
    program.says(&["sqlite decides from now on"]);
    server.thaw();
    program.says(&["redis decides from now on"]);
}
