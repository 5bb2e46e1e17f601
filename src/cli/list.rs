//! `list`: which keys are kept.

use serde_json::{Value, json};

use super::{
    args,
    failure::Failure,
    output::{Output, counted, json_time, table, until},
    store::Stores,
};
use crate::backend::Listing;

pub(super) async fn list(
    arguments: &args::List,
    stores: &Stores,
    output: &Output,
) -> Result<(), Failure> {
    let prefix = &stores.config.key_prefix;
    let pattern = arguments.pattern.clone().unwrap_or_else(|| format!("{prefix}*"));
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let mut all = Vec::new();
    for (store, upkeep) in stores.with_keys()? {
        all.push((store, stores.answer(store, upkeep.list(&pattern, limit)).await?));
    }
    let backends: Vec<_> =
        all.iter().map(|(store, listing)| to_json(&store.name, listing)).collect();
    output.result(&json!({ "pattern": pattern, "backends": backends }), || {
        let rows = all.iter().flat_map(|(store, listing)| {
            listing.keys.values().flatten().map(|state| {
                let (key, kind) = (state.key.clone(), state.kind.to_owned());
                [store.name.clone(), key, kind, until(state.expires_at)]
            })
        });
        let count: usize = all.iter().map(|(_, listing)| listing.keys.len()).sum();
        let is_complete = all.iter().all(|(_, listing)| listing.is_complete);
        let end = match (count, is_complete) {
            (0, true) => return nothing(&pattern, prefix),
            (_, true) => counted(count, "key", "keys"),
            (_, false) => format!(
                "{}, and there are more: raise --limit, or narrow --pattern",
                counted(count, "key", "keys")
            ),
        };
        format!("{}\n{end}\n", table(Some(["BACKEND", "KEY", "KIND", "EXPIRES"]), rows))
    });
    Ok(())
}

fn nothing(pattern: &str, prefix: &str) -> String {
    let hint = match pattern.starts_with(prefix) || pattern.starts_with('*') {
        true => String::new(),
        false => format!("; patterns are about keys as they are stored, which begin with {prefix}"),
    };
    format!("no key is like {pattern}{hint}\n")
}

fn to_json(name: &str, listing: &Listing) -> Value {
    let keys: Vec<_> = listing
        .keys
        .iter()
        .map(|(key, states)| {
            let states: Vec<_> = states
                .iter()
                .map(|state| {
                    json!({
                        "place": state.place,
                        "kind": state.kind,
                        "expires_at": json_time(state.expires_at),
                    })
                })
                .collect();
            json!({ "key": key, "states": states })
        })
        .collect();
    json!({ "name": name, "complete": listing.is_complete, "keys": keys })
}
