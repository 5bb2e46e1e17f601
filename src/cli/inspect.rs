//! `inspect`: what is kept of a key, and what the rules would decide about it now.

use serde_json::{Map, Value, json};

use super::{
    failure::Failure,
    keys::{OfRule, of_rules, stored},
    output::{NOT_WELL, Output, WELL, json_time, table, until, utc},
    store::Stores,
};
use crate::{
    Outcome,
    backend::{BackendError, ErrorKind, Fate, StoredState, StoredValue},
};

pub(super) async fn inspect(key: &str, stores: &Stores, output: &Output) -> Result<(), Failure> {
    let rules = of_rules(key, stores)?;
    let mut found = Vec::new();
    for (store, upkeep) in stores.with_keys()? {
        let mut states = Vec::new();
        for key in stored(key, &rules, &store.name, stores) {
            states.extend(stores.answer(store, upkeep.inspect(&key)).await?);
        }
        found.push((store.name.as_str(), named(states, &rules, stores)?));
    }
    let mut decided = Vec::new();
    for rule in &rules {
        let is_kept = |state: &StoredState| rule.stored.contains(&state.key);
        if found.iter().flat_map(|(_, states)| states).any(is_kept) {
            decided.push(Decided::ask(rule, stores).await?);
        }
    }
    let backends: Vec<_> = found
        .iter()
        .map(|(name, states)| {
            let states: Vec<_> = states.iter().map(state_to_json).collect();
            json!({ "name": name, "states": states })
        })
        .collect();
    let decisions: Vec<_> = decided.iter().map(Decided::to_json).collect();
    let json = json!({ "key": key, "backends": backends, "decisions": decisions });
    output.result(&json, || text(key, &found, &decided));
    Ok(())
}

/// Names states by the algorithms of the rules that understand them.
fn named(
    states: Vec<StoredState>,
    rules: &[OfRule],
    stores: &Stores,
) -> Result<Vec<StoredState>, Failure> {
    let mut known = Vec::new();
    for rule in rules {
        for (tag, name) in stores.limiter.state_tags(&rule.limit)? {
            known.push((tag, name));
        }
    }
    let name = |mut state: StoredState| {
        if let Some((_, name)) = known.iter().find(|(tag, _)| Some(*tag) == state.tag) {
            state.kind = name;
        }
        state
    };
    Ok(states.into_iter().map(name).collect())
}

pub(super) fn state_to_json(state: &StoredState) -> Value {
    let values: Map<_, _> = state
        .values
        .iter()
        .map(|(name, value)| {
            let value = match value {
                StoredValue::Number(number) => json!(number),
                StoredValue::Time(time) => json!(utc(*time)),
                StoredValue::Text(text) => json!(text),
            };
            (name.clone(), value)
        })
        .collect();
    json!({
        "key": state.key,
        "place": state.place,
        "kind": state.kind,
        "tag": state.tag.map(|tag| format!("{tag:016x}")),
        "values": values,
        "expires_at": json_time(state.expires_at),
    })
}

/// What a rule would decide about a key.
struct Decided<'r> {
    rule: &'r OfRule,
    /// Whether it would be admitted, what is left, when it is untouched again, seconds to wait.
    is_allowed: bool,
    limit: u64,
    remaining: u64,
    reset_at: crate::Timestamp,
    retry_after: Option<u64>,
}

impl<'r> Decided<'r> {
    async fn ask(rule: &'r OfRule, stores: &Stores) -> Result<Self, Failure> {
        let outcome = stores.limiter.peek(&rule.limit, &rule.key).await?;
        let Outcome::Decided { decision, decided_at, .. } = outcome else {
            let error = BackendError::new(ErrorKind::Unavailable, Fate::NotCharged);
            return Err(Failure::of(&rule.backend)(error));
        };
        Ok(Self {
            rule,
            is_allowed: decision.is_allowed(),
            limit: decision.limit(),
            remaining: decision.remaining(),
            reset_at: decision.reset_at(),
            retry_after: decision.retry_after_secs(decided_at),
        })
    }

    fn to_json(&self) -> Value {
        json!({
            "rule": self.rule.limit.name(),
            "backend": self.rule.backend,
            "allowed": self.is_allowed,
            "limit": self.limit,
            "remaining": self.remaining,
            "reset_at": json_time(Some(self.reset_at)),
            "retry_after": self.retry_after,
        })
    }

    fn line(&self) -> String {
        let Self { limit, remaining, .. } = self;
        let (mark, answer) = if self.is_allowed { (WELL, "admit") } else { (NOT_WELL, "refuse") };
        let retry = match self.retry_after {
            Some(seconds) => format!("; again in {seconds} s"),
            None => String::new(),
        };
        format!(
            "{mark} rule \"{}\" would {answer}: {remaining} of {limit} left, untouched {}{retry}\n",
            self.rule.limit.name(),
            until(Some(self.reset_at))
        )
    }
}

fn text(key: &str, found: &[(&str, Vec<StoredState>)], decided: &[Decided<'_>]) -> String {
    if found.iter().all(|(_, states)| states.is_empty()) {
        return format!("nothing is kept of {key}\n");
    }
    let value = |(name, value): &(String, StoredValue)| match value {
        StoredValue::Number(number) => format!("{name} {number}"),
        StoredValue::Time(time) => format!("{name} {}", utc(*time)),
        StoredValue::Text(text) => format!("{name} {}", text.escape_debug()),
    };
    let rows = found.iter().flat_map(|(backend, states)| {
        states.iter().map(move |state| {
            let values: Vec<_> = state.values.iter().map(value).collect();
            let expires = until(state.expires_at);
            let kind = state.kind.to_owned();
            [(*backend).to_owned(), state.key.clone(), kind, values.join(", "), expires]
        })
    });
    let header = ["BACKEND", "KEY", "KIND", "VALUES", "EXPIRES"];
    let lines: String = decided.iter().map(Decided::line).collect();
    format!("{}\n{lines}", table(Some(header), rows))
}
