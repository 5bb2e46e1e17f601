//! One transaction: rows are locked in their order and read, the transitions decide for everybody that
//! waits, and what changed is written and committed.
//!
//! A key that has no row cannot be locked. It is decided about as one never seen, and its row is added;
//! if somebody else was first, the whole transaction is tried again.

use super::{
    answer::Answer,
    fault::Fault,
    held::{Held, OfBatch},
    keyed::Keyed,
    place::{Kind, Place},
    returned::Returned,
    row,
    tables::{Locked, Tables},
    time::ServerTime,
};
use crate::{
    Shape, Timestamp,
    backend::asked::{Asked, OwnedCheck},
};

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
        self.checks().iter().map(|check| &*check.key)
    }

    fn checks(&self) -> &[OwnedCheck] {
        match self {
            Self::Check(asked) => &asked.checks,
            Self::Refund(returned) => std::slice::from_ref(&returned.check),
        }
    }
}

/// Decides everything in the order in which it was asked, but for what nobody waits for any more: once
/// the locks are there, `may_take` says whether a request is still wanted.
pub(super) fn decide<'r, T: Tables>(
    tables: &mut T,
    requests: impl Iterator<Item = &'r Request> + Clone,
    may_take: impl Fn(usize) -> bool,
    time: &ServerTime,
) -> Result<Vec<Answer>, Fault> {
    let places: Vec<_> = requests.clone().flat_map(Request::checks).map(Place::of).collect();
    let (mut held, clock) = load(tables, &places)?;
    let now = match (time, clock) {
        (ServerTime::Manual(clock), _) => clock.now(),
        (ServerTime::Server, Some(now)) => row::time(now),
        (ServerTime::Server, None) => row::time(tables.now()?),
    };
    let mut left = places.as_slice();
    let answers = requests.enumerate().map(|(index, request)| {
        let places;
        (places, left) = left.split_at(request.checks().len());
        match request {
            _ if !may_take(index) => Answer::nothing(now),
            Request::Check(asked) => {
                Answer::settled(asked, &mut OfBatch { held: &mut held, places, now }, now)
            }
            Request::Refund(returned) => {
                places.iter().for_each(|place| give_back(&mut held, place, returned, now));
                Answer::nothing(now)
            }
        }
    });
    let answers = answers.collect();
    held.changes().write(tables)?;
    Ok(answers)
}

/// Locks and reads, and tells what the server's clock said once everything was locked, if it did.
/// Counters come first, then states, then what is in logs, everywhere.
fn load<'p>(
    tables: &mut impl Tables,
    places: &'p [Place<'p>],
) -> Result<(Held<'p>, Option<i64>), Fault> {
    let (mut held, mut clock) = (Held::default(), None);
    let windows = places.iter().filter(|place| place.is_window());
    held.counters = Keyed::of(windows.map(|place| (&*place.key, ())));
    if !held.counters.is_empty() {
        let keys = held.counters.keys().map(|(key, ())| key.to_owned());
        let Locked { rows, now } = tables.counters(keys.collect())?;
        held.found_counters(rows);
        clock = now;
    }
    let states = places.iter().filter(|place| held.is_beside_counter(place));
    held.states = Keyed::of(states.map(|place| (&*place.key, place.tag)));
    if !held.states.is_empty() {
        let keys = held.states.keys().map(|(key, tag)| (key.to_owned(), tag));
        let Locked { rows, now } = tables.states(keys.collect())?;
        held.found_states(rows);
        clock = now.or(clock);
    }
    let logs = places.iter().filter_map(|place| match place.kind {
        Kind::Log(period) => Some((&*place.key, period)),
        _ => None,
    });
    held.logs = Keyed::of(logs);
    if !held.logs.is_empty() {
        let mut keys: Vec<_> = held.logs.keys().map(|(key, _)| key.to_owned()).collect();
        keys.dedup();
        held.found_entries(tables.entries(keys)?);
    }
    Ok((held, clock))
}

fn give_back<'p>(held: &mut Held<'p>, place: &'p Place<'p>, returned: &Returned, now: Timestamp) {
    let Returned { check, charged_at } = returned;
    if let Shape::Log(log) = check.policy.shape() {
        held.log(place, log.period()).refund(*charged_at, check.cost);
    } else if let Some(cell) = held.cell(place, now) {
        let step = check.policy.refund(cell, now, *charged_at, check.cost);
        held.put(place, &step, now);
    }
}
