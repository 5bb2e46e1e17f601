//! From TOML to cases.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    answer::{Answer, When},
    case::{Asked, Case, Op, Step},
    duration::{parse, parse_signed},
};
use crate::{Error, Policy, Rate, WindowStart};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    case: Vec<RawCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    policy: Option<RawPolicy>,
    #[serde(default)]
    policies: BTreeMap<String, RawPolicy>,
    start: Option<String>,
    #[serde(default)]
    pad: usize,
    steps: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    algorithm: String,
    rate: String,
    bucket_size: Option<u64>,
    refill_rate: Option<f64>,
    initial_tokens: Option<u64>,
    window: Option<RawWindow>,
    #[serde(default)]
    count_refused: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawWindow {
    Clock,
    FirstRequest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    advance: Option<String>,
    repeat: Option<u32>,
    #[serde(default)]
    op: RawOp,
    key: Option<String>,
    policy: Option<String>,
    cost: Option<u32>,
    charged: Option<String>,
    allowed: Option<bool>,
    remaining: Option<u64>,
    reset: Option<String>,
    retry: Option<String>,
    #[serde(default)]
    checks: Vec<RawCheck>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawOp {
    #[default]
    Check,
    Peek,
    Reset,
    Refund,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    key: Option<String>,
    policy: Option<String>,
    cost: Option<u32>,
    allowed: Option<bool>,
    remaining: Option<u64>,
    reset: Option<String>,
    retry: Option<String>,
}

pub(super) fn cases(file: &str, text: &str) -> Result<Vec<Case>, Error> {
    let raw: RawFile = toml::from_str(text).map_err(|error| {
        Error::new(file.to_owned(), "", error.to_string(), "see Case::parse for what is understood")
    })?;
    raw.case.into_iter().map(|raw| raw.read(file)).collect()
}

impl RawCase {
    fn read(self, file: &str) -> Result<Case, Error> {
        let name = format!("{file}/{}", self.name);
        let at_case = |error: Error| {
            let field = format!("{name}: {}", error.field());
            error.at(field)
        };
        let mut policies = Policies::default();
        let given = self.policy.into_iter().map(|policy| (String::new(), policy));
        for (policy_name, policy) in given.chain(self.policies) {
            policies.names.push(policy_name);
            policies.policies.push(policy.read().map_err(at_case)?);
        }
        let start = self.start.as_deref().map(|text| parse("start", text)).transpose();
        let start = start.map_err(at_case)?.unwrap_or(0);
        let mut steps = Vec::new();
        for (index, raw) in self.steps.into_iter().enumerate() {
            let step = raw.read(&policies, self.pad).map_err(|error| {
                let field = format!("{name}: step {}: {}", index + 1, error.field());
                error.at(field)
            })?;
            steps.push(step);
        }
        Ok(Case { policies: policies.policies, start, steps, name })
    }
}

impl RawPolicy {
    fn read(self) -> Result<Policy, Error> {
        let rate: Rate = self.rate.parse()?;
        let mut builder =
            Policy::builder(self.algorithm.parse()?, rate).count_refused(self.count_refused);
        if let Some(permits) = self.bucket_size {
            builder = builder.bucket_size(permits);
        }
        if let Some(speed) = self.refill_rate {
            builder = builder.refill_rate(speed);
        }
        if let Some(tokens) = self.initial_tokens {
            builder = builder.initial_tokens(tokens);
        }
        if let Some(window) = self.window {
            builder = builder.window_start(match window {
                RawWindow::Clock => WindowStart::Clock,
                RawWindow::FirstRequest => WindowStart::FirstRequest,
            });
        }
        builder.build()
    }
}

#[derive(Default)]
struct Policies {
    names: Vec<String>,
    policies: Vec<Policy>,
}

impl Policies {
    /// Index of a policy; of the only one where none is named.
    fn find(&self, name: Option<&str>) -> Result<usize, Error> {
        let wanted = name.unwrap_or_default();
        self.names.iter().position(|known| known == wanted).ok_or_else(|| {
            let known = format!("use one of \"{}\"", self.names.join("\", \""));
            Error::new("policy", wanted, "the case has no such policy", known)
        })
    }
}

impl RawStep {
    fn read(self, policies: &Policies, pad: usize) -> Result<Step, Error> {
        let advance = self.advance.as_deref().map(|text| parse_signed("advance", text));
        let advance = advance.transpose()?.unwrap_or_default();
        let exact = self.repeat.is_none();
        let repeat = self.repeat.unwrap_or(1);
        let one = RawCheck {
            key: self.key,
            policy: self.policy,
            cost: self.cost,
            allowed: self.allowed,
            remaining: self.remaining,
            reset: self.reset,
            retry: self.retry,
        };
        let op = match self.op {
            RawOp::Reset => Op::Reset { key: one.unanswered()?.key(pad) },
            RawOp::Refund => {
                let charged = parse("charged", self.charged.as_deref().unwrap_or("0s"))?;
                let policy = policies.find(one.policy.as_deref())?;
                let one = one.unanswered()?;
                Op::Refund { key: one.key(pad), policy, cost: one.cost.unwrap_or(1), charged }
            }
            RawOp::Check | RawOp::Peek => {
                let several = !self.checks.is_empty();
                let raw = if several { self.checks } else { vec![one] };
                let asked = raw.into_iter().map(|check| check.read(policies, pad, exact));
                let asked = asked.collect::<Result<_, _>>()?;
                if matches!(self.op, RawOp::Peek) { Op::Peek(asked) } else { Op::Check(asked) }
            }
        };
        Ok(Step { advance, repeat, op })
    }
}

impl RawCheck {
    fn key(&self, pad: usize) -> String {
        format!("{}{}", "x".repeat(pad), self.key.as_deref().unwrap_or("k"))
    }

    fn unanswered(self) -> Result<Self, Error> {
        match self.allowed {
            Some(_) => Err(Error::new("allowed", "", "this is not answered", "remove it")),
            None => Ok(self),
        }
    }

    fn read(self, policies: &Policies, pad: usize, exact: bool) -> Result<Asked, Error> {
        let key = self.key(pad);
        let policy = policies.find(self.policy.as_deref())?;
        let missing = |field| Err(Error::new(field, "", "it is missing", "state the whole answer"));
        let Some(allowed) = self.allowed else { return missing("allowed") };
        match (&self.remaining, &self.reset, &self.retry) {
            (None, _, _) if exact => return missing("remaining"),
            (_, None, _) if exact => return missing("reset"),
            (_, _, None) if exact && !allowed => return missing("retry"),
            (_, _, Some(retry)) if allowed => {
                return Err(Error::new(
                    "retry",
                    retry,
                    "what is allowed is not retried",
                    "remove it",
                ));
            }
            _ => {}
        }
        let when = |field, text: Option<String>| match text.as_deref() {
            None => Ok(None),
            Some("never") => Ok(Some(When::Never)),
            Some(text) => parse(field, text).map(|micros| Some(When::In(micros))),
        };
        let expected = Answer {
            allowed,
            limit: policies.policies[policy].limit(),
            remaining: self.remaining,
            reset: when("reset", self.reset)?,
            retry: when("retry", self.retry)?,
        };
        Ok(Asked { key, policy, cost: self.cost.unwrap_or(1), expected })
    }
}
