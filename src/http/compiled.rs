//! A middleware with everything looked up that can be looked up beforehand.

use actix_web::HttpRequest;

use super::{
    Refusal,
    condition::path_of,
    gate::{Admission, Entry},
    refusal::Reason,
    selector::Selector,
};
use crate::{Event, EventKind, RateLimiter, key::client_ip, limiter::PathPattern, net::Networks};

/// What a middleware asks about every request.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) limiter: RateLimiter,
    pub(super) selector: Selector,
    pub(super) skip_paths: Vec<PathPattern>,
    pub(super) has_lists: bool,
    pub(super) exempt: Networks,
    pub(super) allow: Networks,
    pub(super) deny: Networks,
    pub(super) shadow: bool,
    pub(super) skip_preflight: bool,
}

impl Compiled {
    #[inline]
    pub(super) fn enter(&self, request: &HttpRequest) -> Entry {
        if !self.limiter.is_enabled() || self.is_skipped(request) {
            return Entry::Now(Admission::Granted(None));
        }
        if self.has_lists
            && let Some(entry) = self.by_lists(request)
        {
            return entry;
        }
        match self.selector.select(request, &self.limiter) {
            Some(gate) => gate.enter(request, &self.limiter),
            None => Entry::Now(Admission::Granted(None)),
        }
    }

    fn is_skipped(&self, request: &HttpRequest) -> bool {
        let by_path = || {
            let path = path_of(request);
            self.skip_paths.iter().any(|pattern| path.is_in(pattern))
        };
        (!self.skip_paths.is_empty() && by_path()) || (self.skip_preflight && is_preflight(request))
    }

    /// What the lists of networks say about a request, if anything.
    fn by_lists(&self, request: &HttpRequest) -> Option<Entry> {
        let address = client_ip(request, &self.limiter)?;
        if self.exempt.contains(address) {
            return Some(Entry::Now(Admission::Granted(None)));
        }
        if self.deny.contains(address) {
            self.limiter.emit(&Event::new(EventKind::Denied, "deny", None, None));
            let refusal = || Refusal::new(Reason::Denied, None).default_response(request);
            return Some(Entry::Now(match self.shadow {
                true => Admission::Granted(None),
                false => Admission::Refused(Box::new(refusal())),
            }));
        }
        self.allow.contains(address).then(|| Entry::Now(Admission::Granted(None)))
    }
}

fn is_preflight(request: &HttpRequest) -> bool {
    let headers = request.headers();
    request.method() == actix_web::http::Method::OPTIONS
        && headers.contains_key("origin")
        && headers.contains_key("access-control-request-method")
}
