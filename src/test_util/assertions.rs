//! Assertions on responses, with failures that say all that is wrong at once.

use std::fmt::{self, Display, Write};

use actix_web::{
    HttpResponse,
    dev::ServiceResponse,
    http::{StatusCode, header::HeaderMap},
};

use super::told::{About, Told, profiles, told};
use crate::Headers;

/// What assertions look at of a response.
pub trait ResponseHead {
    /// The status.
    fn status(&self) -> StatusCode;
    /// The header fields.
    fn headers(&self) -> &HeaderMap;
}

impl<B> ResponseHead for ServiceResponse<B> {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }
}

impl<B> ResponseHead for HttpResponse<B> {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }
}

/// What the head of a response is to tell; what is not named here may be anything.
///
/// ```
/// use actix_smart_ratelimit::test_util::{Expected, assert_headers};
/// use actix_web::HttpResponse;
///
/// let response = HttpResponse::TooManyRequests()
///     .insert_header(("x-ratelimit-limit", 5))
///     .insert_header(("x-ratelimit-remaining", 0))
///     .insert_header(("ratelimit-policy", r#""login";q=5;w=60"#))
///     .insert_header(("ratelimit", r#""login";r=0;t=42"#))
///     .insert_header(("retry-after", 42))
///     .finish();
/// let expected = Expected::new().status(429).limit(5).remaining(0).retry_after(42);
/// assert_headers(&response, &expected.policy("login").window(60).reset_in(42));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Expected {
    status: Option<u16>,
    profiles: Option<Headers>,
    values: Vec<(About, String)>,
    no_retry_after: bool,
}

impl Expected {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The status code.
    pub fn status(mut self, code: u16) -> Self {
        self.status = Some(code);
        self
    }

    /// Exactly the fields of these profiles are there, and none of another.
    pub fn profiles(mut self, profiles: Headers) -> Self {
        self.profiles = Some(profiles);
        self
    }

    /// The name of the policy that decides: `RateLimit: "NAME"`.
    pub fn policy(self, name: &str) -> Self {
        self.value(About::Policy, name)
    }

    /// The limit: `X-RateLimit-Limit`, and `q` of the policy that decides.
    pub fn limit(self, permits: u64) -> Self {
        self.value(About::Limit, permits)
    }

    /// The window in seconds: `w` of the policy that decides.
    pub fn window(self, secs: u64) -> Self {
        self.value(About::Window, secs)
    }

    /// The permits that are left: `X-RateLimit-Remaining`, and `r` of `RateLimit`.
    pub fn remaining(self, permits: u64) -> Self {
        self.value(About::Remaining, permits)
    }

    /// The time of reset in seconds since the Unix epoch: `X-RateLimit-Reset`.
    pub fn reset_at(self, unix_secs: u64) -> Self {
        self.value(About::ResetAt, unix_secs)
    }

    /// The seconds until reset: `t` of `RateLimit`.
    pub fn reset_in(self, secs: u64) -> Self {
        self.value(About::ResetIn, secs)
    }

    /// The seconds of `Retry-After`.
    pub fn retry_after(self, secs: u64) -> Self {
        self.value(About::RetryAfter, secs)
    }

    /// There is no `Retry-After`: the request passes, or waiting cannot help.
    pub fn no_retry_after(mut self) -> Self {
        self.no_retry_after = true;
        self
    }

    fn value(mut self, about: About, value: impl ToString) -> Self {
        self.values.push((about, value.to_string()));
        self
    }

    /// Everything in which a response differs.
    fn differences(&self, response: &impl ResponseHead) -> Vec<String> {
        let told = told(response.headers());
        let mut found = Vec::new();
        if let Some(code) = self.status
            && code != response.status().as_u16()
        {
            found.push(format!("status: expected {code}, it is {}", response.status().as_u16()));
        }
        if let Some(Headers { legacy, ietf }) = self.profiles {
            let (has_legacy, has_ietf) = profiles(response.headers());
            found.extend(presence("X-RateLimit-* fields", legacy, has_legacy));
            found.extend(presence("RateLimit and RateLimit-Policy", ietf, has_ietf));
        }
        let retry_after = told.iter().any(|told| told.about == About::RetryAfter);
        if self.no_retry_after {
            found.extend(presence("retry-after", false, retry_after));
        }
        for (about, value) in &self.values {
            compare(*about, value, &told, &mut found);
        }
        found
    }
}

fn presence(what: &str, expected: bool, found: bool) -> Option<String> {
    match (expected, found) {
        (true, false) => Some(format!("{what}: expected, and missing")),
        (false, true) => Some(format!("{what}: there, and not expected")),
        _ => None,
    }
}

/// A value must be told by some field, and every field that tells it must agree.
fn compare(about: About, value: &str, told: &[Told], found: &mut Vec<String>) {
    let mut known = false;
    for told in told.iter().filter(|told| told.about == about) {
        known = true;
        if told.value != value {
            found.push(format!("{about}: expected {value}, {} says {}", told.field, told.value));
        }
    }
    if !known {
        found.push(format!("{about}: expected {value}, and no field tells it"));
    }
}

impl Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "policy",
            Self::Limit => "limit",
            Self::Window => "window",
            Self::Remaining => "remaining",
            Self::ResetAt => "reset_at",
            Self::ResetIn => "reset_in",
            Self::RetryAfter => "retry_after",
        })
    }
}

/// Asserts that the head of a response tells what is expected, in every field that tells it.
///
/// # Panics
/// When it does not, with each difference and all fields about limits.
#[track_caller]
pub fn assert_headers(response: &impl ResponseHead, expected: &Expected) {
    let differences = expected.differences(response);
    if !differences.is_empty() {
        fail("the response does not tell what is expected", &differences, response);
    }
}

/// Asserts that a limit refused the request for now: 429, with a `Retry-After` of at least one
/// second, which is returned.
///
/// A refusal for good, as by a denied network or a limit of 0, has no `Retry-After`: see
/// [`Expected::no_retry_after`].
///
/// # Panics
/// When it did not, with what the response is instead.
#[track_caller]
pub fn assert_limited(response: &impl ResponseHead) -> u64 {
    let told = told(response.headers());
    let retry_after = told.iter().find(|told| told.about == About::RetryAfter);
    let seconds = retry_after.and_then(|told| told.value.parse::<u64>().ok());
    match seconds {
        Some(seconds @ 1..) if response.status() == StatusCode::TOO_MANY_REQUESTS => seconds,
        _ => fail("the request was not refused by a limit", &[], response),
    }
}

/// Asserts that no limit refused the request: the status is another than 429.
///
/// # Panics
/// When one did, with what the response tells.
#[track_caller]
pub fn assert_admitted(response: &impl ResponseHead) {
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        fail("the request was refused", &[], response);
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "this is what an assertion is")]
fn fail(what: &str, differences: &[String], response: &impl ResponseHead) -> ! {
    let mut text = format!("{what}\n");
    for difference in differences {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {difference}");
    }
    let _ = writeln!(text, "the response is {}, with", response.status());
    let mut fields: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().contains("ratelimit") || *name == "retry-after")
        .map(|(name, value)| format!("  {name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    fields.sort();
    let none = "  no header field about limits".to_owned();
    panic!("{text}{}", if fields.is_empty() { none } else { fields.join("\n") });
}
