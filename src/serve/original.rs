//! The request that is decided about: the one that the proxy got, not the one by which it asks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, Uri, header::HeaderMap},
    middleware::Next,
};

use crate::{RateLimiter, config::ServeConfig};

/// How questions of proxies become the requests that they are about.
#[derive(Debug)]
pub(super) struct Original {
    uri: &'static str,
    method: &'static str,
    refused: StatusCode,
    limiter: RateLimiter,
    told: AtomicBool,
}

/// Why there is no decision.
struct NoDecision(StatusCode, String);

impl Original {
    pub(super) fn new(config: &ServeConfig, limiter: &RateLimiter) -> Self {
        let (uri, method) = config.proxy.headers();
        let refused =
            StatusCode::from_u16(config.refused_status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
        Self { uri, method, refused, limiter: limiter.clone(), told: AtomicBool::new(false) }
    }

    /// Puts the original request in the place of the question, and has that decided.
    pub(super) async fn pass<B: MessageBody + 'static>(
        self: Arc<Self>,
        mut request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
        if let Err(NoDecision(status, reason)) = self.restore(&mut request) {
            self.tell(&reason);
            let response = HttpResponse::build(status).body(reason);
            return Ok(request.into_response(response).map_into_right_body());
        }
        let mut response = next.call(request).await?;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            *response.response_mut().status_mut() = self.refused;
        }
        Ok(response.map_into_left_body())
    }

    fn restore(&self, request: &mut ServiceRequest) -> Result<(), NoDecision> {
        let peer = request.peer_addr().map(|address| address.ip());
        if !self.limiter.client_ip().trusts(peer) {
            let peer = peer.map_or_else(|| "unix".to_owned(), |peer| peer.to_string());
            let reason = format!("{peer} is not in client_ip.trusted_proxies");
            return Err(NoDecision(StatusCode::FORBIDDEN, reason));
        }
        let uri = self.only(request.headers(), self.uri)?;
        let uri = uri_of(uri).ok_or_else(|| bad(self.uri, "is no path"))?;
        let method = self.only(request.headers(), self.method)?;
        let method = Method::from_bytes(method).map_err(|_| bad(self.method, "is no method"))?;
        let head = request.head_mut();
        head.method = method;
        head.uri = uri.clone();
        request.match_info_mut().get_mut().update(&uri);
        Ok(())
    }

    /// The value of a header that the proxy sets, and that nobody else has sent along.
    fn only<'h>(&self, headers: &'h HeaderMap, name: &str) -> Result<&'h [u8], NoDecision> {
        let mut values = headers.get_all(name);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value.as_bytes()),
            (None, _) => Err(bad(name, "is missing: let the proxy set it")),
            (Some(_), Some(_)) => Err(bad(name, "stands twice: let the proxy replace it")),
        }
    }

    /// Tells an operator once what is wrong with the set-up.
    fn tell(&self, reason: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(%reason, "a question of a proxy was not answered; further ones are not told");
        }
    }
}

fn bad(name: &str, what: &str) -> NoDecision {
    NoDecision(StatusCode::BAD_REQUEST, format!("the header {name} {what}"))
}

/// The path and query that a client has sent. What may not stand in them is encoded rather than
/// refused, for the proxy has let it pass.
fn uri_of(text: &[u8]) -> Option<Uri> {
    let mut encoded = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'#'
            | b'<'
            | b'>'
            | b'"'
            | b'`'
            | b'{'
            | b'}'
            | b'|'
            | b'\\'
            | b'^'
            | 0..=0x20
            | 0x7f.. => {
                encoded.push_str(&format!("%{byte:02X}"));
            }
            byte => encoded.push(char::from(*byte)),
        }
    }
    // Some clients send the whole URL, which some proxies pass on.
    let uri: Uri = match encoded.starts_with('/') {
        true => encoded.parse().ok()?,
        false => encoded.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some())?,
    };
    uri.path().starts_with('/').then_some(uri)
}

#[cfg(test)]
mod tests {
    use super::uri_of;

    #[test]
    fn whatever_a_proxy_lets_pass_is_a_path() {
        let cases: [(&[u8], &str); 6] = [
            (b"/a/b?x=1&y=2", "/a/b"),
            (b"/a%2Fb/../c", "/a%2Fb/../c"),
            (b"/a<b>|c^`d{e}\\f", "/a%3Cb%3E%7Cc%5E%60d%7Be%7D%5Cf"),
            (b"/caf\xc3\xa9 \x01", "/caf%C3%A9%20%01"),
            (b"/a#b", "/a%23b"),
            (b"http://example.com/a?b", "/a"),
        ];
        for (text, path) in cases {
            let text_shown = String::from_utf8_lossy(text);
            assert_eq!(
                uri_of(text).map(|uri| uri.path().to_owned()).as_deref(),
                Some(path),
                "{text_shown}"
            );
        }
        for text in [&b""[..], b"a/b", b"*", b"example.com:80"] {
            assert!(uri_of(text).is_none(), "{}", String::from_utf8_lossy(text));
        }
    }
}
