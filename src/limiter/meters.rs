//! Counters and histograms, by the `metrics` facade. Labels are bounded: rules are those that code and
//! configuration name, outcomes and backends are few; keys are never labels.

use std::{collections::HashMap, sync::Arc};

use metrics::{Counter, Histogram, SharedString, Unit, counter, describe_counter, describe_gauge};
use metrics::{describe_histogram, gauge, histogram};
use parking_lot::Mutex;

use super::{Event, EventKind, Outcome, Plan, RateLimiter};
use crate::{
    Enforcement,
    backend::{BackendError, Health, Stats},
};

/// Rules that have meters of their own; all others, which only names made up at run time can be, share
/// those of [`OTHER`].
const MOST_RULES: usize = 256;
const OTHER: &str = "other";

/// The meters of one rule.
#[derive(Clone)]
pub(super) struct Meters {
    allowed: Counter,
    /// By what the rule does beyond its limit.
    beyond: [Counter; 3],
    unlimited: Counter,
    unavailable: Counter,
    waited: Histogram,
}

/// Those of all rules, by rule and backend.
#[derive(Default)]
pub(super) struct AllMeters(Mutex<HashMap<(String, String), Arc<Meters>>>);

impl AllMeters {
    fn of(&self, rule: &str, backend: &str) -> Arc<Meters> {
        let mut all = self.0.lock();
        let is_known = all.contains_key(&(rule.to_owned(), backend.to_owned()));
        let rule = if is_known || all.len() < MOST_RULES { rule } else { OTHER };
        let meters = all.entry((rule.to_owned(), backend.to_owned()));
        meters.or_insert_with(|| Arc::new(Meters::new(rule, backend))).clone()
    }
}

impl Meters {
    fn new(rule: &str, backend: &str) -> Self {
        let labels = [rule, backend].map(|label| SharedString::from(label.to_owned()));
        let decisions = |outcome: &'static str| {
            let [rule, backend] = labels.clone();
            counter!("ratelimit_decisions_total", "rule" => rule, "outcome" => outcome, "backend" => backend)
        };
        let [_, backend] = labels.clone();
        Self {
            allowed: decisions("allowed"),
            beyond: [decisions("refused"), decisions("observed"), decisions("shadowed")],
            unlimited: decisions("unlimited"),
            unavailable: decisions("unavailable"),
            waited: histogram!("ratelimit_decision_seconds", "backend" => backend),
        }
    }

    #[inline]
    pub(super) fn count(&self, enforcement: Enforcement, outcome: &Outcome) {
        let [refused, observed, shadowed] = &self.beyond;
        let counter = match (outcome, enforcement) {
            (Outcome::Decided { decision, .. }, _) if decision.is_allowed() => &self.allowed,
            (Outcome::Decided { .. }, Enforcement::Block) => refused,
            (Outcome::Decided { .. }, Enforcement::Observe) => observed,
            (Outcome::Decided { .. }, Enforcement::Shadow) => shadowed,
            (Outcome::Unlimited, _) => &self.unlimited,
            (Outcome::Unavailable, _) => &self.unavailable,
        };
        counter.increment(1);
    }

    /// How many microseconds a decision waited for its store.
    pub(super) fn waited(&self, micros: u64) {
        self.waited.record(seconds(micros));
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl Plan {
    /// Its meters, made when it first decides: by then a recorder is in place.
    #[inline]
    pub(super) fn meters(&self, limiter: &RateLimiter) -> &Meters {
        let make = || limiter.0.meters.of(self.scope(), limiter.backend_of(self));
        self.meters.get_or_init(make)
    }
}

/// Counts what decisions do not: nothing of it is frequent but by an attack on a denied network.
pub(super) fn count_event(event: &Event<'_>) {
    if matches!(event.kind, EventKind::Refused | EventKind::Observed | EventKind::Shadowed) {
        return;
    }
    counter!("ratelimit_events_total", "event" => event.kind.name()).increment(1);
}

pub(super) fn count_fault(backend: &str, error: &BackendError) {
    let kind = error.kind().name();
    counter!("ratelimit_store_errors_total", "backend" => backend.to_owned(), "kind" => kind)
        .increment(1);
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

impl RateLimiter {
    /// Tells the recorder what the metrics of this crate mean. Call it once, when a recorder is in
    /// place; docs/operations.md has the list.
    pub fn describe_metrics() {
        for (name, meaning) in COUNTERS {
            describe_counter!(*name, *meaning);
        }
        for (name, unit, meaning) in GAUGES {
            describe_gauge!(*name, *unit, *meaning);
        }
        let meaning = "Time that decisions waited for their store";
        describe_histogram!("ratelimit_decision_seconds", Unit::Seconds, meaning);
    }

    /// Sets the metrics that are not counted as they happen: what each backend keeps and has done.
    /// Call it before the recorder is read, as an endpoint for Prometheus does.
    pub fn record_metrics(&self) {
        for (name, stats) in self.stats() {
            record_stats(name, &stats);
        }
    }
}

/// Counters with their meanings.
const COUNTERS: &[(&str, &str)] = &[
    ("ratelimit_decisions_total", "Decisions by rule, outcome and backend"),
    ("ratelimit_store_errors_total", "Decisions that a store could not make, by kind of error"),
    ("ratelimit_events_total", "What happened beside decisions, by kind"),
    ("ratelimit_backend_round_trips_total", "Calls to a server, each for one decision or many"),
    ("ratelimit_backend_refused_locally_total", "Refusals repeated without asking the server"),
    ("ratelimit_backend_leased_total", "Admissions from leased permits, without the server"),
    ("ratelimit_backend_evicted_live_total", "Keys forgotten before their time for want of room"),
];

/// Gauges with their units and meanings.
const GAUGES: &[(&str, Unit, &str)] = &[
    ("ratelimit_backend_keys", Unit::Count, "Keys in memory, also expired ones"),
    ("ratelimit_backend_max_keys", Unit::Count, "Most keys that memory may hold"),
    ("ratelimit_backend_bytes", Unit::Bytes, "Memory that states take, approximately"),
    ("ratelimit_backend_up", Unit::Count, "1 if the latest health check was answered, or else 0"),
    (
        "ratelimit_backend_round_trip_seconds",
        Unit::Seconds,
        "Round trip of the latest health check",
    ),
];

fn record_stats(backend: &str, stats: &Stats) {
    let name = SharedString::from(backend.to_owned());
    let total = |metric: &'static str, value: u64| {
        counter!(metric, "backend" => name.clone()).absolute(value);
    };
    total("ratelimit_backend_round_trips_total", stats.round_trips);
    total("ratelimit_backend_refused_locally_total", stats.refused_locally);
    total("ratelimit_backend_leased_total", stats.leased);
    total("ratelimit_backend_evicted_live_total", stats.evicted_live);
    let level = |metric: &'static str, value: u64| {
        // Exact up to 2^53.
        #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
        gauge!(metric, "backend" => name.clone()).set(value as f64);
    };
    level("ratelimit_backend_keys", stats.keys);
    level("ratelimit_backend_max_keys", stats.max_keys);
    level("ratelimit_backend_bytes", stats.bytes);
}

/// Sets what a health check found.
pub(super) fn record_health(backend: &str, found: &Result<Health, BackendError>) {
    let name = SharedString::from(backend.to_owned());
    let is_up = if found.is_ok() { 1.0 } else { 0.0 };
    gauge!("ratelimit_backend_up", "backend" => name.clone()).set(is_up);
    if let Ok(health) = found {
        let micros = health.round_trip_micros;
        gauge!("ratelimit_backend_round_trip_seconds", "backend" => name).set(seconds(micros));
    }
}
