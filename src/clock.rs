//! Time: what the limiter calls now.

use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use crate::Timestamp;

/// How long a thread extrapolates from the processor's counter before it asks the system again, in
/// microseconds: the counter's calibration error stays below a microsecond.
const ANCHOR_MICROS: u64 = 50_000;

/// A source of time.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Clock {
    /// The wall clock as it was when the process began, carried on by the monotonic clock: it
    /// never steps, whatever happens to the wall clock.
    #[default]
    System,
    /// A clock that a test moves.
    Manual(ManualClock),
}

impl Clock {
    /// The time now. Costs some ten nanoseconds, so it is read once per request.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Manual(clock) => clock.now(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::Manual(clock) => f.debug_tuple("Manual").field(&clock.now()).finish(),
        }
    }
}

/// A clock that stands still until it is moved; clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(start.as_micros())))
    }

    /// The time that it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    /// Moves it to `time`, forwards or backwards.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.as_micros(), Ordering::SeqCst);
    }

    /// Moves it forwards by `micros` microseconds.
    pub fn advance(&self, micros: u64) {
        self.set(self.now() + micros);
    }

    /// Moves it forwards by `secs` seconds.
    pub fn advance_secs(&self, secs: u64) {
        self.advance(secs.saturating_mul(1_000_000));
    }
}

impl Default for ManualClock {
    /// A clock that shows 2027-01-15 08:00:00 UTC, a whole multiple of seconds, minutes and hours.
    fn default() -> Self {
        Self::new(Timestamp::from_secs(1_800_000_000))
    }
}

/// The moment at which the process first asked, on both clocks.
static ORIGIN: LazyLock<(Instant, u64)> = LazyLock::new(|| {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), u64::try_from(since_epoch.as_micros()).unwrap_or(0))
});
static COUNTER: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);

thread_local! {
    /// A reading of the processor's counter and the time at that moment, in microseconds.
    static ANCHOR: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

fn system_now() -> Timestamp {
    let counter = &*COUNTER;
    let raw = counter.raw();
    if let Some((anchor, micros)) = ANCHOR.get() {
        let elapsed = counter.delta_as_nanos(anchor, raw) / 1_000;
        if elapsed < ANCHOR_MICROS {
            return Timestamp::from_micros(micros + elapsed);
        }
    }
    let (instant, micros) = *ORIGIN;
    let elapsed = u64::try_from(instant.elapsed().as_micros()).unwrap_or(u64::MAX);
    let now = micros.saturating_add(elapsed);
    ANCHOR.set(Some((raw, now)));
    Timestamp::from_micros(now)
}
