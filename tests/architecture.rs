//! The floors of the crate, and what each must never do. ARCHITECTURE.md says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// Longest file, in lines.
const LONGEST: usize = 500;

/// A source file; `code` is without its comments and without its tests.
struct Source {
    path: String,
    text: String,
    code: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(source(root, &path));
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

fn source(root: &Path, path: &PathBuf) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code = shipped.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
    Source { path, text, code }
}

fn assert_without(folder: &str, words: &[&str], except: &[&str]) {
    for source in sources(folder).iter().filter(|source| !except.contains(&&*source.path)) {
        for word in words {
            assert!(!source.code.contains(word), "{} mentions {word}", source.path);
        }
    }
}

/// The modules of this crate that a source uses, with re-exports of the root traced to where they
/// come from.
fn floors_used(code: &str, exported: &HashMap<String, String>) -> Vec<String> {
    let mut used = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => top_level(group),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim().chars().take_while(|c| is_word(*c)).collect();
            used.push(exported.get(&name).cloned().unwrap_or(name));
        }
    }
    used
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The items of a group of imports, up to its closing brace.
fn top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[from..at]);
                from = at + 1;
            }
            '}' => {
                items.push(&group[from..at]);
                break;
            }
            _ => {}
        }
    }
    items
}

/// For each name that the root re-exports from a module of this crate, that module.
fn exported() -> HashMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lib = source(root, &root.join("src/lib.rs")).code;
    let mut exported = HashMap::new();
    for statement in lib.split(';').filter_map(|statement| statement.split("pub use ").nth(1)) {
        let Some((module, names)) = statement.split_once("::") else { continue };
        if module == "crate" {
            continue;
        }
        for name in names.split(|c| !is_word(c)).filter(|name| !name.is_empty()) {
            exported.insert(name.to_owned(), module.to_owned());
        }
    }
    for (name, module) in [("MemoryBackend", "backend"), ("Limit", "limiter"), ("Rule", "http")] {
        assert_eq!(exported[name], module, "{name}");
    }
    exported
}

fn assert_uses_no(folder: &str, floors: &[&str]) {
    let exported = exported();
    for source in sources(folder) {
        for used in floors_used(&source.code, &exported) {
            assert!(!floors.contains(&&*used), "{} uses {used}, a floor above it", source.path);
        }
    }
}

#[test]
fn a_backend_knows_no_request_and_no_limiter() {
    assert_without("src/backend", &["actix_web", "HttpRequest"], &[]);
    assert_uses_no("src/backend", &["limiter", "key", "http", "test_util"]);
}

#[test]
fn members_can_be_any_backends_and_a_breaker_is_transitions_and_nothing_else() {
    let kinds = ["redis", "database", "MemoryBackend", "memory::", "wrap::"];
    assert_without("src/backend/multi", &kinds, &[]);
    assert_without("src/backend/breaker", &kinds, &[]);
    let outside = ["Clock", "Instant", "tokio", "async ", "Mutex", "Atomic", "BackendError"];
    assert_without("src/backend/breaker/machine.rs", &outside, &[]);
}

#[test]
fn the_client_address_is_found_without_a_limiter() {
    assert_without("src/net", &["actix_web", "HttpRequest"], &[]);
    assert_uses_no("src/net", &["backend", "limiter", "key", "http", "test_util"]);
}

#[test]
fn the_limiter_knows_no_request_and_names_no_header_field() {
    let fields = ["x-ratelimit", "ratelimit-policy", "retry-after", "HeaderName", "HeaderValue"];
    for source in sources("src/limiter") {
        let code = source.code.to_lowercase();
        for word in fields.map(str::to_lowercase) {
            assert!(!code.contains(&word), "{} names {word}", source.path);
        }
    }
    assert_without("src/limiter", &["actix_web", "HttpRequest"], &[]);
    assert_uses_no("src/limiter", &["key", "http", "test_util"]);
}

#[test]
fn keys_know_nothing_of_responses() {
    assert_without("src/key", &["HttpResponse", "StatusCode"], &[]);
    assert_uses_no("src/key", &["http", "test_util"]);
}

#[test]
fn nothing_that_ships_needs_the_kit_for_tests() {
    assert_uses_no("src/http", &["test_util"]);
}

#[test]
fn only_keys_and_what_is_above_them_know_actix() {
    let allowed = ["src/key/", "src/http/", "src/config/", "src/serve/", "src/test_util/"];
    for source in sources("src") {
        let is_allowed = allowed.iter().any(|folder| source.path.starts_with(folder));
        // The code of the attribute names its trait by the root.
        let code = source.code.replace("pub use actix_web::Responder;", "");
        assert!(is_allowed || !code.contains("actix_web"), "{} uses actix_web", source.path);
    }
}

#[test]
fn the_arithmetic_reads_no_clock_and_does_nothing_but_compute() {
    let outside = ["Instant", "SystemTime", "std::time", "std::io", "std::fs", "std::net"];
    assert_without("core/src", &outside, &[]);
    assert_without("core/src", &["async ", "actix", "tokio", "thread", "Mutex"], &[]);
}

#[test]
fn the_arithmetic_is_in_integers() {
    let floats = ["f32", "f64"];
    // Where configuration in decimal becomes an integer, once.
    assert_without("core/src", &floats, &["core/src/policy.rs"]);
    let policy = sources("core/src").into_iter().find(|source| source.path == "core/src/policy.rs");
    let code = policy.unwrap().code;
    let (before, after) = code.split_once("fn scaled(rate: f64)").unwrap();
    assert_eq!(before.matches("f64").count(), 2, "refill_rate is the only float of a policy");
    assert_eq!(after.matches("f64").count(), 1, "the range of refill_rate");
}

#[test]
fn time_is_read_in_one_place() {
    let clocks = ["Instant::now", "SystemTime::now", "quanta"];
    assert_without("src", &clocks, &["src/clock.rs"]);
}

#[test]
fn configuration_alone_reads_the_environment() {
    let reads = ["std::env", "env::var"];
    let allowed = ["src/config/load.rs", "src/bin/ratelimit.rs"];
    assert_without("src", &reads, &allowed);
    for folder in ["core/src", "macros/src"] {
        assert_without(folder, &reads, &[]);
    }
}

#[test]
fn nothing_below_configuration_knows_it() {
    for folder in ["src/backend", "src/net", "src/limiter", "src/key", "src/http"] {
        assert_uses_no(folder, &["config", "serve", "cli"]);
    }
    assert_uses_no("src/config", &["serve", "cli", "test_util"]);
    assert_uses_no("src/serve", &["cli", "test_util"]);
    assert_uses_no("src/test_util", &["cli"]);
    assert_uses_no("src/cli", &["test_util"]);
}

#[test]
fn every_file_says_what_it_is_about_and_is_short() {
    for folder in ["src", "core/src", "macros/src"] {
        for Source { path, text, .. } in sources(folder) {
            let is_written_by_hand = !text.starts_with("// @generated automatically");
            assert!(
                !is_written_by_hand || text.starts_with("//! "),
                "{path} does not begin with `//! `"
            );
            let lines = text.lines().count();
            assert!(lines <= LONGEST, "{path} has {lines} lines: split it");
        }
    }
}

#[test]
fn imports_are_found_however_they_are_written() {
    let exported = HashMap::from([("RateLimiter".to_owned(), "limiter".to_owned())]);
    let code = "use crate::{\n    Batch, key::{Key, a::B},\n    RateLimiter,\n};\nuse crate::http::X;\n\
                fn f() -> crate::net::Y {}";
    assert_eq!(floors_used(code, &exported), ["Batch", "key", "limiter", "", "http", "net"]);
}
