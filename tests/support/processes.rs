//! Further operating system processes of the running test program.
//!
//! A test starts them with a role; in them the same test runs, sees its role and plays it:
//!
//! ```ignore
//! #[test]
//! fn several_processes_share_one_limit() {
//!     if let Some(url) = processes::role() {
//!         return processes::say(admitted(&url));
//!     }
//!     let server = RedisServer::start();
//!     let test = "several_processes_share_one_limit";
//!     let workers: Vec<_> = (0..4).map(|_| processes::spawn_self(test, &server.url())).collect();
//!     let admitted: u64 = workers.into_iter().map(|worker| worker.numbers().sum::<u64>()).sum();
//! }
//! ```

use std::{
    env,
    fmt::Display,
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

/// Tells a process what it is for.
const ROLE: &str = "TEST_PROCESS_ROLE";
/// Tells what a process says from what the test harness prints.
const MARK: &str = "says: ";
/// After so long without a word from a process a test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The role that this process was started for by [`spawn_self`]; none in the test program itself.
pub fn role() -> Option<String> {
    env::var(ROLE).ok()
}

/// Sends a line to the process that started this one.
pub fn say(line: impl Display) {
    println!("{MARK}{line}");
}

/// Runs the test of this exact name in another process of this program, which shall play a role.
pub fn spawn_self(test: &str, role: &str) -> Process {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--include-ignored"]).env(ROLE, role);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = channel();
    let output = child.stdout.take().unwrap();
    thread::spawn(move || forward(output, &sender));
    Process { test: test.to_owned(), child, lines }
}

fn forward(output: ChildStdout, lines: &Sender<String>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some((_, said)) = line.split_once(MARK)
            && lines.send(said.to_owned()).is_err()
        {
            return;
        }
    }
}

/// A process that plays a role. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    test: String,
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it says; none when it has ended.
    pub fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("a process of {} is silent", self.test),
        }
    }

    /// Waits for its end, and gives the lines that have not been asked for.
    ///
    /// # Panics
    ///
    /// When the test failed in it, or when it said nothing at all from now on, as it does when there
    /// is no test of that name.
    pub fn lines(mut self) -> Vec<String> {
        let lines: Vec<_> = std::iter::from_fn(|| self.line()).collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "a process of {} ended with {status}", self.test);
        assert!(!lines.is_empty(), "a process of {} said nothing", self.test);
        lines
    }

    /// Its lines, which are numbers.
    pub fn numbers(self) -> impl Iterator<Item = u64> {
        self.lines().into_iter().map(|line| line.parse().unwrap())
    }

    /// Ends it at once, as `kill -9` does, and gives the lines that it has said until then and that
    /// have not been asked for.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.line()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
