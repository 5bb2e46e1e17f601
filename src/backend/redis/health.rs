//! How the server is: a real round trip, and what an operator should look after.

use std::sync::Arc;

use futures_util::future::join;
use redis::{FromRedisValue, InfoDict, Value};

use super::{
    direct::{Direct, unexpected},
    link::Connection,
};
use crate::{
    Clock,
    backend::{BackendError, ErrorKind, Health},
};

/// Asks the server. Both questions travel at once, so that a health check takes as long as one.
pub(super) async fn of(direct: &Direct) -> Result<Health, BackendError> {
    let asked = Clock::System.now();
    let ping = async {
        let answer = direct.command(redis::cmd("PING")).await;
        answer.map(|_| Clock::System.now().since(asked).max(1))
    };
    // A cluster's servers are not asked one by one.
    if direct.shared.is_cluster() {
        return Ok(Health { round_trip_micros: ping.await?, ..Health::default() });
    }
    let (round_trip, info) = join(ping, direct.command(redis::cmd("INFO"))).await;
    let warnings = match (&round_trip, info) {
        (Ok(_), Err(error)) if error.kind() == ErrorKind::Setup => {
            vec!["INFO is not permitted, so nothing is known of memory and role".to_owned()]
        }
        (_, info) => warnings(info?)?,
    };
    Ok(Health { round_trip_micros: round_trip?, warnings })
}

/// Logs what an operator should look after.
pub(super) async fn inspect(connection: Arc<dyn Connection>) {
    let Ok(info) = connection.run(redis::cmd("INFO")).await else { return };
    for warning in warnings(info).unwrap_or_default() {
        tracing::warn!(target: "actix_smart_ratelimit", warning, "Redis needs attention");
    }
}

/// What the answer to `INFO` says of a server that should not be so.
pub(super) fn warnings(info: Value) -> Result<Vec<String>, BackendError> {
    let info = InfoDict::from_redis_value(info).map_err(|_| unexpected())?;
    let text = |name: &str| info.get::<String>(name).unwrap_or_default();
    let mut warnings = Vec::new();
    let policy = text("maxmemory_policy");
    if policy.starts_with("allkeys") {
        warnings.push(format!(
            "maxmemory-policy {policy} forgets counters while they count, which lets clients begin \
             anew: use noeviction or volatile-ttl"
        ));
    }
    let evicted = info.get::<u64>("evicted_keys").unwrap_or(0);
    if evicted > 0 {
        warnings.push(format!(
            "{evicted} keys were forgotten for want of memory; limits may have been lost: raise maxmemory"
        ));
    }
    if text("role") == "slave" {
        warnings
            .push("the server is a replica, which cannot count: connect to its primary".to_owned());
    }
    let major = text("redis_version").split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < 7) {
        let version = text("redis_version");
        warnings.push(format!("version {version} is too old: Redis 7.0 or Valkey is needed"));
    }
    Ok(warnings)
}
