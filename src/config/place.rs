//! Where a store is, in one line for people.

use std::fmt;

use super::{RedisPlace, Secret};

/// Without passwords.
impl fmt::Display for RedisPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |urls: &[Secret]| urls.iter().map(ToString::to_string).collect::<Vec<_>>();
        match self {
            Self::Standalone { url } => url.fmt(f),
            Self::Sentinel { master, sentinels, .. } => {
                write!(f, "{master} of {}", list(sentinels).join(", "))
            }
            Self::Cluster { nodes } => write!(f, "cluster {}", list(nodes).join(", ")),
        }
    }
}
