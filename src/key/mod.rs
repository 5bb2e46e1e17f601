//! Whom to count: from a request to a key that cannot be forged.

use std::{fmt, str::FromStr, sync::Arc};

use actix_web::{HttpRequest, http::header::HeaderName};

use crate::{
    Error, KeyPart, KeySpec, RateLimiter,
    limiter::{encode, guarded},
};

mod extract;
mod into_key;
#[cfg(feature = "jwt")]
mod jwt;
mod user;

pub(crate) use extract::Subject;
pub use extract::client_ip;
pub use into_key::{IntoKey, KeyFn, KeyValue};
#[cfg(feature = "jwt")]
pub use jwt::JwtVerifier;
pub use user::RateLimitUser;

type KeyFunction = dyn Fn(&HttpRequest) -> Option<KeyValue> + Send + Sync;

/// Whom to count.
///
/// What a client can choose freely, such as a header, gives it a fresh counter for every value that
/// it sends; combine such a key with a second limit by address.
///
/// | key | storage key | chosen by the client |
/// |---|---|---|
/// | [`ip`](Self::ip) | `ip:203.0.113.7`, `ip:2001:db8:0:1::/64` | no |
/// | [`user`](Self::user) | `user:42` | no |
/// | [`header`](Self::header) | `header:x-plan:pro`; hashed if the name tells of a secret | yes |
/// | [`query`](Self::query), [`path`](Self::path) | `query:q:rust`, `path:id:7` | yes |
/// | [`cookie`](Self::cookie) | `cookie:sid:` and a hash | yes |
/// | [`session`](Self::session) | `session:` and a random name | no, but it can drop its session |
/// | [`jwt`](Self::jwt) | `jwt:sub:42` | no, it is verified |
/// | [`api_key`](Self::api_key) | `api_key:` and a hash | yes |
/// | [`tenant`](Self::tenant) | `tenant:acme` | only together with user or address |
/// | [`device`](Self::device) | `device:` and 16 digits | yes |
/// | [`geo`](Self::geo) | `geo:DE+ip:203.0.113.7` | no |
/// | [`global`](Self::global) | `global` | no |
///
/// Where a request lacks what a key is made of, the client's address takes its place.
#[derive(Clone)]
#[must_use]
pub struct Key {
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Built(KeyPart),
    Function(Arc<KeyFunction>),
}

impl Key {
    fn of(part: KeyPart) -> Self {
        Self { parts: vec![Part::Built(part)] }
    }

    /// The client's address, as the limiter's rules say; IPv6 by network.
    pub fn ip() -> Self {
        Self::of(KeyPart::Ip)
    }

    /// The authenticated user: what the application's own authentication said by
    /// [`RateLimitUser`], or `actix-identity` (feature `identity`).
    pub fn user() -> Self {
        Self::of(KeyPart::User)
    }

    /// The user, or the address of a client without one. The same as [`user`](Self::user), said
    /// aloud.
    pub fn user_or_ip() -> Self {
        Self::of(KeyPart::UserOrIp)
    }

    /// A request header; several lines of it are joined. The values of headers whose name tells of
    /// a secret (authorization, cookie, key, token, secret, session) are hashed.
    pub fn header(name: impl Into<String>) -> Self {
        Self::of(KeyPart::Header(name.into()))
    }

    /// A parameter of the query string; the first of that name. Hashed as headers are.
    pub fn query(name: impl Into<String>) -> Self {
        Self::of(KeyPart::Query(name.into()))
    }

    /// A parameter of the matched route, hashed as headers are. A middleware round the whole
    /// application runs before routing and does not know it.
    pub fn path(name: impl Into<String>) -> Self {
        Self::of(KeyPart::Path(name.into()))
    }

    /// A cookie, hashed.
    pub fn cookie(name: impl Into<String>) -> Self {
        Self::of(KeyPart::Cookie(name.into()))
    }

    /// The session of `actix-session` (feature `session`), once it holds something.
    pub fn session() -> Self {
        Self::of(KeyPart::Session)
    }

    /// A claim of the bearer token, verified by the `JwtVerifier` that the application registers as
    /// app data (feature `jwt`).
    pub fn jwt(claim: impl Into<String>) -> Self {
        Self::of(KeyPart::Jwt(claim.into()))
    }

    /// A claim of the bearer token that nobody verifies: any client can send any value (feature
    /// `jwt`).
    pub fn unverified_jwt(claim: impl Into<String>) -> Self {
        Self::of(KeyPart::UnverifiedJwt(claim.into()))
    }

    /// The API key, hashed: of the header `X-Api-Key`, the bearer token, or the parameter
    /// `api_key`, in this order.
    pub fn api_key() -> Self {
        Self::of(KeyPart::ApiKey)
    }

    /// The tenant of the authenticated user. A tenant that only the request names (`X-Tenant-Id`,
    /// or the parameter `tenant_id`) counts together with the user or address.
    pub fn tenant() -> Self {
        Self::of(KeyPart::Tenant)
    }

    /// A fingerprint of `User-Agent`, `Accept-Language`, `Accept-Encoding` and `DNT`.
    pub fn device() -> Self {
        Self::of(KeyPart::Device)
    }

    /// The country that a trusted proxy reports in `CF-IPCountry`, and the user or address.
    pub fn geo() -> Self {
        Self::of(KeyPart::Geo)
    }

    /// One counter for everybody.
    pub fn global() -> Self {
        Self::of(KeyPart::Global(None))
    }

    /// One counter for everybody, under a name.
    pub fn global_named(name: impl Into<String>) -> Self {
        Self::of(KeyPart::Global(Some(name.into())))
    }

    /// A function of your own. It must not block. `None`, an error or a panic falls back to the
    /// client's address.
    pub fn from_fn<F>(function: F) -> Self
    where
        F: for<'r> KeyFn<'r> + Send + Sync + 'static,
    {
        let function = move |request: &HttpRequest| function(request).into_key();
        Self { parts: vec![Part::Function(Arc::new(function))] }
    }

    /// This key and another, counted together.
    pub fn and(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// Whether the key can be had, with the features that are compiled in.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let lacks = |key: &'static str, feature: &str| {
            let reason = format!("this build lacks the feature \"{feature}\"");
            let remedy = format!("enable feature \"{feature}\" of actix-smart-ratelimit");
            Err(Error::new("key", key, reason, remedy))
        };
        for part in &self.parts {
            match part {
                Part::Built(KeyPart::Jwt(_) | KeyPart::UnverifiedJwt(_))
                    if !cfg!(feature = "jwt") =>
                {
                    return lacks("jwt", "jwt");
                }
                Part::Built(KeyPart::Session) if !cfg!(feature = "session") => {
                    return lacks("session", "session");
                }
                Part::Built(KeyPart::Header(name)) if HeaderName::from_str(name).is_err() => {
                    let reason = "it cannot be the name of a header";
                    return Err(Error::new("key", name, reason, "write one such as X-Api-Key"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Appends the key of a request. `false`: the client has no address, and needed one.
    #[inline]
    pub(crate) fn write(&self, subject: &Subject<'_>, out: &mut String) -> bool {
        let mut known = true;
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                out.push('+');
            }
            let written = match part {
                Part::Built(KeyPart::Ip) => None,
                Part::Built(part) => subject.write_part(part, out),
                Part::Function(function) => {
                    let key = guarded(|| function(subject.request())).flatten();
                    key.is_some_and(|key| key.write(out)).then_some(true)
                }
            };
            known &= written.unwrap_or_else(|| subject.write_ip(out));
        }
        known
    }
}

impl From<KeySpec> for Key {
    fn from(spec: KeySpec) -> Self {
        Self { parts: spec.parts().iter().cloned().map(Part::Built).collect() }
    }
}

impl Default for Key {
    /// By address.
    fn default() -> Self {
        Self::ip()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for part in &self.parts {
            match part {
                Part::Built(part) => list.entry(part),
                Part::Function(_) => list.entry(&format_args!("function")),
            };
        }
        list.finish()
    }
}

/// The key of a request as a backend would store it, without prefix and scope; for logs and tests.
#[must_use]
pub fn key_of(key: &Key, request: &HttpRequest, limiter: &RateLimiter) -> String {
    let mut out = String::new();
    key.write(&Subject::new(request, limiter), &mut out);
    out
}

/// Appends one component after `kind:`.
fn component(kind: &str, value: &str, out: &mut String) -> bool {
    if value.is_empty() {
        return false;
    }
    out.push_str(kind);
    out.push(':');
    encode(value, out);
    true
}
