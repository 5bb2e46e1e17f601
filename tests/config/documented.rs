//! The page on configuration has every setting, and the files beside it can be used as they stand.

use std::{fs, path::PathBuf};

use actix_smart_ratelimit::{RateLimiter, config::Config};

use super::errors_of;

fn docs(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(path)
}

/// The settings of a section, as an error about an unknown one lists them.
fn settings(section: &str) -> Vec<String> {
    let errors = errors_of(&format!("{section}\nzzzzzzzzzzzz = 1\n")).to_string();
    let (_, list) = errors.split_once("there is no such setting; there are: ").unwrap();
    list.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn every_setting_is_documented() {
    let page = fs::read_to_string(docs("configuration.md")).unwrap();
    let sections = [
        ("", "### Top level"),
        ("[backends.a]\nkind = \"memory\"", "### `[backends.NAME]`"),
        ("[backends.a]\nkind = \"redis\"\nurl = \"redis://a\"", "### `[backends.NAME]`"),
        ("[backends.a]\nkind = \"redis\"\nsentinels = [\"redis://a\"]", "### `[backends.NAME]`"),
        ("[backends.a]\nkind = \"database\"\nurl = \"sqlite://a\"", "### `[backends.NAME]`"),
        ("[backends.a]\nkind = \"multi\"\nmembers = [\"b\"]", "### `[backends.NAME]`"),
        ("[breaker]", "### `[breaker]`"),
        ("[client_ip]", "### `[client_ip]`"),
        ("[middleware]", "### `[middleware]`"),
        ("[[middleware.rules]]\nname = \"a\"", "### `[[middleware.rules]]`"),
        ("[[overrides]]", "### `[[overrides]]`"),
        ("[serve]", "### `[serve]`"),
    ];
    for (section, title) in sections {
        let (_, rest) = page.split_once(&format!("{title}\n")).unwrap_or_else(|| panic!("{title}"));
        let table = rest.split("\n#").next().unwrap();
        for setting in settings(section) {
            let is_section = page.contains(&format!("### `[{setting}]`"))
                || page.contains(&format!("### `[[{setting}]]`"))
                || page.contains(&format!("### `[{setting}.NAME]`"));
            let has_row = table.lines().any(|line| {
                line.split('|').nth(1).is_some_and(|cell| cell.contains(&format!("`{setting}`")))
            });
            assert!(has_row || is_section, "{title} lacks {setting}");
        }
    }
}

#[test]
fn the_files_beside_the_page_can_be_used() {
    let mut seen = 0;
    for entry in fs::read_dir(docs("config")).unwrap() {
        let path = entry.unwrap().path();
        let config = Config::load_with(&path, []).unwrap_or_else(|errors| panic!("{errors}"));
        let limiter = RateLimiter::from_config(&config).unwrap_or_else(|errors| panic!("{errors}"));
        let _ = limiter.middleware_from(&config).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.warnings().len(), 0, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 3);
}

/// The settings that stand as the original's in its documentation or code.
const ORIGINAL: &str = "
    BACKEND BACKENDS MULTI_BACKENDS MULTI_BACKEND_STRATEGY HEALTH_CHECK_INTERVAL REDIS MONGODB ALGORITHM
    KEY_PREFIX MEMORY_MAX_KEYS MEMORY_CLEANUP_INTERVAL MIDDLEWARE BACKEND_CONFIG CONFIG_<NAME> ENABLE
    TRUSTED_PROXIES IP_META_KEYS DATABASE_CLEANUP_THRESHOLD BACKEND_OPTIONS DEFAULT_BACKEND LOGGING MONITORING
    USE_CACHE CACHE_PREFIX DEBUG GLOBAL PATTERNS DEFAULT_LIMIT ALIGN_WINDOW_TO_CLOCK FAIL_OPEN
    TRUST_FORWARDED_HEADERS POLICY_FAIL_CLOSED LOG_EXCEPTIONS EXCEPTION_HANDLER RESPONSE_HANDLER CIRCUIT_BREAKER
    CIRCUIT_BREAKER_STORAGE COLLECT_METRICS USE_DYNAMIC_RULES RULE_CACHE_TIMEOUT USE_USER_TIERS LOG_EVENTS
    GEOIP_PATH ALERT_THRESHOLD PROMETHEUS STATSD MEMCACHED";

#[test]
fn every_setting_of_the_original_has_a_line() {
    let page = fs::read_to_string(docs("configuration.md")).unwrap();
    let (_, table) = page.split_once("## From django-smart-ratelimit").unwrap();
    for name in ORIGINAL.split_whitespace() {
        assert!(table.contains(&format!("`RATELIMIT_{name}`")), "RATELIMIT_{name}");
    }
}
