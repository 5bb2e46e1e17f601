//! Which paths a rule is about, and which of several rules is the most specific.

use crate::Error;

/// A pattern of path segments.
///
/// `/api/auth` and `/api/auth/` both match `/api/auth` and everything below it. `{name}` stands for
/// any one segment. A pattern that ends in `$` matches no further segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    segments: Vec<Option<String>>,
    exact: bool,
}

impl PathPattern {
    pub(crate) fn parse(pattern: &str) -> Result<Self, Error> {
        let (path, exact) = match pattern.strip_suffix('$') {
            Some(path) => (path, true),
            None => (pattern, false),
        };
        let invalid = |reason: &'static str| {
            Err(Error::new("path", pattern, reason, "write \"/api/auth\" or \"/users/{id}/mail$\""))
        };
        if !path.starts_with('/') {
            return invalid("it does not begin with a slash");
        }
        if path.contains(['*', '?', '#']) {
            return invalid("it contains one of * ? #");
        }
        if path.contains('%') {
            return invalid("it is percent-encoded: write the characters themselves");
        }
        let segment =
            |text: &str| match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(_) => None,
                None => Some(text.to_owned()),
            };
        let segments: Vec<_> = split(&resolved(path)).map(segment).collect();
        if segments.iter().flatten().any(|text| text.contains(['{', '}'])) {
            return invalid("a parameter is a whole segment");
        }
        Ok(Self { segments, exact })
    }

    /// Whether a path is covered, with its dots taken literally.
    fn covers(&self, path: &str) -> bool {
        let mut parts = split(path);
        let covered = self.segments.iter().all(|wanted| match (wanted, parts.next()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(wanted), Some(found)) => wanted == found,
        });
        covered && (!self.exact || parts.next().is_none())
    }

    /// Larger is more specific: more segments, then more of them literal, then exact.
    pub(crate) fn specificity(&self) -> (usize, usize, bool) {
        (self.segments.len(), self.segments.iter().flatten().count(), self.exact)
    }
}

/// A request's path, as routers and handlers may read it.
///
/// Routers take `..` for a segment like any other, while handlers, proxies and file servers resolve
/// it. So that dots lead neither out of a rule nor into an exception, both readings count.
#[derive(Clone, Debug)]
pub(crate) struct RequestPath<'r> {
    routed: &'r str,
    resolved: Option<String>,
}

impl<'r> RequestPath<'r> {
    /// `routed`: the path that the router matches, percent-decoded.
    #[inline]
    pub(crate) fn new(routed: &'r str) -> Self {
        Self { routed, resolved: routed.contains("/.").then(|| resolved(routed)) }
    }

    /// Whether the pattern covers the path in one reading or the other.
    #[inline]
    pub(crate) fn may_be_in(&self, pattern: &PathPattern) -> bool {
        pattern.covers(self.routed)
            || self.resolved.as_ref().is_some_and(|path| pattern.covers(path))
    }

    /// Whether the pattern covers the path however it is read.
    pub(crate) fn is_in(&self, pattern: &PathPattern) -> bool {
        pattern.covers(self.routed)
            && self.resolved.as_ref().is_none_or(|path| pattern.covers(path))
    }
}

/// A path without empty and `.` segments and with `..` resolved.
fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in split(path) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{PathPattern, RequestPath};

    fn matches(pattern: &str, path: &str) -> bool {
        RequestPath::new(path).is_in(&PathPattern::parse(pattern).unwrap())
    }

    #[test]
    fn a_pattern_covers_itself_and_what_is_below_it() {
        for path in ["/api/auth", "/api/auth/", "/api/auth/login", "//api//auth"] {
            assert!(matches("/api/auth/", path), "{path}");
        }
        for path in ["/api", "/api/authors", "/API/auth", "/x/api/auth"] {
            assert!(!matches("/api/auth/", path), "{path}");
        }
        assert!(matches("/", "/anything"));
    }

    #[test]
    fn dots_lead_into_a_rule_but_not_out_of_it() {
        let pattern = PathPattern::parse("/api/auth").unwrap();
        for path in ["/api/auth/..", "/api/auth/../../x", "/x/../api/auth", "/api/x/../auth"] {
            let path = RequestPath::new(path);
            assert!(path.may_be_in(&pattern) && !path.is_in(&pattern), "{path:?}");
        }
        for path in ["/api/auth/./x", "/api/auth/x/..", "/api/auth/.hidden"] {
            assert!(RequestPath::new(path).is_in(&pattern), "{path}");
        }
    }

    #[test]
    fn a_dollar_ends_a_pattern_and_braces_stand_for_one_segment() {
        assert!(matches("/users/{id}/mail$", "/users/42/mail"));
        assert!(!matches("/users/{id}/mail$", "/users/42/mail/7"));
        assert!(!matches("/users/{id}/mail$", "/users/mail"));
    }

    #[test]
    fn longer_then_more_literal_patterns_are_more_specific() {
        let rank = |pattern: &str| PathPattern::parse(pattern).unwrap().specificity();
        assert!(rank("/api/auth") > rank("/api"));
        assert!(rank("/users/me") > rank("/users/{id}"));
        assert!(rank("/users/me$") > rank("/users/me"));
    }

    #[test]
    fn malformed_patterns_are_refused_with_a_remedy() {
        for pattern in ["", "api", "/api/*", "/a?b", "/a%20b", "/a{b}", "/{"] {
            let error = PathPattern::parse(pattern).unwrap_err().to_string();
            assert!(error.starts_with("path: ") && error.contains("write"), "{error}");
        }
    }
}
