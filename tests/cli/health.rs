//! `health`: 0 if every store can decide, 1 if one cannot, in bounded time.

use std::{net::TcpListener, time::Duration};

use serde_json::json;

use super::{
    command::{Config, database, ratelimit, sqlite},
    support::{
        database::{MysqlServer, PostgresServer},
        redis::RedisServer,
    },
};

/// More than a deadline of a second, on a machine that is busy with other things.
const SOON: Duration = Duration::from_secs(15);

#[track_caller]
fn is_well(url: &str, kind: &str) {
    let ran = ratelimit(&["health", "--url", url]).ends(0);
    assert_eq!(ran.masked(), format!("✓ store  {kind}  <n> ms\n1 backend, 1 healthy\n"));
    assert_eq!(ran.err, "");
    let json = ratelimit(&["health", "--json", "--url", url]).ends(0).json();
    assert_eq!(json["healthy"], json!(true));
    assert!(json["backends"][0]["round_trip_micros"].as_u64().unwrap() > 0, "{json}");
}

#[track_caller]
fn is_not_well(url: &str, error: &str) {
    let ran = ratelimit(&["health", "--timeout", "1s", "--url", url]).ends(1);
    assert!(ran.out.starts_with("✗ store  "), "{ran:?}");
    assert!(ran.out.ends_with("1 backend, 0 healthy\n"), "{ran:?}");
    assert!(ran.took < SOON, "{ran:?}");
    let ran = ratelimit(&["health", "--timeout", "1s", "--json", "--url", url]).ends(1);
    let json = ran.json();
    assert_eq!((&json["healthy"], &json["backends"][0]["healthy"]), (&json!(false), &json!(false)));
    assert_eq!(json["backends"][0]["error"]["kind"], json!(error), "{json}");
    assert_eq!(json["backends"][0]["round_trip_micros"], json!(null));
}

#[test]
fn redis_is_well_until_it_is_dead() {
    let server = RedisServer::start();
    is_well(&server.url(), "redis");
    server.freeze();
    is_not_well(&server.url(), "timeout");
    server.thaw();
    server.kill();
    is_not_well(&server.url(), "unreachable");
}

#[actix_web::test]
async fn postgres_is_well_until_it_is_dead() {
    let server = PostgresServer::start();
    let url = server.database();
    is_not_well(&url, "setup");
    database(&url, 0).await;
    is_well(&url, "database");
    server.freeze_all();
    is_not_well(&url, "unreachable");
    server.thaw_all();
    server.kill();
    is_not_well(&url, "unreachable");
}

#[actix_web::test]
async fn mysql_is_well_until_it_is_dead() {
    let server = MysqlServer::start();
    let url = server.database();
    database(&url, 0).await;
    is_well(&url, "database");
    server.kill();
    is_not_well(&url, "unreachable");
}

#[actix_web::test]
async fn sqlite_is_well_if_its_tables_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    let ran = ratelimit(&["health", "--url", &url]).ends(1);
    assert!(ran.out.contains("not set up: run migrations"), "{ran:?}");
    database(&url, 0).await;
    is_well(&url, "database");
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_not_well() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    is_not_well(&format!("redis://127.0.0.1:{port}"), "timeout");
}

#[test]
fn one_of_several_that_is_dead_makes_it_1_unless_another_is_asked_for() {
    let server = RedisServer::start();
    let config = Config::new(&format!(
        "backend = \"fast\"\n\
         [backends.fast]\nkind = \"redis\"\nurl = \"{}\"\n\
         [backends.slow]\nkind = \"redis\"\nurl = \"redis://:very-secret@127.0.0.1:1\"\n\
         [backends.both]\nkind = \"multi\"\nmembers = [\"fast\", \"slow\"]\n\
         [backends.own]\nkind = \"memory\"\n",
        server.url()
    ));
    let ran = config.ratelimit(&["health", "--timeout", "2s"]).ends(1);
    insta::assert_snapshot!(ran.masked(), @r"
    ✓ fast  redis   <n> ms
    ✗ slow  redis   not reachable: Connection refused (os error 111)
    ✓ both  multi   <n> ms
    ✓ own   memory  no round trip
    warning: both: slow: rate limit store: not reachable
    4 backends, 3 healthy
    ");
    let ran = config.ratelimit(&["health", "--backend", "fast"]).ends(0);
    assert_eq!(ran.masked(), "✓ fast  redis  <n> ms\n1 backend, 1 healthy\n");
    let ran = config.ratelimit(&["health", "--verbose", "--timeout", "2s"]).ends(1);
    assert!(ran.out.contains("redis://:***@127.0.0.1:1") && !ran.out.contains("secret"), "{ran:?}");
    assert!(ran.out.lines().any(|line| line.contains("fast") && line.contains("default")));
    let json = config.ratelimit(&["health", "--json", "--timeout", "2s"]).ends(1);
    assert!(!json.out.contains("secret"), "{json:?}");
}

#[test]
fn the_shape_of_its_json_is_stable() {
    let url = "redis://127.0.0.1:1/0";
    let json = ratelimit(&["health", "--json", "--url", url]).ends(1).json();
    let expected = json!({
        "healthy": false,
        "backends": [{
            "name": "store",
            "kind": "redis",
            "place": url,
            "default": true,
            "healthy": false,
            "round_trip_micros": null,
            "warnings": [],
            "error": {
                "kind": "unreachable",
                "message": "not reachable: Connection refused (os error 111)",
            },
        }],
    });
    assert_eq!(json, expected);
}
