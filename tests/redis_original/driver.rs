//! The original, as a process that answers requests one after the other.

use std::{
    env,
    io::{self, BufRead, BufReader, Lines, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use tokio::sync::mpsc::UnboundedSender;

use crate::support::redis::RedisServer;

/// The folder of the virtual environments, one for each version. `scripts/test.sh` makes them.
const FOLDER: &str = "ORIGINALS";
/// Set to 1 where a test without them is to fail.
const REQUIRED: &str = "REQUIRE_ORIGINAL";

/// The Python of a version's environment; none where there are no environments, which is said.
///
/// # Panics
///
/// When there is none but it is required, or when the folder is wrong.
pub(crate) fn python(version: &str) -> Option<PathBuf> {
    let Some(folder) = env::var_os(FOLDER) else {
        let is_required = env::var(REQUIRED).is_ok_and(|value| value == "1");
        assert!(!is_required, "{FOLDER} is not set: run scripts/test.sh");
        // Past the harness, which keeps what tests that pass print to itself.
        let _ =
            writeln!(io::stderr(), "SKIPPED: no {version} of the original, {FOLDER} is not set");
        return None;
    };
    let python = PathBuf::from(folder).join(version).join("bin/python");
    assert!(python.exists(), "{} is missing: run scripts/test.sh", python.display());
    Some(python)
}

/// What the original answered to one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    /// Admitted, with so much left.
    Admitted(u64),
    Refused,
}

/// A process of the original. It is killed when it is dropped.
pub(crate) struct Original {
    child: Child,
    requests: ChildStdin,
    answers: Option<Lines<BufReader<ChildStdout>>>,
}

impl Original {
    /// Starts it with these arguments of `driver.py` after the port.
    pub(crate) fn start(python: &PathBuf, server: &RedisServer, arguments: [&str; 3]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/original/driver.py");
        let mut command = Command::new(python);
        command.arg("-B").arg(script).arg(server.port().to_string()).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let requests = child.stdin.take().unwrap();
        let answers = Some(BufReader::new(child.stdout.take().unwrap()).lines());
        Self { child, requests, answers }
    }

    /// Waits until it can be asked.
    pub(crate) fn ready(&mut self) {
        assert_eq!(self.line(), "ready");
    }

    /// Makes so many requests, without waiting for their answers.
    pub(crate) fn request(&mut self, count: usize) {
        writeln!(self.requests, "{count}").unwrap();
    }

    /// The answer to one request.
    pub(crate) fn ask(&mut self) -> Answer {
        self.request(1);
        parsed(&self.line())
    }

    fn line(&mut self) -> String {
        self.answers.as_mut().unwrap().next().unwrap().unwrap()
    }

    /// Sends all further answers, each with `number`.
    pub(crate) fn forward(&mut self, number: usize, to: UnboundedSender<(usize, Answer)>) {
        let answers = self.answers.take().unwrap();
        thread::spawn(move || {
            for line in answers.map_while(Result::ok) {
                // At the end of a test nobody asks any more.
                let _ = to.send((number, parsed(&line)));
            }
        });
    }
}

fn parsed(line: &str) -> Answer {
    match line.split_once(' ') {
        Some(("200", left)) => Answer::Admitted(left.parse().unwrap()),
        Some(("429", _)) => Answer::Refused,
        _ => panic!("the original answered {line}"),
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
