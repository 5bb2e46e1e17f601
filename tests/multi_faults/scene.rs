//! A Redis and a PostgreSQL behind proxies, and a limiter that has one of them first.

use std::{sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    RateLimiter,
    backend::{
        database::DatabaseBackend,
        multi::{BreakerSettings, MemberState, MultiBackend},
        redis::RedisBackend,
    },
};

use crate::support::{
    database::PostgresServer,
    proxy::ChaosProxy,
    redis::{PATIENCE, RedisServer},
    watched::{Counts, Watched},
};

/// Between two probes of a member that is well.
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// What a decision may take here: enough for a store that works on a machine that is busy.
pub(crate) const DEADLINE: Duration = Duration::from_millis(400);
/// What one of two stores may take of it.
const SHARE: Duration = Duration::from_millis(180);

/// Which store is asked first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum First {
    Redis,
    Postgres,
}

pub(crate) struct Scene {
    pub(crate) first: First,
    pub(crate) redis: Arc<RedisServer>,
    pub(crate) postgres: Arc<PostgresServer>,
    pub(crate) redis_proxy: ChaosProxy,
    pub(crate) postgres_proxy: ChaosProxy,
    /// Asks both.
    pub(crate) limiter: RateLimiter,
    /// Asks the first store alone, past its proxy and as patiently as may be.
    pub(crate) first_alone: RateLimiter,
    /// Of the first and the second.
    pub(crate) counts: [Arc<Counts>; 2],
}

fn redis(url: &str) -> RedisBackend {
    RedisBackend::builder(url).deadline(SHARE).denial_cache(0).build().unwrap()
}

fn database(url: &str) -> DatabaseBackend {
    DatabaseBackend::builder(url).deadline(SHARE * 2).denial_cache(0).build().unwrap()
}

impl Scene {
    pub(crate) async fn start(first: First) -> Self {
        let (redis_server, postgres) =
            (Arc::new(RedisServer::start()), Arc::new(PostgresServer::start()));
        let direct = postgres.database();
        DatabaseBackend::connect(&direct).unwrap().migrate().await.unwrap();
        let redis_proxy = ChaosProxy::to(redis_server.address());
        let postgres_proxy = ChaosProxy::to(postgres.address());
        let proxied =
            direct.replace(&postgres.address().to_string(), &postgres_proxy.address().to_string());
        let never = BreakerSettings::default().failure_threshold(0);
        let patient = RateLimiter::builder().deadline(PATIENCE).breaker(never);
        let (patient_redis, patient_database) = (
            RedisBackend::builder(redis_server.url()).deadline(PATIENCE).build().unwrap(),
            DatabaseBackend::builder(&direct).deadline(PATIENCE).build().unwrap(),
        );
        let builder = MultiBackend::builder().deadline(SHARE * 2).probe_interval(PROBE_INTERVAL);
        let (fast, fast_counts) = Watched::new(redis(&redis_proxy.url()));
        let (durable, durable_counts) = Watched::new(database(&proxied));
        let first_alone = match first {
            First::Redis => patient.backend("first", patient_redis),
            First::Postgres => patient.backend("first", patient_database),
        };
        let (builder, counts) = match first {
            First::Redis => (
                builder.member("redis", fast).member("postgres", durable),
                [fast_counts, durable_counts],
            ),
            First::Postgres => (
                builder.member("postgres", durable).member("redis", fast),
                [durable_counts, fast_counts],
            ),
        };
        let limiter = RateLimiter::builder().backend("both", builder.build().unwrap());
        Self {
            first,
            redis: redis_server,
            postgres,
            redis_proxy,
            postgres_proxy,
            limiter: limiter.deadline(DEADLINE).build().unwrap(),
            first_alone: first_alone.build().unwrap(),
            counts,
        }
    }

    /// The proxy in front of the first store.
    pub(crate) fn proxy(&self) -> &ChaosProxy {
        match self.first {
            First::Redis => &self.redis_proxy,
            First::Postgres => &self.postgres_proxy,
        }
    }

    /// The states of both circuit breakers.
    pub(crate) fn states(&self) -> [MemberState; 2] {
        let (_, members) = self.limiter.status().next().unwrap();
        [members[0].state, members[1].state]
    }

    pub(crate) fn assert_probed_one_at_a_time(&self) {
        for counts in &self.counts {
            assert!(counts.probes() > 0);
            assert_eq!(counts.most_probing(), 1);
        }
    }
}
