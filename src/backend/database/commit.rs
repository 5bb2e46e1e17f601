//! One transaction: rows are locked in their order and read, the transitions decide for everybody that
//! waits, and what changed is written and committed.
//!
//! A key that has no row cannot be locked. It is decided about as one never seen, and its row is added;
//! if somebody else was first, the whole transaction is tried again.

use super::{
    fault::Fault,
    held::{Held, Kind, Needed, OfBatch, Place, places},
    returned::Returned,
    row,
    tables::{Locked, Tables},
    time::ServerTime,
};
use crate::{Shape, Timestamp, Verdict, backend::asked::Asked, settle};

/// Something that a transaction decides.
#[derive(Debug)]
pub(super) enum Request {
    Check(Asked),
    Refund(Returned),
}

impl Request {
    /// The key that it is about, or the first of several.
    pub(super) fn key(&self) -> &str {
        self.keys().next().unwrap_or_default()
    }

    /// All keys that it is about.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let checks = match self {
            Self::Check(asked) => asked.checks.as_slice(),
            Self::Refund(returned) => std::slice::from_ref(&returned.check),
        };
        checks.iter().map(|check| &*check.key)
    }
}

/// Decides everything in the order in which it was asked, but for what nobody waits for any more: once
/// the locks are there, `may_take` says whether a request is still wanted. A refund's answer is an empty
/// verdict.
pub(super) fn decide<'r, T: Tables>(
    tables: &mut T,
    requests: impl Iterator<Item = &'r Request>,
    may_take: impl Fn(usize) -> bool,
    time: &ServerTime,
) -> Result<Vec<Verdict>, Fault> {
    let requests: Vec<_> = requests.map(|request| (request, places_of(request))).collect();
    let (mut held, clock) = load(tables, requests.iter().flat_map(|(_, places)| places))?;
    let now = match (time, clock) {
        (ServerTime::Manual(clock), _) => clock.now(),
        (ServerTime::Server, Some(now)) => row::time(now),
        (ServerTime::Server, None) => row::time(tables.now()?),
    };
    let verdicts = requests.iter().enumerate().map(|(index, (request, places))| match request {
        _ if !may_take(index) => Verdict::new(now, []),
        Request::Check(asked) => {
            let mut batch = asked.batch_at(Timestamp::ZERO);
            settle(&mut batch, &mut OfBatch { held: &mut held, places, now }, now, asked.mode);
            batch.into_verdict()
        }
        Request::Refund(returned) => {
            places.iter().for_each(|place| give_back(&mut held, place, returned, now));
            Verdict::new(now, [])
        }
    });
    let verdicts = verdicts.collect();
    held.changes().write(tables)?;
    Ok(verdicts)
}

fn places_of(request: &Request) -> Vec<Place> {
    match request {
        Request::Check(asked) => places(&asked.checks),
        Request::Refund(Returned { check, .. }) => vec![Place::of(&check.key, &check.policy)],
    }
}

/// Locks and reads, and tells what the server's clock said once everything was locked, if it did.
/// Counters come first, then states, then what is in logs, everywhere.
fn load<'p>(
    tables: &mut impl Tables,
    places: impl Iterator<Item = &'p Place> + Clone,
) -> Result<(Held, Option<i64>), Fault> {
    let mut needed = Needed::default();
    places.clone().for_each(|place| needed.add(place));
    let mut held = Held::default();
    let mut clock = None;
    if !needed.counters.is_empty() {
        let Locked { rows, now } = tables.counters(needed.counters.keys().cloned().collect())?;
        held.found_counters(rows);
        clock = now;
    }
    for place in places {
        // Where there are windows of several periods, one may take the counter over from another.
        let takes_turns = needed.counters.get(&place.key).is_some_and(Option::is_none);
        let is_window = matches!(place.kind, Kind::Window(_));
        if is_window && (takes_turns || held.is_beside_counter(place)) {
            needed.states.insert((place.key.clone(), place.tag));
        }
    }
    if !needed.states.is_empty() {
        let Locked { rows, now } = tables.states(needed.states.into_iter().collect())?;
        held.found_states(rows);
        clock = now;
    }
    if !needed.entries.is_empty() {
        held.found_entries(tables.entries(needed.entries.into_iter().collect())?);
    }
    Ok((held, clock))
}

fn give_back(held: &mut Held, place: &Place, returned: &Returned, now: Timestamp) {
    let Returned { check, charged_at } = returned;
    if let Shape::Log(log) = check.policy.shape() {
        held.log(place, log.period()).refund(*charged_at, check.cost);
    } else if let Some(cell) = held.cell(place, now) {
        let step = check.policy.refund(cell, now, *charged_at, check.cost);
        held.put(place, &step, now);
    }
}
