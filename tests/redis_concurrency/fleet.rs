//! Several processes that ask one server at the same time, each with many tasks.

use std::{thread, time::Duration};

use actix_smart_ratelimit::backend::redis::{RedisBackend, RedisBuilder};
use futures_util::future::join_all;
use redis::{Client, Commands};

use crate::support::{
    processes::{self, spawn_self},
    redis::RedisServer,
};

pub(crate) const PROCESSES: usize = 4;
/// Tasks of each process.
pub(crate) const TASKS: usize = 64;
/// So long may an answer take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the test of this name in several processes, and gives what each of them says.
pub(crate) fn run(test: &str, server: &RedisServer) -> Vec<Vec<String>> {
    let start = |_| spawn_self(test, &server.url());
    let started: Vec<_> = (0..PROCESSES).map(start).collect();
    started.into_iter().map(processes::Process::lines).collect()
}

/// One of the processes.
pub(crate) struct Member {
    url: String,
    meetings: usize,
    runtime: tokio::runtime::Runtime,
}

impl Member {
    /// The process that this is, if it was started by [`run`].
    pub(crate) fn of_fleet() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        processes::role().map(|url| Self { url, meetings: 0, runtime })
    }

    /// A backend of its own for the fleet's server, which remembers so many refusals.
    pub(crate) fn backend(&self, denial_cache: usize) -> RedisBackend {
        builder(&self.url).denial_cache(denial_cache).build().unwrap()
    }

    /// Waits for all other processes to come here too.
    pub(crate) fn meet(&mut self) {
        let mut server = Client::open(&*self.url).unwrap().get_connection().unwrap();
        let place = format!("meeting {}", self.meetings);
        self.meetings += 1;
        let mut present: usize = server.incr(&place, 1).unwrap();
        while present < PROCESSES {
            thread::sleep(Duration::from_millis(1));
            present = server.get(&place).unwrap();
        }
    }

    /// Runs all tasks at once, each with its number, and collects what they return.
    pub(crate) fn in_all_tasks<T>(&self, task: impl AsyncFn(usize) -> T) -> Vec<T> {
        self.runtime.block_on(join_all((0..TASKS).map(|number| task(number))))
    }
}

/// A backend that is patient.
pub(crate) fn builder(url: &str) -> RedisBuilder {
    RedisBackend::builder(url).deadline(PATIENCE).connect_deadline(PATIENCE)
}

/// A source of random numbers for a task, another one for each.
pub(crate) fn random(task: usize) -> fastrand::Rng {
    fastrand::Rng::with_seed(u64::from(std::process::id()) << 32 | task as u64)
}
