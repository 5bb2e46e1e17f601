//! The command line itself.

use actix_smart_ratelimit::Algorithm;
use serde_json::json;

use super::command::{Config, charge, database, policy, ratelimit, sqlite};

#[test]
fn help_and_version_are_0() {
    let help = ratelimit(&["--help"]).ends(0);
    for command in
        ["health", "cleanup", "migrate", "migrations", "config", "inspect", "reset", "list"]
    {
        assert!(help.out.contains(&format!("  {command} ")), "{help:?}");
        let own = ratelimit(&[command, "--help"]).ends(0);
        assert!(own.out.contains("Usage: ratelimit"), "{own:?}");
    }
    let version = ratelimit(&["--version"]).ends(0);
    assert_eq!(version.out, format!("ratelimit {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_is_2_and_says_why() {
    for (arguments, said) in [
        (&["healt"][..], "health"),
        (&[], "Usage: ratelimit"),
        (&["health", "--timeout", "soon"], "such as 500ms"),
        (&["health", "--timeout", "5"], "such as 500ms"),
        (&["health", "--timeout", "0s"], "10ms..=1h"),
        (&["health", "--url", "redis://h", "--config", "x"], "cannot be used with"),
        (&["inspect"], "KEY"),
        (&["list", "--limit", "0"], "--limit"),
        (&["health"], "no store is configured"),
        (&["health", "--url", "gopher://h"], "--url: it names no kind of database"),
        (&["health", "--url", "redis://host:99999"], "--url: "),
        (&["inspect", "", "--url", "redis://127.0.0.1:1"], "the key is empty"),
    ] {
        let ran = ratelimit(arguments).ends(2);
        assert!(ran.err.contains(said), "{ran:?}");
        assert_eq!(ran.out, "");
    }
}

#[test]
fn a_backend_that_is_not_configured_is_2_and_those_that_are_are_named() {
    let config = Config::new("[backends.main]\nkind = \"redis\"\nurl = \"redis://127.0.0.1:1\"\n");
    let ran = config.ratelimit(&["health", "--backend", "mian"]).ends(2);
    let expected = "there is no backend \"mian\"; configured are: main";
    assert!(ran.err.contains(expected), "{ran:?}");
    let json = config.ratelimit(&["health", "--backend", "mian", "--json"]).ends(2).json();
    assert_eq!(json["error"]["kind"], json!("usage"));
    assert!(json["error"]["message"].as_str().unwrap().contains(expected), "{json}");
}

#[test]
fn what_is_piped_has_no_colours() {
    let ran = ratelimit(&["health", "--url", "redis://127.0.0.1:1"]).ends(1);
    let failed = ratelimit(&["list", "--url", "redis://127.0.0.1:1"]).ends(1);
    for text in [&ran.out, &ran.err, &failed.err] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = ratelimit(&["completions", shell]).ends(0);
        assert!(ran.out.contains("ratelimit") && ran.out.contains("cleanup"), "{shell}");
    }
    ratelimit(&["completions", "cmd"]).ends(2);
}

#[test]
fn there_is_a_page_for_readers() {
    let page = ratelimit(&["man"]).ends(0);
    assert!(page.out.contains(".TH ratelimit 1") && page.out.contains("cleanup"), "{page:?}");
    let folder = tempfile::tempdir().unwrap();
    ratelimit(&["man", "--into", folder.path().to_str().unwrap()]).ends(0);
    for page in ["ratelimit.1", "ratelimit-cleanup.1", "ratelimit-migrations-export.1"] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
}

/// What the command shows on a terminal, by the program `script`, which every Debian has.
fn on_a_terminal(arguments: &str) -> String {
    let program = format!("{} {arguments}", env!("CARGO_BIN_EXE_ratelimit"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &program, "/dev/null"]).env_remove("NO_COLOR").env("TERM", "xterm");
    let output = script.stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[actix_web::test]
async fn on_a_terminal_there_are_colours_and_a_bar() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    let backend = database(&url, 7_200).await;
    for key in ["a", "b", "c"] {
        charge(&backend, key, &policy(Algorithm::Gcra, "10/h"), 1).await;
    }
    let health = on_a_terminal(&format!("health --url {url}"));
    assert!(health.contains("\u{1b}[32m✓\u{1b}[0m store"), "{health:?}");
    let cleanup = on_a_terminal(&format!("cleanup --batch-size 1 --url {url}"));
    assert!(cleanup.contains("removing ") && cleanup.contains("/3 rows, "), "{cleanup:?}");
    let json = on_a_terminal(&format!("cleanup --json --url {url}"));
    assert!(!json.contains('\u{1b}') && json.trim_start().starts_with('{'), "{json:?}");
}
