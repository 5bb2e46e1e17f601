//! The response to a refused request.

use std::cmp::Reverse;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{
            ACCEPT, Accept, CONTENT_TYPE, Header, HeaderMap, HeaderValue, Quality, RETRY_AFTER,
        },
    },
    mime::{self, Mime},
};

use super::{RateLimitInfo, rule::OnRefused};
use crate::{Decision, Error, Event, RateLimiter, limiter::guarded};

const MESSAGE: &str = "Rate limit exceeded. Please try again later.";
const UNAVAILABLE: &str = "Service temporarily unavailable. Please try again later.";
/// Seconds after which a client may try a store again that is away.
const UNAVAILABLE_RETRY: &str = "1";

/// A refusal, as a responder of the application's own sees it.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: Reason,
    info: Option<RateLimitInfo>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Its limit is reached for now.
    LimitReached,
    /// It costs more than its limit ever allows, or its limit is 0.
    CostExceedsLimit,
    /// It comes from a denied network.
    Denied,
    /// Its client has no address, and [`MissingAddress::Refuse`](crate::MissingAddress) is set.
    NoAddress,
}

impl Reason {
    pub(super) fn of(decision: &Decision) -> Self {
        if decision.is_permanent() { Self::CostExceedsLimit } else { Self::LimitReached }
    }
}

impl Refusal {
    pub(super) fn new(reason: Reason, info: Option<RateLimitInfo>) -> Self {
        Self { reason, info }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// How the request stands with its limit, where a limit refused it.
    #[must_use]
    pub fn info(&self) -> Option<&RateLimitInfo> {
        self.info.as_ref()
    }

    /// The default response: 429 in plain text, or as `application/problem+json` (RFC 9457) for
    /// clients that prefer JSON.
    #[must_use]
    pub fn default_response(&self, request: &HttpRequest) -> HttpResponse {
        if prefers_json(request) {
            return self.problem();
        }
        plain(StatusCode::TOO_MANY_REQUESTS, MESSAGE)
    }

    pub(super) fn response(
        &self,
        request: &HttpRequest,
        respond: Option<&OnRefused>,
    ) -> HttpResponse {
        let own = respond.and_then(|respond| guarded(|| respond(request, self)));
        own.unwrap_or_else(|| self.default_response(request))
    }

    pub(super) fn write_retry_after(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.info.as_ref().and_then(RateLimitInfo::retry_after_secs) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }

    fn problem(&self) -> HttpResponse {
        let policies = match &self.info {
            // A policy's name needs no escapes.
            Some(info) => format!(",\"violated-policies\":[\"{}\"]", info.policy_name()),
            None => String::new(),
        };
        let body = format!(
            "{{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\",\
             \"title\":\"Too Many Requests\",\"status\":429,\"detail\":\"{MESSAGE}\"{policies}}}"
        );
        HttpResponse::TooManyRequests().content_type("application/problem+json").body(body)
    }
}

/// The response while the store is away and `on_error` is to deny.
pub(super) fn unavailable() -> HttpResponse {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(UNAVAILABLE_RETRY));
    response
}

/// The response of a limit that cannot work as it is written. The client learns nothing of it.
pub(super) fn misconfigured(scope: &str, error: &Error, limiter: &RateLimiter) -> HttpResponse {
    limiter.emit(&Event::misconfigured(scope, error));
    plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

fn plain(status: StatusCode, message: &'static str) -> HttpResponse {
    let mut response = HttpResponse::with_body(
        status,
        actix_web::body::BoxBody::new(actix_web::web::Bytes::from_static(message.as_bytes())),
    );
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Whether the request's `Accept` names JSON and does not prefer text: a higher quality wins, then
/// the one that stands first; a wildcard stands for text, after all that is named.
fn prefers_json(request: &HttpRequest) -> bool {
    let mentions_json = |value: &HeaderValue| {
        value.as_bytes().windows(4).any(|part| part.eq_ignore_ascii_case(b"json"))
    };
    if !request.headers().get_all(ACCEPT).any(mentions_json) {
        return false;
    }
    let Ok(Accept(accepted)) = Accept::parse(request) else { return false };
    let best = |wanted: fn(&Mime) -> bool| {
        let ranks = accepted.iter().enumerate().filter(|(_, accepted)| wanted(&accepted.item));
        ranks.map(|(index, accepted)| (accepted.quality, Reverse(index))).max()
    };
    let Some(json) = best(is_json).filter(|(quality, _)| *quality > Quality::ZERO) else {
        return false;
    };
    match best(|media| media.type_() == mime::TEXT) {
        Some(text) => json > text,
        None => best(|media| media.type_() == mime::STAR).is_none_or(|any| json.0 >= any.0),
    }
}

fn is_json(media: &Mime) -> bool {
    let (subtype, suffix) = (media.subtype(), media.suffix());
    media.type_() == mime::APPLICATION && (subtype == mime::JSON || suffix == Some(mime::JSON))
}
