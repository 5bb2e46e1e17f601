//! A configuration may ask for what was not built in: each test runs where that is so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use actix_smart_ratelimit::config::Config;

/// What is said about a document.
#[allow(dead_code, reason = "everything may be built in")]
#[track_caller]
fn told(text: &str) -> String {
    match Config::from_toml_str(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn what_is_always_built_in_needs_no_feature() {
    let text = "[backends.here]\nkind = \"memory\"\n[backends.all]\nkind = \"multi\"\n\
                members = [\"here\"]\n[[middleware.rules]]\nname = \"a\"\nkey = \"user_or_ip\"\n";
    assert!(Config::from_toml_str(text).is_ok());
}

#[cfg(not(feature = "redis"))]
#[test]
fn redis_names_its_feature() {
    assert_eq!(
        told("[backends.a]\nkind = \"redis\"\nurl = \"redis://127.0.0.1\"\n"),
        "line 2:8: backends.a.kind: this kind of backend is not built in; enable the feature redis of \
         actix-smart-ratelimit"
    );
}

#[cfg(all(feature = "redis", not(feature = "redis-tls")))]
#[test]
fn encrypted_connections_to_redis_name_their_feature() {
    let told = told("[backends.a]\nkind = \"redis\"\nurl = \"rediss://:s3cret@127.0.0.1\"\n");
    assert_eq!(
        told,
        "line 3:7: backends.a.url: invalid value \"rediss://:***@127.0.0.1\": it asks for an encrypted \
         connection; enable the feature redis-tls of actix-smart-ratelimit"
    );
}

#[cfg(all(feature = "redis", not(feature = "redis-cluster")))]
#[test]
fn clusters_name_their_feature() {
    assert_eq!(
        told("[backends.a]\nkind = \"redis\"\nnodes = [\"redis://127.0.0.1\"]\n"),
        "line 3:9: backends.a.nodes: clusters are not built in; enable the feature redis-cluster of \
         actix-smart-ratelimit"
    );
}

#[cfg(not(any(feature = "postgres", feature = "mysql", feature = "sqlite")))]
#[test]
fn databases_name_their_features() {
    assert_eq!(
        told("[backends.a]\nkind = \"database\"\nurl = \"sqlite:///a\"\n"),
        "line 2:8: backends.a.kind: this kind of backend is not built in; enable the feature postgres, \
         mysql or sqlite of actix-smart-ratelimit"
    );
}

#[cfg(all(feature = "sqlite", not(feature = "postgres")))]
#[test]
fn a_database_of_another_kind_names_its_feature() {
    let told = told("[backends.a]\nkind = \"database\"\nurl = \"postgres://a:s3cret@b/c\"\n");
    assert!(told.contains("enable the feature postgres"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}

#[cfg(not(feature = "jwt"))]
#[test]
fn keys_from_tokens_name_their_feature() {
    let told = told("[[middleware.rules]]\nname = \"a\"\nkey = \"jwt:sub\"\n");
    assert!(told.starts_with("line 3:7: middleware.rules[0].key: "), "{told}");
    assert!(told.contains("\"jwt\" of actix-smart-ratelimit"), "{told}");
}
