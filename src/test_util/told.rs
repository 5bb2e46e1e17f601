//! What the header fields of a response tell about a limit.

use actix_web::http::header::HeaderMap;

/// One value that a header field tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) about: About,
    pub(super) field: &'static str,
    pub(super) value: String,
}

/// What a value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Policy,
    Limit,
    Window,
    Remaining,
    ResetAt,
    ResetIn,
    RetryAfter,
}

const PLAIN: [(&str, About); 4] = [
    ("x-ratelimit-limit", About::Limit),
    ("x-ratelimit-remaining", About::Remaining),
    ("x-ratelimit-reset", About::ResetAt),
    ("retry-after", About::RetryAfter),
];
const STATE: &str = "ratelimit";
const POLICY: &str = "ratelimit-policy";

/// Everything that the fields tell.
pub(super) fn told(headers: &HeaderMap) -> Vec<Told> {
    let mut all = Vec::new();
    for (field, about) in PLAIN {
        all.extend(lines(headers, field).map(|value| Told { about, field, value }));
    }
    let policies: Vec<_> = lines(headers, POLICY).flat_map(|line| items(&line)).collect();
    for state in lines(headers, STATE).flat_map(|line| items(&line)) {
        all.push(Told { about: About::Policy, field: STATE, value: state.name.clone() });
        state.tell("r", About::Remaining, STATE, &mut all);
        state.tell("t", About::ResetIn, STATE, &mut all);
        for policy in policies.iter().filter(|policy| policy.name == state.name) {
            policy.tell("q", About::Limit, POLICY, &mut all);
            policy.tell("w", About::Window, POLICY, &mut all);
        }
    }
    all
}

/// Whether the customary fields are there, and those of the IETF draft.
pub(super) fn profiles(headers: &HeaderMap) -> (bool, bool) {
    let legacy = headers.keys().any(|name| name.as_str().starts_with("x-ratelimit-"));
    (legacy, headers.contains_key(STATE) || headers.contains_key(POLICY))
}

fn lines<'h>(headers: &'h HeaderMap, field: &'h str) -> impl Iterator<Item = String> + 'h {
    headers.get_all(field).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// A String of structured fields with its parameters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Item {
    name: String,
    parameters: Vec<(String, String)>,
}

impl Item {
    fn tell(&self, parameter: &str, about: About, field: &'static str, all: &mut Vec<Told>) {
        let values = self.parameters.iter().filter(|(key, _)| key == parameter);
        all.extend(values.map(|(_, value)| Told { about, field, value: value.clone() }));
    }
}

/// The items of a list such as `"a";q=10;w=1, "b";q=50`.
fn items(list: &str) -> Vec<Item> {
    split(list, ',').map(item).collect()
}

fn item(text: &str) -> Item {
    let mut parts = split(text, ';');
    let name = parts.next().unwrap_or_default().trim().trim_matches('"').to_owned();
    let parameters = parts.map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (key.trim().to_owned(), value.trim().to_owned())
    });
    Item { name, parameters: parameters.collect() }
}

/// Splits at a separator outside quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::{Item, items};

    #[test]
    fn separators_inside_a_name_separate_nothing() {
        let parameters = vec![("q".to_owned(), "10".to_owned()), ("w".to_owned(), "1".to_owned())];
        let odd = Item { name: "a,b;c=d".to_owned(), parameters };
        let plain = Item { name: "e".to_owned(), parameters: Vec::new() };
        assert_eq!(items(r#""a,b;c=d";q=10;w=1, "e""#), [odd, plain]);
    }
}
