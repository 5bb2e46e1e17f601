//! Binding a thread to one core.

use anyhow::{Context, Result};

/// Where servers run, and the second thread of a pair.
pub(crate) const SERVER_CORE: usize = 0;

/// Where whatever is timed in this process runs.
pub(crate) const LOCAL_CORE: usize = 1;

/// Binds the calling thread, and every thread that it starts later, to `core`.
///
/// Only Linux offers this; elsewhere the scheduler is left alone.
#[cfg(target_os = "linux")]
pub(crate) fn this_thread(core: usize) -> Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .with_context(|| format!("pinning to core {core}: cores 0 and 1 must be available"))
}

/// Leaves the scheduler alone.
#[cfg(not(target_os = "linux"))]
pub(crate) fn this_thread(_core: usize) -> Result<()> {
    Ok(())
}
