//! `[middleware]`.

use serde::Serialize;

use super::{
    read::Section,
    rule::{Defaults, RuleConfig},
    show,
    words::Network,
};
use crate::{Error, KeyPart, KeySpec, Limit, Rate, RateLimit, RateLimiter, Rule, net::Networks};

/// Scope of the rule for requests that no other rule is about.
pub(super) const DEFAULT_SCOPE: &str = "default";

/// What the middleware limits; see [`RateLimit`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MiddlewareConfig {
    /// Whether requests that no rule is about fall under the default rate; true by default.
    pub default: bool,
    /// The rate of requests that no rule is about; the limiter's default rate by default.
    #[serde(serialize_with = "show::text_if", skip_serializing_if = "Option::is_none")]
    pub default_rate: Option<Rate>,
    /// Whom to count under it; the address by default.
    #[serde(serialize_with = "show::text")]
    pub default_key: KeySpec,
    /// Paths that are never limited, with those below them.
    pub skip_paths: Vec<String>,
    /// Networks whose requests are neither limited nor denied.
    pub exempt_ips: Vec<String>,
    /// Networks whose requests are not limited, unless they are denied.
    pub allow_ips: Vec<String>,
    /// Networks whose requests are all refused.
    pub deny_ips: Vec<String>,
    /// Whether every rule only reports to the operator; false by default.
    pub shadow: bool,
    /// Whether CORS preflights are left alone; false by default.
    pub skip_preflight: bool,
    /// Rules, of which one applies to a request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleConfig>,
}

impl Default for MiddlewareConfig {
    fn default() -> Self {
        Self {
            default: true,
            default_rate: None,
            default_key: KeySpec::from(KeyPart::Ip),
            skip_paths: Vec::new(),
            exempt_ips: Vec::new(),
            allow_ips: Vec::new(),
            deny_ips: Vec::new(),
            shadow: false,
            skip_preflight: false,
            rules: Vec::new(),
        }
    }
}

impl MiddlewareConfig {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let default = Self::default();
        let mut networks = |name| {
            let list = section.list(name).unwrap_or_default();
            list.into_iter().map(|Network(text)| text).collect()
        };
        let (exempt_ips, allow_ips, deny_ips) =
            (networks("exempt_ips"), networks("allow_ips"), networks("deny_ips"));
        Self {
            default: section.get("default", default.default),
            default_rate: section.optional("default_rate"),
            default_key: section.get("default_key", default.default_key),
            skip_paths: section.list("skip_paths").unwrap_or_default(),
            exempt_ips,
            allow_ips,
            deny_ips,
            shadow: section.get("shadow", default.shadow),
            skip_preflight: section.get("skip_preflight", default.skip_preflight),
            rules: section.each("rules", RuleConfig::read),
        }
    }

    /// The limit of requests that no rule is about.
    pub(super) fn default_limit(&self, defaults: &Defaults) -> Limit {
        Limit::new(DEFAULT_SCOPE, self.default_rate.unwrap_or(defaults.rate))
            .algorithm(defaults.algorithm)
            .on_error(defaults.on_error)
    }

    pub(super) fn middleware(
        &self,
        limiter: &RateLimiter,
        defaults: &Defaults,
    ) -> Result<RateLimit, Error> {
        let mut middleware = match self.default {
            true => {
                let rule = Rule::new(self.default_limit(defaults)).key(self.default_key.clone());
                limiter.middleware().default_rule(rule)
            }
            false => limiter.middleware().no_default(),
        };
        for path in &self.skip_paths {
            middleware = middleware.skip_path(path);
        }
        for rule in &self.rules {
            middleware = middleware.rule(rule.rule(defaults)?);
        }
        Ok(middleware
            .exempt(Networks::parse("middleware.exempt_ips", &self.exempt_ips)?)
            .allow(Networks::parse("middleware.allow_ips", &self.allow_ips)?)
            .deny(Networks::parse("middleware.deny_ips", &self.deny_ips)?)
            .shadow(self.shadow)
            .skip_preflight(self.skip_preflight))
    }
}
