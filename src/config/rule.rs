//! `[[middleware.rules]]`.

use actix_web::http::Method;
use serde::Serialize;

use super::{
    condition::ConditionSpec,
    node::Value,
    read::{Section, Setting},
    show,
    words::{MethodName, Network},
};
use crate::{
    Algorithm, Condition, Error, KeyPart, KeySpec, Limit, OnError, Rate, Rule, Tiers, WindowStart,
    net::Networks,
};

/// A rule of the middleware; see [`Rule`] and [`Limit`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RuleConfig {
    /// Its name, which no other rule has.
    pub name: String,
    /// What its counters are named by; the name by default. `""` leaves the key alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Paths that it is about, with those below them; every path by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Methods that it is about; every method by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Its rates; the default rate by default.
    #[serde(serialize_with = "show::texts", skip_serializing_if = "Vec::is_empty")]
    pub rate: Vec<Rate>,
    /// Its algorithm; that of the limiter by default.
    #[serde(serialize_with = "show::text_if", skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// Capacity of the bucket, in permits; that of the rate by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket_size: Option<u64>,
    /// Permits per second that come back to the bucket; the rate by default, 0 for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refill_rate: Option<f64>,
    /// Tokens of a key that was never seen; a full bucket by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_tokens: Option<u64>,
    /// Where a fixed window begins; on the clock by default.
    #[serde(serialize_with = "show::window_if", skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowStart>,
    /// Whether refused requests are counted too; false by default.
    pub count_refused: bool,
    /// Permits that a request takes; 1 by default.
    pub cost: u32,
    /// Whom to count; the address by default.
    #[serde(serialize_with = "show::text")]
    pub key: KeySpec,
    /// Whether requests beyond the limit are refused; true by default.
    pub block: bool,
    /// Whether it only reports to the operator; false by default.
    pub shadow: bool,
    /// The backend of its counters; the default one by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// What happens when the backend cannot decide; as the limiter does by default.
    #[serde(serialize_with = "show::on_error_if", skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnError>,
    /// Of several rules that fit a request the one with the highest applies; 0 by default.
    pub priority: i32,
    /// Conditions that a request must all meet.
    #[serde(serialize_with = "show::texts", skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<ConditionSpec>,
    /// Conditions that a request must not meet, not one of them.
    #[serde(serialize_with = "show::texts", skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<ConditionSpec>,
    /// Networks that the client's address must be in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Rates by an attribute of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiers: Option<TiersConfig>,
}

/// Rates by an attribute of the user; see [`Tiers`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TiersConfig {
    /// The attribute.
    pub attribute: String,
    /// Its values, and the rates of each.
    #[serde(serialize_with = "show::rates_by_name")]
    pub rates: Vec<(String, Vec<Rate>)>,
}

/// What rules say nothing about.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    pub(super) rate: Rate,
    pub(super) algorithm: Algorithm,
    pub(super) on_error: OnError,
}

impl RuleConfig {
    /// A rule with defaults for everything but its name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            scope: None,
            path: Vec::new(),
            methods: Vec::new(),
            rate: Vec::new(),
            algorithm: None,
            bucket_size: None,
            refill_rate: None,
            initial_tokens: None,
            window: None,
            count_refused: false,
            cost: 1,
            key: KeySpec::from(KeyPart::Ip),
            block: true,
            shadow: false,
            backend: None,
            on_error: None,
            priority: 0,
            when: Vec::new(),
            unless: Vec::new(),
            networks: Vec::new(),
            tiers: None,
        }
    }

    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        if !section.has("name") {
            section.wrong_at("name", "", "it is missing", "write name = \"auth\"");
        }
        let name = section.optional::<String>("name");
        if name.as_deref() == Some("") {
            section.wrong_at("name", "", "it is empty", "write name = \"auth\"");
        }
        let default = Self::new(name.unwrap_or_default());
        let methods = section.some("methods").unwrap_or_default();
        let networks = section.some("networks").unwrap_or_default();
        Some(Self {
            scope: section.optional("scope"),
            path: section.some("path").unwrap_or_default(),
            methods: methods.into_iter().map(|MethodName(name)| name).collect(),
            rate: section.some("rate").unwrap_or_default(),
            algorithm: section.optional("algorithm"),
            bucket_size: section.number("bucket_size", 0..=1 << 53),
            refill_rate: section.optional("refill_rate"),
            initial_tokens: section.number("initial_tokens", 0..=1 << 53),
            window: section.optional("window"),
            count_refused: section.get("count_refused", default.count_refused),
            cost: section.number("cost", 0..=u32::MAX).unwrap_or(default.cost),
            key: section.get("key", default.key.clone()),
            block: section.get("block", default.block),
            shadow: section.get("shadow", default.shadow),
            backend: section.optional("backend"),
            on_error: section.optional("on_error"),
            priority: section.number("priority", i32::MIN..=i32::MAX).unwrap_or_default(),
            when: section.some("when").unwrap_or_default(),
            unless: section.some("unless").unwrap_or_default(),
            networks: networks.into_iter().map(|Network(text)| text).collect(),
            tiers: section.table("tiers", TiersConfig::read).flatten(),
            ..default
        })
    }

    /// What its counters are named by.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.scope.as_ref().unwrap_or(&self.name)
    }

    /// How much, and what happens beyond it.
    pub(super) fn limit(&self, defaults: &Defaults) -> Limit {
        let rates = match &*self.rate {
            [] => vec![defaults.rate],
            rates => rates.to_vec(),
        };
        let mut limit = Limit::new(self.scope(), rates)
            .algorithm(self.algorithm.unwrap_or(defaults.algorithm))
            .count_refused(self.count_refused)
            .cost(self.cost)
            .block(self.block)
            .on_error(self.on_error.unwrap_or(defaults.on_error));
        if self.shadow {
            limit = limit.shadow(true);
        }
        if let Some(permits) = self.bucket_size {
            limit = limit.bucket_size(permits);
        }
        if let Some(speed) = self.refill_rate {
            limit = limit.refill_rate(speed);
        }
        if let Some(tokens) = self.initial_tokens {
            limit = limit.initial_tokens(tokens);
        }
        if let Some(start) = self.window {
            limit = limit.window(start);
        }
        match &self.backend {
            Some(name) => limit.backend(name),
            None => limit,
        }
    }

    /// The rule.
    ///
    /// # Errors
    /// When a method or a network is malformed, which in a configuration that was read none is.
    pub(super) fn rule(&self, defaults: &Defaults) -> Result<Rule, Error> {
        let mut rule =
            Rule::new(self.limit(defaults)).key(self.key.clone()).priority(self.priority);
        for path in &self.path {
            rule = rule.path(path);
        }
        let method = |name: &String| {
            Method::from_bytes(name.as_bytes())
                .map_err(|_| Error::new("methods", name, "it is no method", "write \"POST\""))
        };
        rule = rule.methods(self.methods.iter().map(method).collect::<Result<Vec<_>, _>>()?);
        for condition in &self.when {
            rule = rule.when(condition.condition());
        }
        for condition in &self.unless {
            rule = rule.unless(condition.condition());
        }
        if !self.networks.is_empty() {
            let networks = Networks::parse("networks", &self.networks)?;
            rule = rule.when(Condition::network(networks));
        }
        Ok(match &self.tiers {
            None => rule,
            Some(tiers) => {
                let tiers = tiers.tiers();
                rule.rates_by(move |request| tiers.rates(request))
            }
        })
    }
}

impl TiersConfig {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        if !section.has("attribute") {
            section.wrong_at("attribute", "", "it is missing", "write attribute = \"tier\"");
        }
        let attribute = section.optional("attribute");
        if !section.has("rates") {
            section.wrong_at("rates", "", "it is missing", "write rates = { pro = \"1000/h\" }");
        }
        let rates = section.table("rates", |section| {
            let mut rates = Vec::new();
            for (name, path, node) in section.entries() {
                match rates_of(&node.value) {
                    Ok(of_value) => rates.push((name, of_value)),
                    Err(error) => section.wrong(&node.origin, error.at(path)),
                }
            }
            rates
        });
        Some(Self { attribute: attribute?, rates: rates? })
    }

    fn tiers(&self) -> Tiers {
        // No rate at all stands for those of the rule.
        let tiers = Tiers::of(&self.attribute, []);
        self.rates.iter().fold(tiers, |tiers, (value, rates)| tiers.tier(value, &**rates))
    }
}

/// A rate or a list of rates.
fn rates_of(value: &Value) -> Result<Vec<Rate>, Error> {
    match value {
        Value::List(items) => items.iter().map(|item| Rate::read(&item.value)).collect(),
        value => Rate::read(value).map(|rate| vec![rate]),
    }
}
