//! Files that cannot be read, and variables that cannot be meant.

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt, path::Path};

use actix_smart_ratelimit::config::Config;

use super::variables;

fn errors_at(path: &Path) -> String {
    Config::load_with(path, []).unwrap_err().to_string()
}

/// What is said about variables over an ordinary file.
fn errors_with(pairs: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratelimit.toml");
    let text = "default_rate = \"100/m\"\n[backends.fast]\nkind = \"redis\"\n\
                url = \"redis://127.0.0.1\"\n[[middleware.rules]]\nname = \"auth\"\n";
    fs::write(&path, text).unwrap();
    Config::load_with(&path, variables(pairs)).unwrap_err().to_string()
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink("nowhere", place("dangling")).unwrap();
    fs::write(place("latin1"), b"default_rate = \"caf\xe9\"").unwrap();
    fs::write(place("large"), vec![b'#'; (4 << 20) + 1]).unwrap();
    let cases = [
        ("missing", "it cannot be read: No such file or directory"),
        ("dangling", "it cannot be read: No such file or directory"),
        ("", "it is a directory; name a TOML file"),
        ("latin1", "it is not UTF-8, at byte 19; write it in UTF-8"),
        ("large", "it is over 4 MiB"),
    ];
    for (name, told) in cases {
        let path = place(name);
        let error = errors_at(&path);
        assert!(error.starts_with(&format!("{}: {told}", path.display())), "{error}");
    }
    assert!(errors_at(Path::new("/dev/zero")).contains("it is over 4 MiB"));
}

#[test]
fn a_mark_of_byte_order_is_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratelimit.toml");
    fs::write(&path, "\u{feff}default_rate = \"7/m\"").unwrap();
    assert_eq!(Config::load_with(&path, []).unwrap().default_rate.limit(), 7);
}

#[test]
fn mistakes_in_a_file_are_told_with_its_name_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratelimit.toml");
    fs::write(&path, "enabled = true\n\n  default_rate = \"7/x\"\n").unwrap();
    let expected = format!("{}:3:18: default_rate: invalid value \"7/x\": ", path.display());
    assert!(errors_at(&path).starts_with(&expected), "{}", errors_at(&path));
}

#[test]
fn mistakes_in_variables_are_told_with_their_names() {
    let cases = [
        (
            ("RATELIMIT__DEADLINE", ""),
            "RATELIMIT__DEADLINE: deadline: it is set but empty; unset it, or give it a value",
        ),
        (
            ("RATELIMIT__DEADLINE", "50"),
            "RATELIMIT__DEADLINE: deadline: invalid value \"50\": it is no whole number with a unit \
             (ms, s, m, h, d); write one in 1ms..=10s, such as \"100ms\"",
        ),
        (
            ("RATELIMIT__DEADLINE", "999999999s"),
            "RATELIMIT__DEADLINE: deadline: invalid value \"999999999s\": it is out of range; write \
             one in 1ms..=10s, such as \"100ms\"",
        ),
        (
            ("RATELIMIT__ENABLED", "yes"),
            "RATELIMIT__ENABLED: enabled: invalid value \"yes\": it is neither true nor false; write \
             true or false, without quotes",
        ),
        (
            ("RATELIMIT__DEFAULT_RAT", "5/m"),
            "RATELIMIT__DEFAULT_RAT: default_rat: there is no such setting; did you mean \
             \"default_rate\"?",
        ),
        (
            ("RATELIMIT__DEFAULT_RATE__X", "5/m"),
            "RATELIMIT__DEFAULT_RATE__X: default_rate.x: default_rate is no table; remove this \
             variable",
        ),
        (
            ("RATELIMIT__MIDDLEWARE__RULES__LOGIN__RATE", "5/m"),
            "RATELIMIT__MIDDLEWARE__RULES__LOGIN__RATE: middleware.rules.login.rate: invalid value \
             \"login\": there is none of this name; the names are: auth",
        ),
        (
            ("RATELIMIT____X", "5/m"),
            "RATELIMIT____X: the name of this variable has an empty part; write \
             RATELIMIT__SECTION__FIELD",
        ),
        (
            ("RATELIMIT__MIDDLEWARE__RULES__AUTH__RATE", "5/m,6/x"),
            "RATELIMIT__MIDDLEWARE__RULES__AUTH__RATE: middleware.rules[0].rate[1]: invalid value \
             \"6/x\": unknown unit \"x\"; write LIMIT/[N]UNIT with UNIT one of s, m, h, d, for \
             example \"100/m\" or \"10/30s\"",
        ),
        (
            ("RATELIMIT__BACKENDS__FAST__URL", "http://user:s3cret@host"),
            "RATELIMIT__BACKENDS__FAST__URL: backends.fast.url: invalid value \"http://user:***@host\": \
             Redis URL did not parse; write redis://user:password@host:6379/0, with @ : / ? # % in \
             names and passwords as %40 %3A %2F %3F %23 %25",
        ),
    ];
    for (variable, told) in cases {
        assert_eq!(errors_with(&[variable]), told);
    }
    let all: Vec<_> = cases.iter().map(|(variable, _)| *variable).collect();
    let names: std::collections::BTreeSet<_> = all.iter().map(|(name, _)| name).collect();
    let errors = errors_with(&all);
    for name in names {
        assert!(errors.contains(name), "{name} is not in {errors}");
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_told_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratelimit.toml");
    fs::write(&path, "").unwrap();
    let value = OsString::from_vec(b"7\xff/m".to_vec());
    let errors = Config::load_with(&path, [("RATELIMIT__DEFAULT_RATE".into(), value)]).unwrap_err();
    let expected = "RATELIMIT__DEFAULT_RATE: default_rate: invalid value \"7\u{fffd}/m\": it is not \
                    UTF-8; write it in UTF-8";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn a_variable_that_nothing_reads_is_warned_of_unless_kubernetes_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratelimit.toml");
    fs::write(&path, "").unwrap();
    let set = [
        ("RATELIMIT_CONFIG", "x.toml"),
        ("RATELIMIT_CONFIGG", "x.toml"),
        ("RATELIMIT_DEFAULT_RATE", "5/m"),
        ("RATELIMIT_SERVICE_HOST", "10.0.0.1"),
        ("RATELIMIT_PORT_9090_TCP", "tcp://10.0.0.1:9090"),
        ("RATELIMITER", "x"),
    ];
    let config = Config::load_with(&path, variables(&set)).unwrap();
    let warnings: Vec<_> = config.warnings().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "RATELIMIT_CONFIGG: nothing reads this variable; did you mean RATELIMIT_CONFIG?",
            "RATELIMIT_DEFAULT_RATE: nothing reads this variable; write RATELIMIT__DEFAULT_RATE, with \
             two underscores before each field",
        ]
    );
}
