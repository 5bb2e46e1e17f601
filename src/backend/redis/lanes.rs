//! The lanes of a backend: one for each runtime, which an Actix worker is, up to a bound.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    runtime::{Handle, Id},
    sync::mpsc::{Sender, error::TrySendError},
};

use super::{Shared, fault, job::Job, lane};
use crate::backend::{BackendError, ErrorKind};

/// Lanes by the runtime that they live on.
#[derive(Debug)]
pub(super) struct Lanes {
    open: Mutex<Vec<(Id, Sender<Job>)>>,
    most: usize,
}

impl Lanes {
    /// At most `most` lanes, at least one.
    pub(super) fn new(most: usize) -> Self {
        Self { open: Mutex::default(), most: most.max(1) }
    }

    /// Hands a job to the lane of the current runtime.
    pub(super) fn send(&self, shared: &Arc<Shared>, mut job: Job) -> Result<(), BackendError> {
        // A lane whose runtime has ended is replaced; the next one is open.
        for _ in 0..2 {
            let lane = self.lane(shared)?;
            job = match lane.try_send(job) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => {
                    let reason = "too many checks are waiting for the server";
                    return Err(fault::not_charged(ErrorKind::Unavailable, reason));
                }
                Err(TrySendError::Closed(job)) => job,
            };
        }
        Err(fault::not_charged(ErrorKind::Unreachable, "the runtime is ending"))
    }

    fn lane(&self, shared: &Arc<Shared>) -> Result<Sender<Job>, BackendError> {
        let Ok(runtime) = Handle::try_current() else {
            return Err(fault::no_runtime());
        };
        let mut open = self.open.lock();
        if let Some((_, lane)) =
            open.iter().find(|(id, lane)| *id == runtime.id() && !lane.is_closed())
        {
            return Ok(lane.clone());
        }
        open.retain(|(_, lane)| !lane.is_closed());
        if open.len() >= self.most {
            return Ok(open[fastrand::usize(..open.len())].1.clone());
        }
        let lane = lane::begin(shared.clone());
        open.push((runtime.id(), lane.clone()));
        Ok(lane)
    }
}
