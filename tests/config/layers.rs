//! Defaults, then the file, then variables.

use std::{fs, time::Duration};

use actix_smart_ratelimit::{
    Algorithm, Headers, OnError, Rate, RateLimiter,
    config::{BackendConfig, Config, Origin},
};

use super::variables;

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = Config::from_toml_str("").unwrap();
    assert_eq!(config.default_rate, Rate::per_minute(100));
    assert_eq!(config.algorithm, Algorithm::SlidingWindow);
    assert_eq!(config.key_prefix, "ratelimit:");
    let limiter = RateLimiter::from_config(&config).unwrap();
    assert_eq!(limiter.backend_names().collect::<Vec<_>>(), ["memory"]);
    assert!(limiter.middleware_from(&config).is_ok());
}

#[test]
fn variables_win_over_the_file_and_the_file_over_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratelimit.toml");
    let text = "deadline = \"50ms\"\non_error = \"deny\"\n[client_ip]\nipv6_prefix = 48\n\
                [backends.Fast]\nkind = \"memory\"\n\
                [[middleware.rules]]\nname = \"auth\"\nrate = \"5/m\"\n";
    fs::write(&path, text).unwrap();
    let laid_over = [
        ("RATELIMIT__DEADLINE", "70ms"),
        ("RATELIMIT__ENABLED", "false"),
        ("RATELIMIT__HEADERS", "ietf"),
        ("RATELIMIT__CLIENT_IP__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
        ("RATELIMIT__BACKENDS__FAST__MAX_KEYS", "500"),
        ("RATELIMIT__MIDDLEWARE__RULES__AUTH__RATE", "7/m,70/h"),
        ("RATELIMIT__MIDDLEWARE__RULES__AUTH__REFILL_RATE", "0.5"),
        ("RATELIMIT__MIDDLEWARE__RULES__AUTH__ALGORITHM", "token_bucket"),
        ("PATH", "/bin"),
    ];
    let config = Config::load_with(&path, variables(&laid_over)).unwrap();
    assert_eq!(config.deadline, Duration::from_millis(70));
    assert_eq!((config.on_error, config.enabled), (OnError::Deny, false));
    assert_eq!(config.headers, Headers::IETF);
    assert_eq!(config.client_ip.trusted_proxies, ["10.0.0.0/8", "192.0.2.1"]);
    assert_eq!(config.client_ip.ipv6_prefix, 48);
    assert_eq!(config.missing_address, Config::default().missing_address);
    let (name, backend) = &config.backends[0];
    assert_eq!(name, "Fast");
    assert!(matches!(backend, BackendConfig::Memory(memory) if memory.max_keys == 500));
    let rule = &config.middleware.rules[0];
    assert_eq!(rule.rate, [Rate::per_minute(7), Rate::per_hour(70)]);
    assert_eq!(rule.refill_rate, Some(0.5));
    assert_eq!(
        *config.origin("on_error"),
        Origin::File { path: Some(path.as_path().into()), line: 2, column: 12 }
    );
    assert_eq!(*config.origin("deadline"), Origin::Variable("RATELIMIT__DEADLINE".into()));
    assert_eq!(*config.origin("key_prefix"), Origin::Unwritten);
}

#[test]
fn what_applies_can_be_written_and_read_again() {
    let text = r#"
        backend = "redis"
        [backends.redis]
        kind = "redis"
        url = "redis://app:s3cret@127.0.0.1:6379/0"
        lease = 20
        [backends.sentinel]
        kind = "redis"
        master = "main"
        sentinels = ["redis://:s3cret@127.0.0.1:26379"]
        password = "s3cret"
        [backends.durable]
        kind = "database"
        url = "postgres://app:s3cret@127.0.0.1/app?sslpassword=s3cret"
        deadline = "200ms"
        [[middleware.rules]]
        name = "search"
        path = ["/search", "/find"]
        methods = ["GET"]
        rate = ["10/s", "1000/h"]
        key = "user_or_ip+header:X-Api-Key"
        when = ["authenticated", "header:X-Plan=pro"]
        tiers = { attribute = "tier", rates = { pro = "50/s", partner = ["100/s", "10000/h"] } }
    "#;
    let config = Config::from_toml_str(text).unwrap();
    let shown = config.to_toml_string().unwrap();
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
    assert!(shown.contains("redis://app:***@127.0.0.1:6379/0"), "{shown}");
    assert!(shown.contains("sslpassword=***"), "{shown}");
    let again = Config::from_toml_str(&shown).unwrap();
    assert_eq!(again.to_toml_string().unwrap(), shown);
    assert_eq!(again.middleware, config.middleware);
}

#[test]
fn a_configuration_can_be_part_of_another_document() {
    #[derive(serde::Deserialize)]
    struct Application {
        ratelimit: Config,
    }
    let text = "[ratelimit]\ndefault_rate = \"5/m\"\n[[ratelimit.middleware.rules]]\nname = \"a\"";
    let application: Application = toml::from_str(text).unwrap();
    assert_eq!(application.ratelimit.default_rate, Rate::per_minute(5));
    let wrong = toml::from_str::<Application>("[ratelimit]\ndefault_rat = \"5/m\"").err().unwrap();
    assert!(wrong.to_string().contains("did you mean \"default_rate\"?"), "{wrong}");
}
