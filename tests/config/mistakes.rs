//! Every mistake gets place, field, value, reason and remedy.

use super::errors_of;

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let errors = errors_of(
        r#"enabld = true
default_rate = "10/x"
[client_ip]
ipv6_prefix = 129
[[middleware.rules]]
name = "a"
algorithm = "gcra"
window = "clock"
[[middleware.rules]]
name = "a"
methods = ["GTE"]
backend = "fast"
"#,
    );
    let expected = [
        "line 1:1: enabld: there is no such setting; did you mean \"enabled\"?",
        "line 2:16: default_rate: invalid value \"10/x\"",
    ];
    eprintln!("{errors}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    assert_eq!(errors.iter().len(), 7, "{errors}");
}
