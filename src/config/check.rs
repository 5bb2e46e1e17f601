//! What can only be said of a configuration as a whole.

use actix_smart_ratelimit_core::nearest;

use super::{
    BackendConfig, Config, ConfigError, Origin, middleware::DEFAULT_SCOPE, rule::Defaults,
};
use crate::{Error, Key, Limit, MemoryBackend, Policy, RateLimiter, limiter::PathPattern};

impl Config {
    /// Everything that is wrong with it as a whole.
    pub(super) fn wrong(&self) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let mut tell = |path: String, error: Error| errors.push(self.error_at(path, error));
        for (name, backend) in &self.backends {
            if let Err(error) = backend.check() {
                tell(format!("backends.{name}.{}", error.field()), error);
            }
        }
        self.check_members(&mut tell);
        self.check_overrides(&mut tell);
        let limiter = self.probe(&mut tell);
        self.check_paths(&mut tell);
        self.check_names(&mut tell);
        self.check_limits(&limiter, &mut tell);
        errors
    }

    /// A limiter with the names of all backends but without their stores.
    fn probe(&self, tell: &mut impl FnMut(String, Error)) -> RateLimiter {
        let with_backends = || {
            let names = self.backends.iter().map(|(name, _)| name);
            names.fold(RateLimiter::builder(), |builder, name| {
                builder.backend(name, MemoryBackend::new(1))
            })
        };
        if let Some(name) = &self.backend
            && let Err(error) = with_backends().default_backend(name).build()
        {
            tell("backend".to_owned(), error);
        }
        if self.key_prefix.is_empty() {
            let reason = "it is empty, and so would make every key of the store one of ours";
            let remedy = "write a word such as \"ratelimit:\"";
            tell("key_prefix".to_owned(), Error::new("", "", reason, remedy));
        }
        if let Err(error) = RateLimiter::builder().key_prefix(&self.key_prefix).build() {
            tell("key_prefix".to_owned(), error);
        }
        with_backends().build().unwrap_or_default()
    }

    /// Members are other backends, and none of these has members itself.
    fn check_members(&self, tell: &mut impl FnMut(String, Error)) {
        for (name, backend) in &self.backends {
            let BackendConfig::Multi(multi) = backend else { continue };
            for (at, member) in multi.members.iter().enumerate() {
                let path = format!("backends.{name}.members[{at}]");
                let found = self.backends.iter().find(|(known, _)| known == member);
                if multi.members[..at].contains(member) {
                    let reason = "it stands twice";
                    tell(path, Error::new("", member, reason, "remove one of the two"));
                } else if let Some((_, BackendConfig::Multi(inner))) = found {
                    let (reason, remedy) = match member == name {
                        true => ("a backend cannot be a member of itself", "remove it".to_owned()),
                        false => (
                            "a member cannot have members itself",
                            format!("name its members instead: {}", inner.members.join(", ")),
                        ),
                    };
                    tell(path, Error::new("", member, reason, remedy));
                } else if found.is_none() {
                    tell(
                        path,
                        self.no_backend(member, |backend| {
                            !matches!(backend, BackendConfig::Multi(_))
                        }),
                    );
                }
            }
        }
    }

    /// An error about the name of a backend, with those that it could be.
    fn no_backend(&self, name: &str, fits: impl Fn(&BackendConfig) -> bool) -> Error {
        let names = || {
            let fitting = self.backends.iter().filter(|(_, backend)| fits(backend));
            fitting.map(|(name, _)| name.as_str())
        };
        let remedy = match nearest(name, names()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None if names().next().is_none() => {
                format!("write [backends.{name}] and its fields below")
            }
            None => format!("use one of {}", names().collect::<Vec<_>>().join(", ")),
        };
        Error::new("", name, "there is no such backend", remedy)
    }

    fn check_overrides(&self, tell: &mut impl FnMut(String, Error)) {
        // With the prefix or without it a pattern means the same.
        let bare =
            |pattern: &str| pattern.strip_prefix(&self.key_prefix).unwrap_or(pattern).to_owned();
        for (at, config) in self.overrides.iter().enumerate() {
            let field = |name: &str| format!("overrides[{at}].{name}");
            if let Err(error) = config.to_override() {
                tell(field("pattern"), error);
            }
            if self.overrides[..at]
                .iter()
                .any(|other| bare(&other.pattern) == bare(&config.pattern))
            {
                let reason = "another override has this pattern";
                tell(
                    field("pattern"),
                    Error::new("", &config.pattern, reason, "remove one of the two"),
                );
            }
            let algorithm = config.algorithm.unwrap_or(self.algorithm);
            if let Err(error) = Policy::builder(algorithm, config.rate).build() {
                tell(field(error.field()), error);
            }
        }
        let Some(name) = &self.overrides_from else { return };
        let is_database = |backend: &BackendConfig| matches!(backend, BackendConfig::Database(_));
        match self.backends.iter().find(|(known, _)| known == name) {
            Some((_, backend)) if is_database(backend) => {}
            Some(_) => {
                let reason = "it is no database, and so has no table of overrides";
                tell(
                    "overrides_from".to_owned(),
                    Error::new("", name, reason, "name a backend of kind \"database\""),
                );
            }
            None => tell("overrides_from".to_owned(), self.no_backend(name, is_database)),
        }
        if !self.overrides.is_empty() {
            let reason = "there are [[overrides]] besides, which it would replace";
            tell(
                "overrides_from".to_owned(),
                Error::new("", name, reason, "remove one of the two"),
            );
        }
    }

    fn check_paths(&self, tell: &mut impl FnMut(String, Error)) {
        let skipped = self.middleware.skip_paths.iter().enumerate();
        let skipped = skipped.map(|(at, path)| (format!("middleware.skip_paths[{at}]"), path));
        let of_rules = self.middleware.rules.iter().enumerate().flat_map(|(rule, config)| {
            let field = move |at| format!("middleware.rules[{rule}].path[{at}]");
            config.path.iter().enumerate().map(move |(at, path)| (field(at), path))
        });
        for (field, path) in skipped.chain(of_rules) {
            if let Err(error) = PathPattern::parse(path) {
                tell(field, error);
            }
        }
    }

    /// Rules of one name or scope would share their counters.
    fn check_names(&self, tell: &mut impl FnMut(String, Error)) {
        let rules = &self.middleware.rules;
        for (at, rule) in rules.iter().enumerate() {
            let field = format!(
                "middleware.rules[{at}].{}",
                if rule.scope.is_some() { "scope" } else { "name" }
            );
            let earlier = rules[..at].iter().position(|other| other.scope() == rule.scope());
            if let Some(other) = earlier {
                let first = self.nearest_origin(&format!("middleware.rules[{other}]"));
                let reason = format!(
                    "another rule has it too ({first}), and they would share their counters"
                );
                tell(field, Error::new("", rule.scope(), reason, "rename one of them"));
            } else if self.middleware.default && rule.scope() == DEFAULT_SCOPE {
                let reason = "requests that no rule is about are counted under this name";
                tell(field, Error::new("", DEFAULT_SCOPE, reason, "rename it"));
            }
        }
    }

    fn check_limits(&self, limiter: &RateLimiter, tell: &mut impl FnMut(String, Error)) {
        let defaults = self.defaults();
        let mut check = |path: &str, limit: &Limit, key: Key| {
            if let Err(error) = key.validate() {
                tell(format!("{path}key"), error);
            }
            if let Err(error) = limiter.validate(limit) {
                let scope = format!("{}.", limit.name());
                let field = error.field().strip_prefix(&scope).unwrap_or(error.field());
                tell(format!("{path}{field}"), error);
            }
        };
        let middleware = &self.middleware;
        if middleware.default {
            let key = middleware.default_key.clone().into();
            check("middleware.default_", &middleware.default_limit(&defaults), key);
        }
        for (at, rule) in middleware.rules.iter().enumerate() {
            let path = format!("middleware.rules[{at}].");
            check(&path, &rule.limit(&defaults), rule.key.clone().into());
            for (name, rates) in rule.tiers.iter().flat_map(|tiers| &tiers.rates) {
                let mut tier = rule.clone();
                tier.rate.clone_from(rates);
                let path = format!("{path}tiers.rates.{name}.");
                check(&path, &tier.limit(&defaults), rule.key.clone().into());
            }
        }
    }

    /// What limits have that say nothing else.
    pub(super) fn defaults(&self) -> Defaults {
        Defaults { rate: self.default_rate, algorithm: self.algorithm, on_error: self.on_error }
    }

    /// An error about a field, with the place where that was written.
    pub(super) fn error_at(&self, path: String, error: Error) -> ConfigError {
        ConfigError::new(self.nearest_origin(&path), error.at(path))
    }

    /// Where a field was written, or else what it is part of.
    fn nearest_origin(&self, path: &str) -> Origin {
        let mut path = path;
        loop {
            if let Some(origin) = self.provenance.origins.get(path) {
                return origin.clone();
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return Origin::Unwritten,
            }
        }
    }
}

impl BackendConfig {
    /// Whether the backend could be made, without making it.
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::Memory(_) | Self::Multi(_) => Ok(()),
            Self::Redis(redis) => redis.check(),
            Self::Database(database) => database.check(),
        }
    }
}
