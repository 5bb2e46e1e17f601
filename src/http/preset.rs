//! Ready-made rules for common kinds of endpoints.
//!
//! Each is a plain [`Rule`] that can be changed before it is used:
//!
//! ```
//! use actix_smart_ratelimit::{Rate, RateLimiter, preset};
//!
//! let limiter = RateLimiter::in_memory();
//! let middleware = limiter
//!     .middleware()
//!     .rule(preset::authentication().path("/login"))
//!     .rule(preset::public_content().path("/articles"));
//! assert!(middleware.validate().is_ok());
//! ```
//!
//! | preset | rate | key | algorithm | refuses | leaves alone |
//! |---|---|---|---|---|---|
//! | [`api_endpoints`] | 100/h | user or address | sliding window | yes | |
//! | [`authentication`] | 5/m | address | fixed window | yes | |
//! | [`public_content`] | 1000/h | address | sliding window | no | |
//! | [`user_actions`] | 50/h | user | sliding window | yes | requests without a user |
//! | [`admin_operations`] | 10/m | user | sliding window | yes | users who are not staff |

use super::{Condition, Rule};
use crate::{Algorithm, Key, Limit, Rate};

fn rule(name: &str, rate: Rate, algorithm: Algorithm, key: Key) -> Rule {
    Rule::new(Limit::new(name, rate).algorithm(algorithm)).key(key)
}

/// 100 an hour for each user or address.
pub fn api_endpoints() -> Rule {
    rule("api_endpoints", Rate::per_hour(100), Algorithm::SlidingWindow, Key::user_or_ip())
}

/// 5 a minute for each address.
pub fn authentication() -> Rule {
    rule("authentication", Rate::per_minute(5), Algorithm::FixedWindow, Key::ip())
}

/// 1000 an hour for each address, of which more are only reported.
pub fn public_content() -> Rule {
    rule("public_content", Rate::per_hour(1_000), Algorithm::SlidingWindow, Key::ip())
        .with_limit(|limit| limit.block(false))
}

/// 50 an hour for each user; requests without one are left to other rules.
pub fn user_actions() -> Rule {
    rule("user_actions", Rate::per_hour(50), Algorithm::SlidingWindow, Key::user())
        .when(Condition::authenticated())
}

/// 10 a minute for each user who is staff; others are left to other rules.
pub fn admin_operations() -> Rule {
    rule("admin_operations", Rate::per_minute(10), Algorithm::SlidingWindow, Key::user())
        .when(Condition::staff())
}
