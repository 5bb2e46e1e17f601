//! How the server is: a real round trip, and what an operator should look after.

use std::sync::Arc;

use futures_util::future::{join, join_all};
use redis::{FromRedisValue, InfoDict, Value};
use tokio::time::timeout;

use super::{
    direct::{Direct, unexpected},
    fault,
    link::Connection,
};
use crate::{
    Clock,
    backend::{BackendError, ErrorKind, Health},
};

/// Keys that a cluster is asked about: of enough slots that each of a few servers has some.
const CLUSTER_QUESTIONS: usize = 16;

/// Asks the server. Both questions travel at once, so that a health check takes as long as one.
pub(super) async fn of(direct: &Direct) -> Result<Health, BackendError> {
    let asked = Clock::System.now();
    let ping = async {
        let answer = direct.command(redis::cmd("PING")).await;
        answer.map(|_| Clock::System.now().since(asked).max(1))
    };
    if direct.shared.is_cluster() {
        return of_cluster(direct).await;
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

/// Asks a cluster about keys of several slots, as checks do, so that it is found out where they are now.
/// It is well while some of its servers decide; what others say are warnings.
async fn of_cluster(direct: &Direct) -> Result<Health, BackendError> {
    let patience = direct.shared.deadline / 2;
    let questions = (0..CLUSTER_QUESTIONS).map(|number| async move {
        let begun = Clock::System.now();
        let mut command = redis::cmd("EXISTS");
        command.arg(format!("ratelimit:health:{number}"));
        let late = |_| Err(fault::not_charged(ErrorKind::Timeout, "no answer in time"));
        let answer = timeout(patience, direct.command(command)).await.unwrap_or_else(late);
        match answer {
            // Whoever may not ask was answered all the same.
            Err(error) if error.kind() != ErrorKind::Setup => Err(error),
            _ => Ok(Clock::System.now().since(begun).max(1)),
        }
    });
    let mut health = Health::default();
    let mut failed = None;
    let answers = join_all(questions).await;
    let answered = answers.iter().flatten().count();
    for answer in answers {
        match answer {
            Ok(micros) => health.round_trip_micros = health.round_trip_micros.max(micros),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        None => {}
        Some(error) if answered == 0 => return Err(error),
        Some(error) => health.warnings.push(format!(
            "{answered} of {CLUSTER_QUESTIONS} slots answered, the others not: {error}"
        )),
    }
    Ok(health)
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
