//! `RateLimitInfo`: what a handler can ask about its request.

use std::{future::Ready, future::ready, sync::Arc};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, error::ErrorInternalServerError,
    http::header::HeaderMap,
};

use super::fields::Fields;
use crate::{Decision, Timestamp, Verdict};

/// How a request stands with its strictest limit: an extractor, and an extension of the request.
///
/// Extract it as `Option<RateLimitInfo>` where a handler may run without a limit.
///
/// ```
/// use actix_smart_ratelimit::RateLimitInfo;
///
/// async fn search(info: RateLimitInfo) -> String {
///     if info.is_allowed() {
///         format!("{} more until {}", info.remaining(), info.reset_at().as_secs_ceil())
///     } else {
///         "slow results, please hold on".to_owned()
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitInfo {
    fields: Arc<Fields>,
    policy: usize,
    decision: Decision,
    decided_at: Timestamp,
}

impl RateLimitInfo {
    #[inline]
    pub(super) fn new(
        fields: Arc<Fields>,
        policy: usize,
        decision: Decision,
        decided_at: Timestamp,
    ) -> Self {
        Self { fields, policy, decision, decided_at }
    }

    pub(super) fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Whether the request is within the limit. `false` reaches a handler only where the limit
    /// does not block.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision.is_allowed()
    }

    /// Permits of a whole window, or the capacity of a bucket.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.decision.limit()
    }

    /// Permits that are left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.decision.remaining()
    }

    /// When the key would be untouched again, if left idle.
    #[must_use]
    pub fn reset_at(&self) -> Timestamp {
        self.decision.reset_at()
    }

    /// Whole seconds, rounded up and at least 1, until this same request would be within the limit;
    /// `None` if it is, or never will be.
    #[must_use]
    pub fn retry_after_secs(&self) -> Option<u64> {
        self.decision.retry_after_secs(self.decided_at)
    }

    /// The scope of the limit.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.fields.scope()
    }

    /// When it was decided, by the clock of the store; for a refund, when the permits were taken.
    #[must_use]
    pub fn decided_at(&self) -> Timestamp {
        self.decided_at
    }

    /// The policy's name in header fields.
    pub(super) fn policy_name(&self) -> &str {
        self.fields.policy_name(self.policy)
    }

    pub(super) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fields, &other.fields)
    }

    pub(super) fn is_stricter_than(&self, other: &Self) -> bool {
        Verdict::new(self.decided_at, [other.decision, self.decision]).deciding() == 1
    }

    #[inline]
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        self.fields.write(headers, self.policy, &self.decision, self.decided_at);
    }
}

impl FromRequest for RateLimitInfo {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let info = request.extensions().get::<Self>().cloned();
        ready(info.ok_or_else(|| {
            ErrorInternalServerError("no rate limit applies: extract Option<RateLimitInfo>")
        }))
    }
}
