//! Running the command, and what it leaves behind.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use actix_smart_ratelimit::{
    Algorithm, Batch, Check, Clock, ManualClock, Policy, Timestamp,
    backend::{Backend, Progress, database::DatabaseBackend, redis::RedisBackend},
};
use serde_json::Value;
use tempfile::TempDir;

/// So long may an answer take on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A run of the command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

/// The program with these arguments, and nothing of this process's environment that it might read.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ratelimit"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RATELIMIT") {
            command.env_remove(name);
        }
    }
    command
}

pub(crate) fn ratelimit(arguments: &[&str]) -> Ran {
    ran(&mut command(arguments))
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let begun = Instant::now();
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().expect("it ends by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        took: begun.elapsed(),
    }
}

impl Ran {
    /// Asserts how it ended.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// The one JSON object that it printed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it printed, with what differs from run to run replaced.
    pub(crate) fn masked(&self) -> String {
        let mut text = String::new();
        for line in self.out.lines() {
            let words: Vec<_> = line.split(' ').map(masked_word).collect();
            text.push_str(words.join(" ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// Round trips, times and spells.
fn masked_word(word: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_spell = |text: &str| {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        digits.len() < text.len() && is_number(digits)
    };
    let is_trip =
        |text: &str| text.split_once('.').is_some_and(|(a, b)| is_number(a) && is_number(b));
    let bare = word.trim_end_matches(',');
    match bare {
        _ if bare.len() == 20 && bare.ends_with('Z') && bare.contains('T') => "<time>",
        _ if is_trip(bare) => "<n>",
        _ if is_spell(bare) => "<n>",
        _ => word,
    }
}

/// A file of configuration in a folder of its own.
pub(crate) struct Config {
    folder: TempDir,
}

impl Config {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ratelimit.toml"), text).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ratelimit.toml")
    }

    /// Runs the command with this configuration.
    pub(crate) fn ratelimit(&self, arguments: &[&str]) -> Ran {
        let path = self.path();
        let mut all = vec!["--config", path.to_str().unwrap()];
        all.extend(arguments);
        ratelimit(&all)
    }
}

/// The URL of a new database of SQLite.
pub(crate) fn sqlite(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("limits.sqlite").display())
}

pub(crate) fn policy(algorithm: Algorithm, rate: &str) -> Policy {
    Policy::new(algorithm, rate.parse().unwrap())
}

pub(crate) async fn charge(backend: &dyn Backend, key: &str, policy: &Policy, cost: u32) {
    let mut batch = Batch::of(Timestamp::ZERO, Check { key, policy, cost });
    let verdict = match backend.check(&mut batch) {
        Progress::Done => batch.into_verdict(),
        Progress::Pending(verdict) => verdict.await.unwrap(),
    };
    assert!(verdict.is_allowed(), "{key}");
}

pub(crate) fn redis(url: String) -> RedisBackend {
    RedisBackend::builder(url).deadline(PATIENCE).connect_deadline(PATIENCE).build().unwrap()
}

/// A database with its tables, whose clock is so many seconds behind.
pub(crate) async fn database(url: &str, seconds_ago: u64) -> DatabaseBackend {
    let now = Clock::System.now();
    let clock = ManualClock::new(now - seconds_ago * 1_000_000);
    let builder = DatabaseBackend::builder(url).clock(clock).denial_cache(0);
    let backend = builder.deadline(PATIENCE).build().unwrap();
    backend.migrate().await.unwrap();
    backend
}
