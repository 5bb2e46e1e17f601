//! `kind = "multi"`, and `[breaker]`.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{
    backend::{MILLISECOND, MINUTE, required_list},
    node::Value,
    read::{Section, Setting},
    show, words,
};
use crate::{
    Error,
    backend::multi::{BreakerSettings, Strategy},
};

/// A backend of several members. `None` stands for the backend's own default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MultiConfig {
    /// Names of other backends, in the order in which they are asked.
    pub members: Vec<String>,
    /// How they share the work: `first_healthy`, the default, or `round_robin`.
    #[serde(serialize_with = "strategy")]
    pub strategy: Strategy,
    /// What a whole decision may take, 1 ms to 1 min.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
    /// What one member may take of it, 1 ms to 1 min.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub member_deadline: Option<Duration>,
    /// Between two probes of a member that is well, 1 ms to 1 h.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub probe_interval: Option<Duration>,
    /// What a probe may take, 1 ms to 1 min.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub probe_deadline: Option<Duration>,
    /// When members are given up, and when they are asked again.
    pub breaker: BreakerConfig,
}

/// When a backend that fails is given up, and when it is asked again; see [`BreakerSettings`].
/// `None` stands for the default there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// Failures in a row that open it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<u32>,
    /// Probes in a row that must be answered to close it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<u32>,
    /// How long it stays open before the first probe, 1 ms to 1 h.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub open_time: Option<Duration>,
    /// What that is doubled to at most, 1 ms to 1 h.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub max_open_time: Option<Duration>,
    /// By how many percent open times are shortened at most, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<u8>,
}

const HOUR: Duration = Duration::from_secs(3_600);
const STRATEGIES: [(&str, Strategy); 2] =
    [("first_healthy", Strategy::FirstHealthy), ("round_robin", Strategy::RoundRobin)];

impl Setting for Strategy {
    fn read(value: &Value) -> Result<Self, Error> {
        words::word(value, &STRATEGIES)
    }
}

fn strategy<S: Serializer>(value: &Strategy, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(words::name_of(value, &STRATEGIES))
}

impl MultiConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let members = required_list(section, "members", "[\"fast\", \"durable\"]");
        let read = Self {
            members: Vec::new(),
            strategy: section.get("strategy", Strategy::default()),
            deadline: section.duration("deadline", MILLISECOND..=MINUTE),
            member_deadline: section.duration("member_deadline", MILLISECOND..=MINUTE),
            probe_interval: section.duration("probe_interval", MILLISECOND..=HOUR),
            probe_deadline: section.duration("probe_deadline", MILLISECOND..=MINUTE),
            breaker: section.table("breaker", BreakerConfig::read).unwrap_or_default(),
        };
        Some(Self { members: members?, ..read })
    }
}

impl BreakerConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let read = Self {
            failure_threshold: section.number("failure_threshold", 1..=1_000_000),
            success_threshold: section.number("success_threshold", 1..=1_000),
            open_time: section.duration("open_time", MILLISECOND..=HOUR),
            max_open_time: section.duration("max_open_time", MILLISECOND..=HOUR),
            jitter: section.number("jitter", 0..=100),
        };
        if let (Some(first), Some(most)) = (read.open_time, read.max_open_time)
            && first > most
        {
            let reason = "it is shorter than open_time";
            section.wrong_at("max_open_time", "", reason, "make it as long at least");
        }
        read
    }

    /// The settings.
    pub fn settings(&self) -> BreakerSettings {
        let mut settings = BreakerSettings::default();
        if let Some(failures) = self.failure_threshold {
            settings = settings.failure_threshold(failures);
        }
        if let Some(probes) = self.success_threshold {
            settings = settings.success_threshold(probes);
        }
        if let Some(time) = self.open_time {
            settings = settings.open_time(time);
        }
        if let Some(time) = self.max_open_time {
            settings = settings.max_open_time(time);
        }
        match self.jitter {
            Some(percent) => settings.jitter(percent),
            None => settings,
        }
    }
}
