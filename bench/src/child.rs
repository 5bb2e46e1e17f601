//! Child processes of this binary: a fresh heap or a server of its own.
//!
//! A child reads its standard input and leaves when that closes, which happens
//! however the parent ends. A parent that ends in order stops it first.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, stdin};
use std::process::{Child, ChildStdout, Command, Stdio, exit};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A running child; killed and waited for when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this binary again with `arguments`.
    ///
    /// Backtraces are switched off: they would be charged to whoever makes
    /// errors, and production runs without them.
    pub(crate) fn spawn<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Self> {
        let program = std::env::current_exe().context("finding this binary")?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LIB_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a child process")?;
        let stdout = child.stdout.take().context("reading a child's output")?;
        Ok(Self { child, stdout: BufReader::new(stdout) })
    }

    /// The next line that the child prints, without its end.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            bail!("the child process ended without an answer");
        }
        Ok(line.trim_end().to_owned())
    }

    /// Lets a child that waits for the end of its input clean up and leave.
    pub(crate) fn close(&mut self) {
        drop(self.child.stdin.take());
        // Fails only when the child is gone already.
        let _ = self.child.wait();
    }

    /// Processor time that all threads of the child have used so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        cpu_time(self.child.id())
    }
}

/// Processor time that a process and its children, which must not end meanwhile, have used so far.
pub(crate) fn family_cpu_time(process: u32) -> Result<Duration> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    let mut used = cpu_time(process)?;
    for child in children.split_whitespace() {
        // One that does no work for us may end at any time.
        used += cpu_time(child.parse()?).unwrap_or_default();
    }
    Ok(used)
}

/// Processor time that all threads of a process have used so far.
pub(crate) fn cpu_time(process: u32) -> Result<Duration> {
    let tasks = format!("/proc/{process}/task");
    let tasks = fs::read_dir(tasks).context("reading CPU time, which only Linux tells")?;
    let mut nanoseconds = 0;
    for task in tasks {
        let statistics = fs::read_to_string(task?.path().join("schedstat"))?;
        let used = statistics.split(' ').next();
        nanoseconds += used.context("schedstat is empty")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the child is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends this process as soon as its parent is gone.
pub(crate) fn end_with_parent() {
    thread::spawn(|| {
        let mut discarded = [0; 64];
        let mut input = stdin().lock();
        while matches!(input.read(&mut discarded), Ok(1..)) {}
        exit(0);
    });
}
