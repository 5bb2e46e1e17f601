//! What a request tells about its client.

use std::net::IpAddr;

use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{HeaderMap, HeaderValue},
};
use sha2::{Digest, Sha256};

use super::{RateLimitUser, component};
use crate::{
    KeyPart, RateLimiter,
    limiter::{digest, encode, hex},
    net::canonical,
};

/// Names of headers and parameters whose values are secrets contain one of these.
const SECRETS: [&str; 7] = ["authorization", "cookie", "key", "token", "secret", "session", "auth"];
/// Longer claims and ids are as good as none.
const LONGEST_TOKEN: usize = 8 * 1024;

/// A request and the rules by which its client is found.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'r> {
    request: &'r HttpRequest,
    limiter: &'r RateLimiter,
}

/// The address of a request's client by the limiter's rules: the peer's, or if that is a trusted
/// proxy, the one that the proxy reports.
#[must_use]
pub fn client_ip(request: &HttpRequest, limiter: &RateLimiter) -> Option<IpAddr> {
    Subject::new(request, limiter).ip()
}

impl<'r> Subject<'r> {
    pub(crate) fn new(request: &'r HttpRequest, limiter: &'r RateLimiter) -> Self {
        Self { request, limiter }
    }

    pub(crate) fn request(&self) -> &'r HttpRequest {
        self.request
    }

    #[inline]
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        let rules = self.limiter.client_ip();
        let peer = self.request.peer_addr().map(|address| canonical(address.ip()));
        if !rules.trusts(peer) {
            return peer;
        }
        let lines = self.headers().get_all(rules.forwarded_header().name());
        rules.resolve(peer, lines.map(HeaderValue::as_bytes))
    }

    /// Appends the address; `false` if there is none, and then all clients without one are alike.
    #[inline]
    pub(super) fn write_ip(&self, out: &mut String) -> bool {
        out.push_str("ip:");
        match self.ip() {
            Some(address) => {
                self.limiter.client_ip().group(address).write_to(out);
                true
            }
            None => {
                out.push_str("unknown");
                false
            }
        }
    }

    /// Appends one part of a key, or nothing and `None` if the request lacks it. `Some(false)`: the
    /// client has no address, and the part needed one.
    pub(super) fn write_part(&self, part: &KeyPart, out: &mut String) -> Option<bool> {
        let written = match part {
            KeyPart::Tenant => return self.write_tenant(out),
            KeyPart::Geo => return Some(self.write_geo(out)),
            KeyPart::Ip => false,
            KeyPart::User | KeyPart::UserOrIp => self.write_user(out),
            KeyPart::Header(name) => self.write_header(name, out),
            KeyPart::Query(name) => {
                let value = self.query(name);
                value.is_some_and(|value| chosen("query", name, &value, out))
            }
            KeyPart::Path(name) => {
                let value = self.request.match_info().get(name);
                value.is_some_and(|value| chosen("path", name, value, out))
            }
            KeyPart::Cookie(name) => self.write_cookie(name, out),
            KeyPart::Session => self.write_session(out),
            KeyPart::Jwt(claim) => self.write_claim("jwt", claim, out),
            KeyPart::UnverifiedJwt(claim) => self.write_claim("unverified_jwt", claim, out),
            KeyPart::ApiKey => self.write_api_key(out),
            KeyPart::Device => self.write_device(out),
            KeyPart::Global(name) => {
                out.push_str("global");
                if let Some(name) = name {
                    out.push(':');
                    encode(name, out);
                }
                true
            }
        };
        written.then_some(true)
    }

    fn headers(&self) -> &'r HeaderMap {
        self.request.headers()
    }

    /// A header that stands once and is text.
    fn header(&self, name: &str) -> Option<&'r str> {
        let mut lines = self.headers().get_all(name);
        let value = lines.next()?.to_str().ok()?.trim();
        (lines.next().is_none() && !value.is_empty()).then_some(value)
    }

    fn query(&self, name: &str) -> Option<String> {
        let pairs = form_urlencoded::parse(self.request.query_string().as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn write_user(&self, out: &mut String) -> bool {
        if let Some(user) = self.request.extensions().get::<RateLimitUser>() {
            return component("user", user.id(), out);
        }
        self.write_identity(out)
    }

    #[cfg(feature = "identity")]
    fn write_identity(&self, out: &mut String) -> bool {
        use actix_identity::IdentityExt;
        use actix_session::SessionExt;
        // Nobody is logged in without a session; and where the identity middleware is missing,
        // asking for an identity panics.
        if self.request.get_session().entries().is_empty() {
            return false;
        }
        let identity = crate::limiter::guarded(|| self.request.get_identity().ok()).flatten();
        let id = identity.and_then(|identity| identity.id().ok());
        id.is_some_and(|id| component("user", &id, out))
    }

    #[cfg(not(feature = "identity"))]
    #[expect(clippy::unused_self, reason = "the twin with the feature uses it")]
    fn write_identity(&self, _: &mut String) -> bool {
        false
    }

    fn write_header(&self, name: &str, out: &mut String) -> bool {
        let lines: Vec<_> = self.headers().get_all(name).map(HeaderValue::as_bytes).collect();
        let value = lines.join(&b',');
        if value.is_empty() {
            return false;
        }
        let name = name.to_ascii_lowercase();
        match std::str::from_utf8(&value) {
            Ok(text) => chosen("header", &name, text, out),
            Err(_) => hashed("header", &name, &value, out),
        }
    }

    fn write_cookie(&self, name: &str, out: &mut String) -> bool {
        let lines = self.headers().get_all("cookie").filter_map(|value| value.to_str().ok());
        let mut pairs =
            lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(key, value)| key.trim() == name && !value.trim().is_empty());
        found.is_some_and(|(_, value)| hashed("cookie", name, value.trim().as_bytes(), out))
    }

    #[cfg(feature = "session")]
    fn write_session(&self, out: &mut String) -> bool {
        use actix_session::SessionExt;
        /// Where the session keeps its name for the limiter.
        const ENTRY: &str = "ratelimit_session";
        let session = self.request.get_session();
        if let Ok(Some(name)) = session.get::<String>(ENTRY) {
            return component("session", &name, out);
        }
        // A session that holds nothing is not stored: every request of such a client is its first.
        if session.entries().is_empty() {
            return false;
        }
        let name = random_name();
        session.insert(ENTRY, &name).is_ok() && component("session", &name, out)
    }

    #[cfg(not(feature = "session"))]
    #[expect(clippy::unused_self, reason = "the twin with the feature uses it")]
    fn write_session(&self, _: &mut String) -> bool {
        false
    }

    #[cfg(feature = "jwt")]
    fn write_claim(&self, kind: &'static str, claim: &str, out: &mut String) -> bool {
        let token = self.bearer().filter(|token| token.len() <= LONGEST_TOKEN);
        let value = token.and_then(|token| match kind {
            "jwt" => super::jwt::verified_claim(self.request, token, claim),
            _ => super::jwt::unverified_claim(token, claim),
        });
        value.is_some_and(|value| named(kind, claim, &value, out))
    }

    #[cfg(not(feature = "jwt"))]
    #[expect(clippy::unused_self, reason = "the twin with the feature uses it")]
    fn write_claim(&self, _: &'static str, _: &str, _: &mut String) -> bool {
        false
    }

    fn bearer(&self) -> Option<&'r str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let token = token.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    }

    fn write_api_key(&self, out: &mut String) -> bool {
        let secret = match self.header("x-api-key").or_else(|| self.bearer()) {
            Some(secret) => secret.to_owned(),
            None => match self.query("api_key").filter(|secret| !secret.is_empty()) {
                Some(secret) => secret,
                None => return false,
            },
        };
        if secret.len() > LONGEST_TOKEN {
            return false;
        }
        out.push_str("api_key:");
        digest(secret.as_bytes(), out);
        true
    }

    fn write_tenant(&self, out: &mut String) -> Option<bool> {
        if let Some(user) = self.request.extensions().get::<RateLimitUser>()
            && let Some(tenant) = user.tenant_id()
        {
            return component("tenant", tenant, out).then_some(true);
        }
        let named =
            self.header("x-tenant-id").map(str::to_owned).or_else(|| self.query("tenant_id"));
        if !named.is_some_and(|tenant| component("tenant", &tenant, out)) {
            return None;
        }
        Some(self.write_user_or_ip(out))
    }

    fn write_device(&self, out: &mut String) -> bool {
        let names = ["user-agent", "accept-language", "accept-encoding", "dnt"];
        let lines =
            names.map(|name| self.headers().get(name).map_or(&b""[..], HeaderValue::as_bytes));
        if lines.iter().all(|line| line.is_empty()) {
            return false;
        }
        out.push_str("device:");
        hex(&Sha256::digest(lines.join(&b'|'))[..8], out);
        true
    }

    fn write_geo(&self, out: &mut String) -> bool {
        let peer = self.request.peer_addr().map(|address| canonical(address.ip()));
        let trusted = self.limiter.client_ip().trusts(peer);
        let country = self.header("cf-ipcountry").filter(|_| trusted).unwrap_or("unknown");
        component("geo", country, out);
        self.write_user_or_ip(out)
    }

    fn write_user_or_ip(&self, out: &mut String) -> bool {
        out.push('+');
        self.write_user(out) || self.write_ip(out)
    }
}

/// 128 random bits in hexadecimal.
#[cfg(feature = "session")]
fn random_name() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let bits = [(); 2].map(|()| RandomState::new().build_hasher().finish().to_be_bytes());
    let mut name = String::new();
    hex(bits.as_flattened(), &mut name);
    name
}

/// Appends `kind:name:value`, or a digest in place of a value whose name tells of a secret.
fn chosen(kind: &str, name: &str, value: &str, out: &mut String) -> bool {
    let lower = name.to_ascii_lowercase();
    if !value.is_empty() && SECRETS.iter().any(|word| lower.contains(word)) {
        return hashed(kind, name, value.as_bytes(), out);
    }
    named(kind, name, value, out)
}

/// Appends `kind:name:value`.
fn named(kind: &str, name: &str, value: &str, out: &mut String) -> bool {
    if value.is_empty() {
        return false;
    }
    component(kind, name, out) && {
        out.push(':');
        encode(value, out);
        true
    }
}

/// Appends `kind:name:` and a digest of the value.
fn hashed(kind: &str, name: &str, value: &[u8], out: &mut String) -> bool {
    component(kind, name, out) && {
        out.push(':');
        digest(value, out);
        true
    }
}
