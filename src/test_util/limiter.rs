//! Limiters in a state that a test needs, and requests from somewhere.

use std::net::{IpAddr, SocketAddr};

use actix_web::test::TestRequest;

use crate::{Clock, Limit, ManualClock, RateLimiter};

/// The port that test requests come from.
const PORT: u16 = 40_000;

/// A limiter in memory that goes by `clock`, otherwise with defaults. For one with other settings,
/// give [`RateLimiterBuilder::clock`](crate::RateLimiterBuilder::clock) a [`Clock::Manual`].
#[must_use]
#[expect(clippy::expect_used, reason = "test code, and a clock cannot be wrong")]
pub fn test_limiter(clock: &ManualClock) -> RateLimiter {
    let clock = Clock::Manual(clock.clone());
    RateLimiter::builder().clock(clock).build().expect("defaults with a clock are a limiter")
}

/// Spends permits of `key` until exactly `left` can still be taken at once, by all of the limit's
/// rates.
///
/// `key` is what [`RateLimiter::check`] takes. For a rule of the middleware or the attribute that is
/// [`key_of`](crate::key_of) a request, such as `ip:203.0.113.7`, and `limit` has the rule's scope.
///
/// # Panics
/// When the limit cannot work as it is written, its store cannot decide, or fewer than `left`
/// permits are left already.
#[expect(clippy::panic, reason = "test code: a test that cannot be set up fails")]
pub async fn brink(limiter: &RateLimiter, limit: &Limit, key: &str, left: u32) {
    let admissible = admissible(limiter, limit, key).await;
    let Some(excess) = admissible.checked_sub(left) else {
        let name = limit.name();
        panic!("brink of limit \"{name}\": key \"{key}\" has {admissible} left, not {left}");
    };
    if excess > 0 {
        let spending = limit.clone().cost(excess);
        if let Err(error) = limiter.check(&spending, key).await {
            panic!("brink of limit \"{}\": {error}", limit.name());
        }
    }
}

/// The largest cost that would be admitted. What a limit of several rates says about its remaining
/// permits is about one of them, so the cost is searched for.
#[expect(clippy::panic, reason = "test code: a test that cannot be set up fails")]
async fn admissible(limiter: &RateLimiter, limit: &Limit, key: &str) -> u32 {
    let (mut admitted, mut most) = (0, u32::MAX);
    while admitted < most {
        let cost = most - (most - admitted) / 2;
        let outcome = limiter.peek(&limit.clone().cost(cost), key).await;
        match outcome.map(|outcome| outcome.decision().copied()) {
            Ok(Some(decision)) if decision.is_allowed() => admitted = cost,
            Ok(Some(_)) => most = cost - 1,
            Ok(None) => panic!("brink of limit \"{}\": its store is away", limit.name()),
            Err(error) => panic!("brink of limit \"{}\": {error}", limit.name()),
        }
    }
    admitted
}

/// A request whose peer has this address. A `TestRequest` of Actix has none, so that requests limited
/// by address would share one counter.
///
/// ```
/// use actix_smart_ratelimit::{RateLimiter, client_ip, test_util::request_from};
///
/// let request = request_from([203, 0, 113, 7]).uri("/search").to_http_request();
/// let address = client_ip(&request, &RateLimiter::in_memory());
/// assert_eq!(address, Some([203, 0, 113, 7].into()));
/// ```
pub fn request_from(address: impl Into<IpAddr>) -> TestRequest {
    TestRequest::default().peer_addr(SocketAddr::new(address.into(), PORT))
}
