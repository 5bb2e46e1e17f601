//! One connection and those who wait for it.
//!
//! Checks that arrive while calls are under way gather, and go together in the next call: a lone check
//! goes at once, nobody waits for a timer, and the more there is to do the less each check costs. A
//! lane lives on the runtime that made it. While there is no connection, those who ask are told so at
//! once, and one attempt after the other is made to get it back, with pauses between them: a server
//! that refuses what it is asked, or that hangs up, is not called without end.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::{RedisError, Value};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{sleep, timeout},
};

use super::{
    Shared,
    call::{Ended, carry_out},
    fault,
    job::Job,
    link::{Link, late},
};
use crate::{
    Clock,
    backend::{BackendError, ErrorKind, Fate},
};

/// Jobs that may wait; more are turned away.
const MOST_WAITING: usize = 16_384;
/// Checks in one call: few enough that nobody else waits long for the server.
const MOST_TOGETHER: usize = 128;
/// Calls under way to one server: while it works on one, the next is on its way.
const CALLS: usize = 2;
/// Calls under way to a cluster, where checks do not travel together.
const CLUSTER_CALLS: usize = 1_024;
/// Pauses between attempts to connect.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Begins a lane on the current runtime.
pub(super) fn begin(shared: Arc<Shared>) -> Sender<Job> {
    let (sender, jobs) = channel(MOST_WAITING);
    tokio::spawn(Lane { shared, jobs, failures: 0, away: None }.run());
    sender
}

struct Lane {
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
    /// Attempts that failed in a row; a connection that did not last is one.
    failures: u32,
    /// Why there was no connection, until one has answered.
    away: Option<BackendError>,
}

/// Why a lane is without a connection.
enum Without {
    Connection(BackendError),
    /// Nobody can ask any more.
    Askers,
}

impl Lane {
    async fn run(mut self) {
        loop {
            let without = match self.connect().await {
                Ok(link) => self.hold(link).await,
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    Without::Connection(error)
                }
            };
            let Without::Connection(error) = without else { return };
            if self.failures == 0 {
                continue;
            }
            if self.away.is_none() {
                self.shared.tell_lost(&error);
            }
            let error = error.with_fate(Fate::NotCharged);
            self.away = Some(error.clone());
            if self.refuse_during(&error, sleep(self.pause())).await.is_none() {
                return;
            }
        }
    }

    /// Makes a connection. At first those who ask may wait for it as long as for an answer.
    async fn connect(&mut self) -> Result<Link, BackendError> {
        let shared = self.shared.clone();
        let mut connecting = pin!(attempt(&shared, self.failures > 0));
        let late = || fault::not_charged(ErrorKind::Timeout, "there is no connection yet");
        if self.failures == 0
            && let Ok(result) = timeout(shared.deadline, &mut connecting).await
        {
            return result;
        }
        let error = self.away.clone().unwrap_or_else(late);
        self.refuse_during(&error, connecting).await.unwrap_or(Err(error))
    }

    /// Serves while the connection lasts.
    async fn hold(&mut self, link: Link) -> Without {
        self.shared.inspect(&link);
        let since = Clock::System.now();
        let without = self.serve(link).await;
        if let Without::Connection(error) = &without {
            // A server that does not answer is no better for being connected to again at once.
            self.failures =
                match Duration::from_micros(Clock::System.now().since(since)) < LONGEST_PAUSE {
                    true => self.failures.saturating_add(1),
                    false => u32::from(error.kind() == ErrorKind::Timeout),
                };
        }
        without
    }

    /// Answers everybody with `error` until `event`; `None` if nobody can ask any more.
    async fn refuse_during<T>(
        &mut self,
        error: &BackendError,
        event: impl Future<Output = T>,
    ) -> Option<T> {
        let mut event = pin!(event);
        loop {
            tokio::select! {
                happened = &mut event => return Some(happened),
                job = self.jobs.recv() => job?.fail(error.clone()),
            }
        }
    }

    /// Carries out jobs until the connection is lost.
    async fn serve(&mut self, mut link: Link) -> Without {
        let shared = self.shared.clone();
        let (most_together, most_calls) =
            if shared.is_cluster() { (1, CLUSTER_CALLS) } else { (MOST_TOGETHER, CALLS) };
        let connection = link.connection.clone();
        let mut calls = FuturesUnordered::new();
        let mut jobs = Vec::new();
        loop {
            tokio::select! {
                biased;
                ended = calls.next(), if !calls.is_empty() => match ended.flatten() {
                    Some(error) => {
                        self.finish(calls, &error).await;
                        return Without::Connection(error);
                    }
                    None => self.has_answered(),
                },
                () = link.lost() => {
                    let reason = "the server closed the connection";
                    let error = fault::not_charged(ErrorKind::Unreachable, reason);
                    self.finish(calls, &error).await;
                    return Without::Connection(error);
                }
                count = self.jobs.recv_many(&mut jobs, most_together), if calls.len() < most_calls => {
                    if count == 0 {
                        while calls.next().await.is_some() {}
                        return Without::Askers;
                    }
                    calls.push(carry_out(&shared, &*connection, std::mem::take(&mut jobs)));
                }
            }
        }
    }

    /// Waits for the calls under way, which have deadlines of their own. Where the server does not
    /// answer, those who ask meanwhile need not wait for it too.
    async fn finish(
        &mut self,
        mut calls: FuturesUnordered<impl Future<Output = Ended>>,
        error: &BackendError,
    ) {
        let finished = async { while calls.next().await.is_some() {} };
        if error.kind() == ErrorKind::Timeout {
            let reason = "the server did not answer those before";
            let error = fault::not_charged(ErrorKind::Timeout, reason);
            self.refuse_during(&error, finished).await;
        } else {
            finished.await;
        }
    }

    fn has_answered(&mut self) {
        if self.away.take().is_some() {
            self.shared.tell_connected();
        }
    }

    /// Longer with every failure, and never the same for two lanes.
    fn pause(&self) -> Duration {
        let longest = SHORTEST_PAUSE * 2_u32.saturating_pow(self.failures.min(8));
        longest.min(LONGEST_PAUSE) * fastrand::u32(50..=100) / 100
    }
}

/// Connects. After a failure a server has to show that it answers in time before it is asked anything.
async fn attempt(shared: &Shared, failed_before: bool) -> Result<Link, BackendError> {
    let not_sent = |error: RedisError| fault::of(&error, false);
    let link = shared.connect.connect(shared.connect_deadline).await.map_err(not_sent)?;
    if failed_before && !shared.is_cluster() {
        let ping = timeout(shared.deadline, link.connection.run(redis::cmd("PING")));
        let pong = ping.await.unwrap_or_else(|_| Err(late()));
        pong.and_then(Value::extract_error).map_err(not_sent)?;
    }
    Ok(link)
}
