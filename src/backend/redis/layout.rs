//! Under which keys states are kept: those of the original, so that a fleet can share them.
//!
//! | state | key | type |
//! |---|---|---|
//! | sliding window | `<key>` | sorted set, a member for each permit, scored in seconds |
//! | fixed window on the clock | `<key>:<start in seconds>` | integer |
//! | fixed window from the first request | `<key>` | integer, whose expiry ends the window |
//! | token bucket | `<key>:token_bucket` | hash, `tokens` and `last_refill` |
//! | leaky bucket | `<key>:leaky_bucket` | hash, `level` and `last_leak` |
//! | GCRA | `<key>:gcra` | hash, an arrival time for each rate |
//! | sliding window counter | `<key>:swc` | hash, two counts for each period |

use crate::{Algorithm, Policy, Shape, Timestamp, WindowStart};

const TOKEN_BUCKET: &str = ":token_bucket";
const LEAKY_BUCKET: &str = ":leaky_bucket";
const GCRA: &str = ":gcra";
const COUNTER: &str = ":swc";

/// The kinds of checks that the scripts know, by their number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ClockWindow = 1,
    FirstRequestWindow = 2,
    WindowCounter = 3,
    Gcra = 4,
    TokenBucket = 5,
    LeakyBucket = 6,
    Log = 7,
}

impl Kind {
    /// `None` for an algorithm of the application's own.
    pub(super) fn of(policy: &Policy) -> Option<Self> {
        Some(match policy.shape() {
            Shape::Window(window) if window.is_weighted() => Self::WindowCounter,
            Shape::Window(window) if window.start() == WindowStart::Clock => Self::ClockWindow,
            Shape::Window(_) => Self::FirstRequestWindow,
            Shape::Log(_) => Self::Log,
            Shape::Meter(_) => match policy.algorithm() {
                Some(Algorithm::TokenBucket) => Self::TokenBucket,
                Some(Algorithm::LeakyBucket) => Self::LeakyBucket,
                _ => Self::Gcra,
            },
            Shape::Custom(_) => return None,
        })
    }

    /// How many numbers the script tells of a state.
    pub(super) fn numbers(self) -> usize {
        match self {
            Self::ClockWindow => 1,
            Self::Gcra | Self::TokenBucket | Self::LeakyBucket => 2,
            Self::FirstRequestWindow | Self::WindowCounter | Self::Log => 3,
        }
    }

    /// The key of a state; `window` is the start of a window on the clock.
    pub(super) fn state_key(self, key: &str, window: Timestamp) -> String {
        match self {
            Self::FirstRequestWindow | Self::Log => key.to_owned(),
            Self::ClockWindow => window_key(key, window),
            Self::WindowCounter => [key, COUNTER].concat(),
            Self::Gcra => [key, GCRA].concat(),
            Self::TokenBucket => [key, TOKEN_BUCKET].concat(),
            Self::LeakyBucket => [key, LEAKY_BUCKET].concat(),
        }
    }
}

impl Kind {
    /// The key itself and the kind of its state, of a key that ends with the name of a kind.
    pub(super) fn of_suffix(stored: &str) -> Option<(&str, Self)> {
        let kinds = [
            (TOKEN_BUCKET, Self::TokenBucket),
            (LEAKY_BUCKET, Self::LeakyBucket),
            (GCRA, Self::Gcra),
            (COUNTER, Self::WindowCounter),
        ];
        let of = |(suffix, kind)| stored.strip_suffix(suffix).map(|key| (key, kind));
        kinds.into_iter().find_map(of)
    }
}

/// A key without the start of a window that it ends with, and that start. Keys that end with a number
/// look the same.
pub(super) fn of_stored(stored: &str) -> (&str, Option<Timestamp>) {
    let start = |text: &str| {
        let (secs, micros) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_start = is_number(secs) && is_number(micros);
        is_start.then(|| Some(Timestamp::from_secs(secs.parse().ok()?) + micros.parse().ok()?))?
    };
    match stored.rsplit_once(':') {
        Some((key, end)) => match start(end) {
            Some(start) => (key, Some(start)),
            None => (stored, None),
        },
        None => (stored, None),
    }
}

/// Start of the window on the clock in which `at` lies.
pub(super) fn window_start(period: u64, at: Timestamp) -> Timestamp {
    at - at.as_micros() % period.max(1)
}

fn window_key(key: &str, start: Timestamp) -> String {
    let (secs, micros) = (start.as_micros() / 1_000_000, start.as_micros() % 1_000_000);
    if micros == 0 { format!("{key}:{secs}") } else { format!("{key}:{secs}.{micros:06}") }
}

/// The keys of every state that `key` can have near `at`, with windows on the clock of these
/// periods.
pub(super) fn all_keys(key: &str, periods: &[u64], at: Timestamp) -> Vec<String> {
    let mut keys = vec![key.to_owned()];
    keys.extend([TOKEN_BUCKET, LEAKY_BUCKET, GCRA, COUNTER].map(|kind| [key, kind].concat()));
    for period in periods {
        let now = window_start(*period, at);
        // The server's clock may be in the window before or after.
        keys.extend([now - *period, now, now + *period].map(|start| window_key(key, start)));
    }
    keys
}
