//! `health`: a real round trip to every store.

use serde_json::{Value, json};

use super::{
    failure::{Failure, reason},
    output::{NOT_WELL, Output, WELL, counted, table},
    store::{Store, Stores},
};
use crate::BackendHealth;

pub(super) async fn health(stores: &Stores, output: &Output) -> Result<(), Failure> {
    let report = stores.limiter.health(stores.timeout).await;
    let found: Vec<_> = stores
        .chosen
        .iter()
        .filter_map(|store| Some((store, report.backends.iter().find(|of| of.name == store.name)?)))
        .collect();
    let well = found.iter().filter(|(_, health)| health.found.is_ok()).count();
    let is_healthy = well == found.len();
    let backends: Vec<_> = found.iter().map(|(store, health)| to_json(store, health)).collect();
    let json = json!({ "healthy": is_healthy, "backends": backends });
    output.result(&json, || {
        let rows = rows(&found, output);
        let total = counted(found.len(), "backend", "backends");
        format!("{rows}\n{}{total}, {well} healthy\n", warnings(&found))
    });
    if is_healthy { Ok(()) } else { Err(Failure::NotWell) }
}

fn to_json(store: &Store, health: &BackendHealth) -> Value {
    let mut json = health.to_json();
    json["kind"] = store.kind.into();
    json["place"] = store.place.clone().into();
    if let Err(error) = &health.found {
        json["error"]["message"] = reason(error).into();
    }
    json
}

/// A line for each backend; those who want more also see where it is.
fn rows(found: &[(&Store, &BackendHealth)], output: &Output) -> String {
    let short = |(store, health): &(&Store, &BackendHealth)| {
        let (mark, state) = state(health);
        [format!("{mark} {}", store.name), store.kind.to_owned(), state]
    };
    if !output.is_verbose {
        return table(None, found.iter().map(short));
    }
    let long = |(store, health): &(&Store, &BackendHealth)| {
        let [name, kind, state] = short(&(*store, *health));
        let default = if health.is_default { "default" } else { "" };
        [name, kind, store.place.clone(), default.to_owned(), state]
    };
    table(None, found.iter().map(long))
}

fn state(health: &BackendHealth) -> (&'static str, String) {
    match &health.found {
        Ok(found) if found.round_trip_micros == 0 => (WELL, "no round trip".to_owned()),
        Ok(found) => (WELL, milliseconds(found.round_trip_micros)),
        Err(error) => (NOT_WELL, reason(error)),
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1_000, micros % 1_000)
}

/// Things to look after though the stores answer.
fn warnings(found: &[(&Store, &BackendHealth)]) -> String {
    let mut lines = String::new();
    for (store, health) in found {
        for warning in health.found.iter().flat_map(|found| &found.warnings) {
            lines.push_str(&format!("warning: {}: {warning}\n", store.name));
        }
    }
    lines
}
