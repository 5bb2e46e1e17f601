//! Who takes part in the decisions, ready to be measured.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::Runtime;
use anyhow::{Result, ensure};

use super::capture::{Relay, Template};
use super::ceiling;
use super::server::{Server, url};
use crate::child::cpu_time;
use crate::drive::{Bounds, Check, Slice, Visit, drive};
use crate::ours::{Algorithm, Outcome, redis::Limiter};
use crate::peer::{actix_extensible, actix_limitation, redis_rs};

pub(super) const KEYS: usize = 100_000;

/// The names of our batches of several limits.
pub(super) const LIMITS: [&str; 2] = ["ours, 2 limits", "ours, 3 limits"];

/// Whether batches of several limits are measured too.
pub(super) fn has_limits(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::FixedWindow | Algorithm::Gcra)
}

/// Someone who takes part with any number of checks in flight.
pub(super) struct Participant<'a> {
    pub(super) name: &'static str,
    server: u32,
    slice: Box<dyn Fn(usize, Duration) -> Result<Slice> + 'a>,
}

impl Participant<'_> {
    /// Keeps `in_flight` checks in flight for `window`.
    pub(super) fn slice(&self, in_flight: usize, window: Duration) -> Result<Slice> {
        let before = cpu_time(self.server)?;
        let slice = (self.slice)(in_flight, window)?;
        let used = cpu_time(self.server)? - before;
        Ok(Slice { server: used.as_secs_f64() * 1e6 / slice.checks as f64, ..slice })
    }
}

/// What all participants share.
pub(super) struct Stage {
    runtime: Runtime,
    keys: Arc<Vec<String>>,
    server: SocketAddr,
    /// The server's process.
    process: u32,
}

impl Stage {
    pub(super) fn new(server: &Server, keys: &Arc<Vec<String>>) -> Result<Self> {
        Ok(Self {
            runtime: Runtime::new()?,
            keys: Arc::clone(keys),
            server: server.address(),
            process: server.id(),
        })
    }

    /// Everyone who can do `algorithm`; ours first, our batches of several limits last.
    pub(super) fn participants(
        &self,
        server: &mut Server,
        algorithm: Algorithm,
    ) -> Result<Vec<Participant<'_>>> {
        let ours = Limiter::of_limits(&server.next_url()?, algorithm, KEYS, 1)?;
        let command = captured(self.server, server.database()?, algorithm);
        let command = self.runtime.block_on(command)?;
        let mut participants = vec![
            self.participant("ours", ours),
            self.single(server, "one EVALSHA each, same script", &command)?,
        ];
        if algorithm == Algorithm::FixedWindow {
            participants.extend(self.peers(server)?);
        }
        if has_limits(algorithm) {
            for (limits, name) in (2..).zip(LIMITS) {
                let ours = Limiter::of_limits(&server.next_url()?, algorithm, KEYS, limits)?;
                participants.push(self.participant(name, ours));
            }
        }
        Ok(participants)
    }

    /// Those who count fixed windows and nothing else.
    fn peers(&self, server: &mut Server) -> Result<Vec<Participant<'_>>> {
        let url = server.next_url()?;
        let extensible = self.runtime.block_on(actix_extensible::redis_backend(&url))?;
        let limitation = actix_limitation::limiter(&server.next_url()?)?;
        let incr = self.runtime.block_on(redis_rs::window(&server.next_url()?))?;
        Ok(vec![
            self.participant("actix-extensible-rate-limit", extensible),
            self.participant("actix-limitation", limitation),
            self.single(server, "one EVALSHA each, INCR only", &incr)?,
            self.ceiling(server.database()?, incr.texts(ceiling::KEY)?),
        ])
    }

    fn participant(&self, name: &'static str, limiter: impl Check) -> Participant<'_> {
        let limiter = Arc::new(limiter);
        let visit = Rc::new(Visit::new(&self.keys, 0));
        let slice = move |in_flight, window| {
            let bounds = Bounds { window, checks: u64::MAX };
            let slice = drive(&limiter, &visit, in_flight, bounds);
            let slice = self.runtime.block_on(slice)?;
            let Slice { checks, admitted, .. } = slice;
            ensure!(admitted == checks, "{admitted} of {checks} checks were admitted");
            Ok(slice)
        };
        Participant { name, server: self.process, slice: Box::new(slice) }
    }

    fn single(
        &self,
        server: &mut Server,
        name: &'static str,
        command: &Template,
    ) -> Result<Participant<'_>> {
        let url = server.next_url()?;
        let single = redis_rs::Single::new(&url, command.clone());
        Ok(self.participant(name, self.runtime.block_on(single)?))
    }

    fn ceiling(&self, database: u32, command: Vec<String>) -> Participant<'_> {
        let slice = move |in_flight, window: Duration| {
            // About as many as take that long.
            let per_millisecond = if in_flight == 1 { 20 } else { 300 };
            let requests = u64::try_from(window.as_millis())? * per_millisecond;
            let (server, command) = (self.server, command.as_slice());
            let run = ceiling::Run { server, database, keys: KEYS, in_flight, requests, command };
            run.slice()
        };
        let name = "redis-benchmark, INCR only";
        Participant { name, server: self.process, slice: Box::new(slice) }
    }
}

/// The command that our second lone check sends; the first may have to load the script.
async fn captured(server: SocketAddr, database: u32, algorithm: Algorithm) -> Result<Template> {
    let relay = Relay::start(server).await?;
    let url = url(relay.address(), database);
    let limiter = Limiter::new(&url, algorithm, Outcome::Admitted, KEYS, 0)?;
    for _ in 0..2 {
        let admitted = limiter.check(ceiling::KEY).await?;
        ensure!(admitted, "a check out of reach of its limit was refused");
    }
    relay.evalsha(ceiling::KEY)
}
