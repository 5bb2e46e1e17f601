//! The database backend does what every backend does: the conformance suite, on each kind of database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::{sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    ManualClock,
    backend::database::DatabaseBackend,
    test_util::conformance::{Adapter, Subject, run},
};
use support::database::{MysqlServer, PostgresServer};

/// One database for all cases, which go by a clock that the suite moves.
struct InDatabase {
    backend: Arc<DatabaseBackend>,
    clock: ManualClock,
}

impl InDatabase {
    async fn new(url: &str) -> Self {
        let clock = ManualClock::default();
        let builder = DatabaseBackend::builder(url).clock(clock.clone());
        let backend = builder.deadline(Duration::from_secs(20)).build().unwrap();
        backend.migrate().await.unwrap();
        Self { backend: Arc::new(backend), clock }
    }
}

impl Adapter for InDatabase {
    async fn subject(&self) -> Subject {
        let clock = self.clock.clone();
        Subject::new(self.backend.clone()).own_clock(move |now| {
            clock.set(now);
            Box::pin(std::future::ready(()))
        })
    }
}

#[actix_web::test]
async fn postgres_conforms() {
    let server = PostgresServer::shared();
    run(&InDatabase::new(&server.database()).await).await.assert();
}

#[actix_web::test]
async fn mysql_conforms() {
    let server = MysqlServer::shared();
    run(&InDatabase::new(&server.database()).await).await.assert();
}

#[actix_web::test]
async fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("limits.sqlite").display());
    run(&InDatabase::new(&url).await).await.assert();
}
