//! `[backends.NAME]`.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

use super::{multi::MultiConfig, read::Section, secret::Secret, show, words};
use crate::MemoryBackend;

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// Most connections of one backend.
const CONNECTIONS: usize = 1_000;

/// A backend.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BackendConfig {
    /// `kind = "memory"`: in this process.
    Memory(MemoryConfig),
    /// `kind = "redis"`: in Redis or Valkey.
    Redis(RedisConfig),
    /// `kind = "database"`: in PostgreSQL, MySQL, MariaDB or SQLite.
    Database(DatabaseConfig),
    /// `kind = "multi"`: in other backends, of which one decides.
    Multi(MultiConfig),
}

/// A memory backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryConfig {
    /// Keys that are kept, 1 to a billion; a million by default.
    pub max_keys: usize,
}

/// Where a Redis backend finds its server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RedisPlace {
    /// `url`: one server.
    Standalone {
        /// `redis://…`, `rediss://…` or `redis+unix://…`.
        url: Secret,
    },
    /// `master` and `sentinels`: the primary that Sentinels know.
    Sentinel {
        /// The name that the Sentinels have for it.
        master: String,
        /// URLs of Sentinels.
        sentinels: Vec<Secret>,
        /// The user on the servers that they watch.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The password on the servers that they watch.
        #[serde(skip_serializing_if = "Option::is_none")]
        password: Option<Secret>,
        /// The number of the database there; 0 by default.
        database: u32,
    },
    /// `nodes`: a cluster.
    Cluster {
        /// URLs of some of its servers.
        nodes: Vec<Secret>,
    },
}

/// A Redis backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RedisConfig {
    /// Where the server is.
    #[serde(flatten)]
    pub place: RedisPlace,
    /// What backends with a server have in common.
    #[serde(flatten)]
    pub remote: RemoteConfig,
    /// PEM file of the authority that signed the server's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file of this client's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// PEM file of this client's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

/// A database backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabaseConfig {
    /// `postgres://…`, `mysql://…`, `mariadb://…` or `sqlite:///path`.
    pub url: Secret,
    /// What backends with a server have in common.
    #[serde(flatten)]
    pub remote: RemoteConfig,
}

/// What backends with a server have in common. `None` stands for the backend's own default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RemoteConfig {
    /// How long the server may take to answer, 1 ms to 1 min.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
    /// How long it may take to connect, 1 ms to 1 min.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub connect_deadline: Option<Duration>,
    /// Most connections, 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// Refusals that are remembered, up to 10 million; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denial_cache: Option<usize>,
    /// Permits that are taken at once and handed out from memory, from 2; none are by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<u32>,
    /// How long permits are handed out before the server is asked again, 1 ms to 1 min.
    #[serde(serialize_with = "show::duration_if", skip_serializing_if = "Option::is_none")]
    pub lease_lifetime: Option<Duration>,
    /// Keys of which permits are held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_max_keys: Option<usize>,
}

#[derive(Clone, Copy)]
enum Kind {
    Memory,
    Redis,
    Database,
    Multi,
}

const KINDS: [(&str, Kind); 4] = [
    ("memory", Kind::Memory),
    ("redis", Kind::Redis),
    ("database", Kind::Database),
    ("multi", Kind::Multi),
];

impl super::read::Setting for Kind {
    fn read(value: &super::node::Value) -> Result<Self, crate::Error> {
        words::word(value, &KINDS)
    }
}

impl BackendConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        if !section.has("kind") {
            let names = KINDS.map(|(name, _)| format!("kind = \"{name}\"")).join(" or ");
            section.wrong_at("kind", "", "it is missing", format!("write {names}"));
        }
        let Some(kind) = section.optional("kind") else {
            // What the other fields mean depends on it.
            section.entries();
            return None;
        };
        match kind {
            Kind::Memory => Some(Self::Memory(MemoryConfig {
                max_keys: section
                    .number("max_keys", 1..=1_000_000_000)
                    .unwrap_or(MemoryBackend::DEFAULT_MAX_KEYS),
            })),
            Kind::Multi => MultiConfig::read(section).map(Self::Multi),
            Kind::Redis => RedisConfig::read(section).map(Self::Redis),
            Kind::Database => {
                let url = required(section, "url", "postgres://user:password@host/database");
                let remote = RemoteConfig::read(section);
                Some(Self::Database(DatabaseConfig { url: url?, remote }))
            }
        }
    }
}

impl RedisConfig {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let place = RedisPlace::read(section);
        let remote = RemoteConfig::read(section);
        let [ca_file, cert_file, key_file] = ["ca_file", "cert_file", "key_file"]
            .map(|name| section.optional::<String>(name).map(PathBuf::from));
        if cert_file.is_some() != key_file.is_some() {
            let (there, missing) = match cert_file {
                Some(_) => ("cert_file", "key_file"),
                None => ("key_file", "cert_file"),
            };
            let reason = format!("there is no {missing} for it");
            section.wrong_at(there, "", reason, format!("write {missing} too"));
        }
        Some(Self { place: place?, remote, ca_file, cert_file, key_file })
    }
}

impl RedisPlace {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        const PLACES: [&str; 3] = ["url", "sentinels", "nodes"];
        let written: Vec<_> = PLACES.into_iter().filter(|name| section.has(name)).collect();
        if let [first, second, ..] = *written {
            let reason = format!("{first} and {second} are two places");
            section.wrong_at(second, "", reason, "write url, or master and sentinels, or nodes");
        }
        let url: Option<Secret> = match &*written {
            [] => required(section, "url", "redis://127.0.0.1:6379/0"),
            _ => section.optional("url"),
        };
        let sentinels = section.some("sentinels");
        let nodes = section.some("nodes");
        if written.contains(&"sentinels") {
            let master = required(section, "master", "mymaster");
            let user = section.optional("user");
            let password = section.optional("password");
            let database = section.number("database", 0..=u32::MAX).unwrap_or(0);
            let (master, sentinels) = (master?, sentinels?);
            return Some(Self::Sentinel { master, sentinels, user, password, database });
        }
        match nodes {
            Some(nodes) => Some(Self::Cluster { nodes }),
            None => url.map(|url| Self::Standalone { url }),
        }
    }
}

impl RemoteConfig {
    fn read(section: &mut Section<'_>) -> Self {
        let remote = Self {
            deadline: section.duration("deadline", MILLISECOND..=MINUTE),
            connect_deadline: section.duration("connect_deadline", MILLISECOND..=MINUTE),
            connections: section.number("connections", 1..=CONNECTIONS),
            denial_cache: section.number("denial_cache", 0..=10_000_000),
            lease: section.number("lease", 2..=u32::MAX),
            lease_lifetime: section.duration("lease_lifetime", MILLISECOND..=MINUTE),
            lease_max_keys: section.number("lease_max_keys", 1..=100_000_000),
        };
        let aside = [
            ("lease_lifetime", remote.lease_lifetime.is_some()),
            ("lease_max_keys", remote.lease_max_keys.is_some()),
        ];
        for (name, _) in aside.iter().filter(|(_, is_set)| *is_set && remote.lease.is_none()) {
            section.wrong_at(name, "", "there is no lease", "write lease = 20, or remove it");
        }
        remote
    }
}

fn required<T: super::read::Setting>(
    section: &mut Section<'_>,
    name: &'static str,
    example: &str,
) -> Option<T> {
    if !section.has(name) {
        section.wrong_at(name, "", "it is missing", format!("write {name} = \"{example}\""));
    }
    section.optional(name)
}

/// A list that must be there.
pub(super) fn required_list<T: super::read::Setting>(
    section: &mut Section<'_>,
    name: &'static str,
    example: &str,
) -> Option<Vec<T>> {
    if !section.has(name) {
        section.wrong_at(name, "", "it is missing", format!("write {name} = {example}"));
    }
    section.some(name)
}
