//! URLs without their secrets, for messages and logs.

/// Parameters of a query that are passwords.
const SECRET: [&str; 4] = ["pass", "password", "sslpassword", "token"];

/// A URL without its passwords, wherever in it they stand: before the host or in the query. What is
/// no URL is returned as it is, but for what stands before an `@`.
pub(crate) fn masked(url: &str) -> String {
    let (place, query) = match url.split_once('?') {
        // A question mark in a password that is not encoded.
        Some((_, after)) if after.contains('@') => (url, None),
        Some((place, query)) => (place, Some(query)),
        None => (url, None),
    };
    let mut masked = without_login(place);
    if let Some(query) = query {
        masked.push('?');
        let pairs: Vec<_> = query.split('&').map(without_secret).collect();
        masked.push_str(&pairs.join("&"));
    }
    masked
}

fn without_login(place: &str) -> String {
    let (scheme, rest) = match place.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, place),
    };
    let mut masked = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
    match rest.rsplit_once('@') {
        Some((login, host)) => {
            if let (Some(_), Some((user, _))) = (scheme, login.split_once(':')) {
                masked.push_str(user);
            }
            masked.push_str(":***@");
            masked.push_str(host);
        }
        None => masked.push_str(rest),
    }
    masked
}

fn without_secret(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if SECRET.contains(&name.to_ascii_lowercase().as_str()) => {
            format!("{name}=***")
        }
        _ => pair.to_owned(),
    }
}
