//! Every mistake gets place, field, value, reason and remedy: those of single documents stand in
//! `mistakes.txt` with what is said about each.
//!
//! After a deliberate change of a message run this once with `OVERWRITE=1` and read the difference.

use std::{fs, path::Path};

use actix_smart_ratelimit::config::Config;

use super::errors_of;

/// A document and what is said about it.
struct Case<'t> {
    name: &'t str,
    document: &'t str,
    told: &'t str,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let blocks = text.split("=== ").skip(1);
    let case = |block| -> Option<Case<'_>> {
        let (name, rest): (&str, &str) = str::split_once(block, '\n')?;
        let (document, told) = rest.split_once("---\n")?;
        Some(Case { name, document, told: told.trim_end() })
    };
    blocks.map(|block| case(block).unwrap_or_else(|| panic!("malformed: {block}"))).collect()
}

#[test]
fn each_mistake_is_told_as_it_should_be() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/mistakes.txt");
    let text = fs::read_to_string(&path).unwrap();
    let (mut differences, mut now) = (Vec::new(), String::new());
    for Case { name, document, told } in cases(&text) {
        let errors = match Config::from_toml_str(document) {
            Ok(_) => "accepted".to_owned(),
            Err(errors) => errors.to_string(),
        };
        now.push_str(&format!("=== {name}\n{document}---\n{errors}\n\n"));
        if errors != told {
            differences.push(format!("{name}:\n{errors}\ninstead of\n{told}\n"));
        }
    }
    if std::env::var_os("OVERWRITE").is_some() {
        return fs::write(&path, now.trim_end().to_owned() + "\n").unwrap();
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_error_says_where_why_and_what_to_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/mistakes.txt");
    let text = fs::read_to_string(&path).unwrap();
    for case in cases(&text) {
        let errors = errors_of(case.document);
        for error in errors.iter() {
            assert!(error.origin().to_string().starts_with("line "), "{}: {error}", case.name);
            assert!(!error.reason().is_empty() && !error.remedy().is_empty(), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{}: {error}", case.name);
        }
    }
}

#[test]
fn a_mistake_hides_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/mistakes.txt");
    let text = fs::read_to_string(&path).unwrap();
    let of_top: Vec<_> = cases(&text)
        .into_iter()
        .filter(|case| case.name.starts_with("top: "))
        .map(|case| case.document)
        .collect();
    assert!(of_top.len() > 5);
    let errors = errors_of(&of_top.concat());
    assert_eq!(errors.iter().len(), of_top.len(), "{errors}");
    let lines: Vec<_> = errors.iter().map(|error| error.origin().to_string()).collect();
    let mut in_order = lines.clone();
    in_order.sort_by_key(|line| line[5..].split(':').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(lines, in_order);
}
