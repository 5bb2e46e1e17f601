//! The task that asks a store whether it is well: a real round trip with a deadline, never in a request.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{BreakerSettings, Guard};
use crate::backend::{BackendError, ErrorKind, Fate};

/// When a store is probed.
#[derive(Clone, Debug)]
pub(crate) struct Probing {
    /// Between probes while the breaker is closed; `None` for none then.
    pub(crate) interval: Option<Duration>,
    /// What a probe may take.
    pub(crate) deadline: Duration,
    /// Counts the tasks that run, of all guards that share it.
    pub(crate) running: Arc<AtomicUsize>,
}

impl Probing {
    pub(crate) fn new(interval: Option<Duration>, deadline: Duration) -> Self {
        Self { interval, deadline, running: Arc::default() }
    }
}

/// The one task of a guard, so that no two probes are ever under way. It runs on the runtime that asked
/// first; where that ends, the next request begins it anew on its own.
#[derive(Debug)]
pub(super) struct Prober {
    probing: Probing,
    settings: BreakerSettings,
    signals: Arc<Signals>,
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Debug, Default)]
struct Signals {
    is_running: AtomicBool,
    opened: Notify,
}

impl Prober {
    pub(super) fn new(probing: Probing, settings: BreakerSettings) -> Self {
        Self { probing, settings, signals: Arc::default(), task: Mutex::new(None) }
    }

    pub(super) fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    /// Begins the task unless it runs. Without a runtime, a later request will.
    #[cold]
    pub(super) fn begin(&self, guard: &Arc<Guard>) {
        if self.signals.is_running.load(SeqCst) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        if self.signals.is_running.swap(true, SeqCst) {
            return;
        }
        self.probing.running.fetch_add(1, SeqCst);
        let running = Running(self.signals.clone(), self.probing.running.clone());
        let task = runtime.spawn(run(Arc::downgrade(guard), self.probing.clone(), running));
        *self.task.lock() = Some(task.abort_handle());
    }

    /// Has the task forget that it waits for a closed breaker.
    pub(super) fn has_opened(&self) {
        self.signals.opened.notify_one();
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().take() {
            task.abort();
        }
    }
}

/// Tells when the task has ended, for whatever reason.
struct Running(Arc<Signals>, Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.1.fetch_sub(1, SeqCst);
        self.0.is_running.store(false, SeqCst);
    }
}

/// Probes until there is nothing to probe for or nobody can ask any more.
async fn run(guard: Weak<Guard>, probing: Probing, running: Running) {
    loop {
        let next = guard.upgrade().and_then(|guard| {
            let pause = guard.until_probe(&probing)?;
            Some((pause, guard.is_closed()))
        });
        let Some((pause, is_closed)) = next else { return };
        if is_closed {
            tokio::select! {
                () = sleep(pause) => {}
                () = running.0.opened.notified() => continue,
            }
        } else {
            sleep(pause).await;
        }
        let Some(answer) = guard.upgrade().map(|guard| {
            guard.begins_probe();
            guard.backend().health()
        }) else {
            return;
        };
        let late = |_| Err(BackendError::new(ErrorKind::Timeout, Fate::NotCharged));
        let result = timeout(probing.deadline, answer).await.unwrap_or_else(late);
        let Some(guard) = guard.upgrade() else { return };
        guard.probed(result.as_ref().map(drop));
    }
}
