//! `list`, `inspect` and `reset`: the keys of stores.

use actix_smart_ratelimit::{Algorithm, backend::Backend};
use serde_json::{Value, json};

use super::{
    command::{Config, charge, database, policy, ratelimit, redis, sqlite},
    support::{
        database::{MysqlServer, PostgresServer},
        redis::{RedisCluster, RedisServer},
    },
};

/// Rules whose counters are in the store of a URL.
fn config(kind: &str, url: &str) -> Config {
    Config::new(&format!(
        "[backends.main]\nkind = \"{kind}\"\nurl = \"{url}\"\n\
         [[middleware.rules]]\nname = \"login\"\npath = \"/login\"\nrate = [\"3/h\", \"20/day\"]\n\
         algorithm = \"fixed_window\"\n\
         [[middleware.rules]]\nname = \"search\"\npath = \"/search\"\nrate = \"10/h\"\n\
         algorithm = \"gcra\"\n"
    ))
}

/// What requests of one client leave behind.
async fn used(backend: &dyn Backend) {
    let key = "ratelimit:login:ip:203.0.113.7";
    charge(backend, key, &policy(Algorithm::FixedWindow, "3/h"), 3).await;
    charge(backend, &format!("{key}#20/d"), &policy(Algorithm::FixedWindow, "20/day"), 3).await;
    let key = "ratelimit:search:ip:203.0.113.7";
    charge(backend, key, &policy(Algorithm::Gcra, "10/h"), 1).await;
    charge(backend, "ratelimit:search:ip:203.0.113.8", &policy(Algorithm::Gcra, "10/h"), 1).await;
}

/// All keys of a store that are listed.
fn listed(config: &Config, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["list", "--json"];
    all.extend(arguments);
    let json = config.ratelimit(&all).ends(0).json();
    let keys = json["backends"][0]["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect()
}

fn decision<'j>(json: &'j Value, rule: &str) -> &'j Value {
    let decisions = json["decisions"].as_array().unwrap();
    decisions.iter().find(|decision| decision["rule"] == rule).expect(rule)
}

async fn shows_and_forgets(config: &Config, backend: &dyn Backend) {
    used(backend).await;
    let expected = [
        "ratelimit:login:ip:203.0.113.7",
        "ratelimit:login:ip:203.0.113.7#20/d",
        "ratelimit:search:ip:203.0.113.7",
        "ratelimit:search:ip:203.0.113.8",
    ];
    assert_eq!(listed(config, &[]), expected);
    assert_eq!(listed(config, &["--pattern", "*:login:*"]), expected[..2]);
    assert_eq!(listed(config, &["--pattern", "*.8"]), expected[3..]);
    assert_eq!(listed(config, &["--limit", "2"]).len(), 2);

    for key in ["ip:203.0.113.7", expected[0]] {
        let json = config.ratelimit(&["inspect", key, "--json"]).ends(0).json();
        let login = decision(&json, "login");
        assert_eq!((&login["allowed"], &login["remaining"]), (&json!(false), &json!(0)), "{json}");
        assert!(login["retry_after"].as_u64().unwrap() <= 3_600, "{json}");
    }
    let json = config.ratelimit(&["inspect", "ip:203.0.113.7", "--json"]).ends(0).json();
    let search = decision(&json, "search");
    assert_eq!((&search["allowed"], &search["remaining"]), (&json!(true), &json!(9)), "{json}");
    let kinds: Vec<_> = json["backends"][0]["states"].as_array().unwrap().iter().collect();
    let kinds: Vec<_> = kinds.iter().map(|state| state["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fixed_window", "fixed_window", "gcra"], "{json}");

    let ran = config.ratelimit(&["reset", "ip:203.0.113.7"]).ends(0);
    assert_eq!(ran.out, "forgot 3 states of ip:203.0.113.7\n");
    assert_eq!(listed(config, &[]), expected[3..]);
    let ran = config.ratelimit(&["reset", "ip:203.0.113.7"]).ends(0);
    assert_eq!(ran.out, "nothing was kept of ip:203.0.113.7\n");
    let ran = config.ratelimit(&["inspect", "ip:203.0.113.7"]).ends(0);
    assert_eq!(ran.out, "nothing is kept of ip:203.0.113.7\n");
}

#[actix_web::test]
async fn keys_in_redis_are_shown_and_forgotten() {
    let server = RedisServer::start();
    shows_and_forgets(&config("redis", &server.url()), &redis(server.url())).await;
}

#[actix_web::test]
async fn keys_in_a_cluster_are_shown_and_forgotten() {
    let cluster = RedisCluster::start(3);
    let nodes: Vec<_> = cluster.urls().iter().map(|url| format!("\"{url}\"")).collect();
    let config = config("redis", "");
    let text = std::fs::read_to_string(config.path()).unwrap();
    let text = text.replace("url = \"\"", &format!("nodes = [{}]", nodes.join(", ")));
    let config = Config::new(&text);
    let builder = actix_smart_ratelimit::backend::redis::RedisBackend::cluster(cluster.urls());
    let backend = builder.deadline(super::command::PATIENCE).build().unwrap();
    shows_and_forgets(&config, &backend).await;
}

#[actix_web::test]
async fn keys_in_postgres_are_shown_and_forgotten() {
    let server = PostgresServer::shared();
    let url = server.database();
    shows_and_forgets(&config("database", &url), &database(&url, 0).await).await;
}

#[actix_web::test]
async fn keys_in_mysql_are_shown_and_forgotten() {
    let server = MysqlServer::shared();
    let url = server.database();
    shows_and_forgets(&config("database", &url), &database(&url, 0).await).await;
}

#[actix_web::test]
async fn keys_in_sqlite_are_shown_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    shows_and_forgets(&config("database", &url), &database(&url, 0).await).await;
}

#[actix_web::test]
async fn people_read_aligned_columns() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    used(&database(&url, 0).await).await;
    let config = config("database", &url);
    insta::assert_snapshot!(config.ratelimit(&["list"]).ends(0).masked().replace(" <n>", ""), @r"
    BACKEND  KEY                                  KIND          EXPIRES
    main     ratelimit:login:ip:203.0.113.7       fixed_window  in
    main     ratelimit:login:ip:203.0.113.7#20/d  fixed_window  in
    main     ratelimit:search:ip:203.0.113.7      state         in
    main     ratelimit:search:ip:203.0.113.8      state         in
    4 keys
    ");
    let ran = config.ratelimit(&["list", "--limit", "3"]).ends(0);
    assert!(ran.out.ends_with("3 keys, and there are more: raise --limit, or narrow --pattern\n"));
    let ran = config.ratelimit(&["inspect", "ip:203.0.113.7"]).ends(0);
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[0].starts_with("BACKEND  KEY "), "{ran:?}");
    let refused = "✗ rule \"login\" would refuse: 0 of 3 left, untouched in ";
    assert!(lines.iter().any(|line| line.starts_with(refused)), "{ran:?}");
    let admitted = "✓ rule \"search\" would admit: 9 of 10 left, untouched in ";
    assert!(lines.iter().any(|line| line.starts_with(admitted)), "{ran:?}");
}

#[actix_web::test]
async fn without_any_configuration_windows_are_found_and_forgotten_too() {
    let server = RedisServer::start();
    used(&redis(server.url())).await;
    let (url, key) = (server.url(), "ratelimit:login:ip:203.0.113.7");
    let json = ratelimit(&["inspect", key, "--json", "--url", &url]).ends(0).json();
    let state = &json["backends"][0]["states"][0];
    assert_eq!((&state["kind"], &state["values"]["count"]), (&json!("fixed_window"), &json!(3)));
    let ran = ratelimit(&["reset", key, "--url", &url]).ends(0);
    assert_eq!(ran.out, format!("forgot 1 state of {key}\n"));
    let again = ratelimit(&["inspect", key, "--url", &url]).ends(0);
    assert_eq!(again.out, format!("nothing is kept of {key}\n"));
}

#[test]
fn a_pattern_that_leaves_out_the_prefix_gets_a_hint() {
    let server = RedisServer::start();
    let ran = ratelimit(&["list", "--pattern", "login:*", "--url", &server.url()]).ends(0);
    assert!(ran.out.contains("which begin with ratelimit:"), "{ran:?}");
}

#[test]
fn memory_keeps_no_keys_and_says_so() {
    let config = Config::new("[backends.own]\nkind = \"memory\"\n");
    for arguments in [&["list"][..], &["inspect", "k"], &["reset", "k"]] {
        let ran = config.ratelimit(arguments).ends(2);
        assert!(ran.err.contains("keeps only hashes of keys"), "{ran:?}");
    }
}

#[test]
fn a_store_that_is_away_is_1_for_each_of_them() {
    for url in ["redis://127.0.0.1:1", "postgres://postgres@127.0.0.1:1/app"] {
        for arguments in [&["list"][..], &["inspect", "k"], &["reset", "k"]] {
            let mut all = vec!["--timeout", "1s", "--url", url];
            all.extend(arguments);
            let ran = ratelimit(&all).ends(1);
            assert!(ran.err.starts_with("error: store: not reachable"), "{ran:?}");
        }
    }
    let server = RedisServer::start();
    server.freeze();
    for arguments in [&["list"][..], &["inspect", "k"], &["reset", "k"]] {
        let (url, mut all) = (server.url(), vec!["--timeout", "500ms", "--url"]);
        all.push(&url);
        all.extend(arguments);
        let ran = ratelimit(&all).ends(1);
        assert!(ran.took < std::time::Duration::from_secs(15), "{ran:?}");
    }
}
