//! Rates by an attribute of the user.

use actix_web::{HttpMessage, HttpRequest};

use super::{Condition, Rule};
use crate::{Key, Limit, Rate, RateLimitUser, limiter::Rates};

/// Rates by the value of one attribute of the user, such as its tier.
///
/// ```
/// use actix_smart_ratelimit::{Key, Limit, Rate, Rule, Tiers};
///
/// let tiers = Tiers::of("tier", Rate::per_hour(100))
///     .tier("pro", Rate::per_hour(1_000))
///     .tier("partner", [Rate::per_second(50), Rate::per_day(100_000)]);
/// let api = Rule::new(Limit::new("api", [])).key(Key::user()).rates_by(move |request| tiers.rates(request));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Tiers {
    attribute: String,
    base: Rates,
    tiers: Vec<(String, Rates)>,
}

impl Tiers {
    /// Rates by this attribute; `base` for users without it, with another value, and for requests
    /// without a user.
    pub fn of(attribute: impl Into<String>, base: impl Into<Rates>) -> Self {
        Self { attribute: attribute.into(), base: base.into(), tiers: Vec::new() }
    }

    /// The rates of one value.
    pub fn tier(mut self, value: impl Into<String>, rates: impl Into<Rates>) -> Self {
        self.tiers.push((value.into(), rates.into()));
        self
    }

    /// The rates of a request.
    #[must_use]
    pub fn rates(&self, request: &HttpRequest) -> Rates {
        let extensions = request.extensions();
        let value = extensions.get::<RateLimitUser>().and_then(|user| user.get(&self.attribute));
        let tier = self.tiers.iter().find(|(name, _)| Some(name.as_str()) == value);
        tier.map_or(&self.base, |(_, rates)| rates).clone()
    }

    /// Rules for an API with the customary tiers: staff 5000/h, premium (the user's attribute
    /// `subscription_tier`) 1000/h, users 100/h, others 50/h by address.
    pub fn api_rules() -> [Rule; 4] {
        let rule = |name: &str, limit, priority, key| {
            Rule::new(Limit::new(name, Rate::per_hour(limit))).key(key).priority(priority)
        };
        let premium = Condition::user_attribute("subscription_tier", "premium");
        [
            rule("api_staff", 5_000, 200, Key::user()).when(Condition::staff()),
            rule("api_premium", 1_000, 100, Key::user()).when(premium),
            rule("api_user", 100, 50, Key::user()).when(Condition::authenticated()),
            rule("api_anonymous", 50, 0, Key::ip()),
        ]
    }
}
