//! `reset`: a key begins anew under every rule.

use serde_json::json;

use super::{
    failure::Failure,
    keys::{of_rules, stored},
    output::{Output, counted},
    store::{Store, Stores},
};
use crate::backend::Upkeep;

pub(super) async fn reset(key: &str, stores: &Stores, output: &Output) -> Result<(), Failure> {
    let rules = of_rules(key, stores)?;
    let mut forgotten = Vec::new();
    for (store, upkeep) in stores.with_keys()? {
        let mut places = Vec::new();
        for key in stored(key, &rules, &store.name, stores) {
            places.extend(forget(&key, store, upkeep, stores).await?);
        }
        forgotten.push((&store.name, places));
    }
    let backends: Vec<_> = forgotten
        .iter()
        .map(|(name, places)| json!({ "name": name, "forgotten": places }))
        .collect();
    output.result(&json!({ "key": key, "backends": backends }), || {
        let all = || forgotten.iter().flat_map(|(_, places)| places);
        match all().count() {
            0 => format!("nothing was kept of {key}\n"),
            count => {
                let lines: String = match output.is_verbose {
                    true => all().map(|place| format!("{place}\n")).collect(),
                    false => String::new(),
                };
                format!("{lines}forgot {} of {key}\n", counted(count, "state", "states"))
            }
        }
    });
    Ok(())
}

/// Forgets a key, and tells where its states were.
async fn forget(
    key: &str,
    store: &Store,
    upkeep: &dyn Upkeep,
    stores: &Stores,
) -> Result<Vec<String>, Failure> {
    let states = stores.answer(store, upkeep.inspect(key)).await?;
    stores.answer(store, store.backend.reset(key)).await?;
    // Windows whose periods no rule has told are keys of their own.
    for left in stores.answer(store, upkeep.inspect(key)).await? {
        if left.key != left.place {
            stores.answer(store, store.backend.reset(&left.place)).await?;
        }
    }
    let told = |state: crate::backend::StoredState| match state.place == state.key {
        true => state.key,
        false => format!("{} ({})", state.key, state.place),
    };
    Ok(states.into_iter().map(told).collect())
}
