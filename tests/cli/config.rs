//! `config`: what is wrong is told at once; what applies is shown without secrets.

use std::{fs, path::Path};

use serde_json::json;

use super::command::{Config, command, ran, ratelimit};

#[test]
fn a_configuration_without_mistakes_is_0() {
    let config = Config::new(
        "default_rate = \"10/s\"\n[[middleware.rules]]\nname = \"a\"\nrate = \"0/s\"\n",
    );
    let path = config.path();
    let checked = ratelimit(&["config", "check", path.to_str().unwrap()]).ends(0);
    assert!(checked.out.ends_with("✓ valid: 1 backend, 1 rule\n"), "{checked:?}");
    let json = config.ratelimit(&["config", "check", "--json"]).ends(0).json();
    assert_eq!((&json["valid"], &json["rules"]), (&json!(true), &json!(1)));
}

#[test]
fn every_mistake_is_told_and_it_is_2() {
    let config = Config::new(
        "default_rat = \"10/s\"\nenabled = \"yes\"\n[backends.main]\nkind = \"redis\"\n\
         url = \"redis://:very-secret@host:99999\"\n",
    );
    let checked = config.ratelimit(&["config", "check"]).ends(2);
    let lines: Vec<_> = checked.err.lines().collect();
    assert_eq!(lines.len(), 3, "{checked:?}");
    assert!(
        lines[0].starts_with("error: ") && lines[0].contains("ratelimit.toml:1:1"),
        "{lines:?}"
    );
    assert!(lines[0].contains("did you mean \"default_rate\"?"), "{lines:?}");
    assert!(lines[1].contains("enabled") && lines[2].contains("backends.main.url"), "{lines:?}");
    assert!(!checked.err.contains("secret"), "{checked:?}");
    let json = config.ratelimit(&["config", "check", "--json"]).ends(2).json();
    assert_eq!(json["error"]["kind"], json!("config"));
    let first = &json["error"]["errors"][0];
    assert_eq!(first["field"], json!("default_rat"));
    for part in ["origin", "value", "reason", "remedy"] {
        assert!(first[part].is_string(), "{first}");
    }
}

#[test]
fn files_that_cannot_be_read_are_2_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    let binary = folder.path().join("binary.toml");
    fs::write(&binary, [0xff, 0xfe, 0]).unwrap();
    for path in [&*missing, &binary, folder.path()] {
        let path = path.to_str().unwrap();
        for arguments in
            [&["config", "check"][..], &["config", "show"], &["health"], &["list"], &["migrate"]]
        {
            let mut all = vec!["--config", path];
            all.extend(arguments);
            let ran = ratelimit(&all).ends(2);
            assert!(ran.err.contains(path), "{ran:?}");
        }
    }
}

#[test]
fn variables_lie_over_the_file_and_wrong_ones_are_named() {
    let config = Config::new("");
    let show = |name: &str, value: &str| {
        let path = config.path();
        let arguments = ["config", "show", "--config", path.to_str().unwrap()];
        ran(command(&arguments).env(name, value))
    };
    let shown = show("RATELIMIT__DEFAULT_RATE", "7/m").ends(0);
    assert!(shown.out.contains("default_rate = \"7/m\""), "{shown:?}");
    let wrong = show("RATELIMIT__DEFAULT_RATE", "7/mo").ends(2);
    assert!(wrong.err.contains("RATELIMIT__DEFAULT_RATE"), "{wrong:?}");
}

#[test]
fn the_file_may_be_named_by_a_variable() {
    let config = Config::new("default_rate = \"7/m\"");
    let shown = ran(command(&["config", "show"]).env("RATELIMIT_CONFIG", config.path())).ends(0);
    assert!(shown.out.contains("default_rate = \"7/m\""), "{shown:?}");
}

#[test]
fn what_is_shown_has_no_passwords_and_can_be_read_again() {
    let config = Config::new(
        "[backends.main]\nkind = \"database\"\nurl = \"postgres://app:very-secret@db/app\"\n",
    );
    let shown = config.ratelimit(&["config", "show"]).ends(0);
    assert!(shown.out.contains("postgres://app:***@db/app"), "{shown:?}");
    assert!(!shown.out.contains("secret"), "{shown:?}");
    Config::new(&shown.out).ratelimit(&["config", "check"]).ends(0);
    let json = config.ratelimit(&["config", "show", "--json"]).ends(0).json();
    assert_eq!(json["backends"]["main"]["url"], json!("postgres://app:***@db/app"));
}

/// The TOML documents below `docs`: files, and blocks of the pages that say so.
fn documents() -> Vec<(String, String)> {
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")];
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.display().to_string();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if name.ends_with(".toml") {
            found.push((name, text));
        } else if name.ends_with(".md") {
            let blocks = text.split("```toml\n").skip(1);
            let blocks = blocks.map(|block| block.split("```").next().unwrap_or_default());
            let of_others = ["actix-smart-ratelimit =", "[print_schema]"];
            let is_ours = |block: &&str| !of_others.iter().any(|other| block.contains(other));
            for (number, block) in blocks.filter(is_ours).enumerate() {
                found.push((format!("{name}, block {}", number + 1), block.to_owned()));
            }
        }
    }
    found
}

#[test]
fn examples_in_the_pages_are_valid() {
    let documents = documents();
    assert!(!documents.is_empty(), "the pages have no example");
    for (name, text) in documents {
        let checked = Config::new(&text).ratelimit(&["config", "check"]);
        assert_eq!(checked.code, 0, "{name}: {}", checked.err);
    }
}
