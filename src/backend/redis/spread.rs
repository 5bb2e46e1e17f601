//! A decision over several servers of a cluster: each slot decides for itself, and a refusal by one has
//! the others give back what they took.
//!
//! Until they have, a request of the same client may be refused that need not be.

use futures_util::future::join_all;

use super::{
    asked::Asked,
    direct::{Direct, unexpected},
    layout::Kind,
    replay::{Outcome, Reply, verdict},
};
use crate::{
    Mode, Shape, Timestamp, Verdict,
    backend::{BackendError, Fate},
};

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// Checks of one slot, with their places in the whole.
struct Part {
    places: Vec<usize>,
    asked: Asked,
}

/// Decides checks whose keys may be on different servers.
pub(super) async fn decide(direct: &Direct, asked: &Asked) -> Result<Verdict, BackendError> {
    let parts = parts(asked, direct.shared.time.estimate());
    if let [_] = &*parts {
        let reply = direct.reply(asked).await?;
        return asked.verdict(&reply).ok_or_else(unexpected);
    }
    let replies = join_all(parts.iter().map(|part| direct.reply(&part.asked))).await;
    let charged = |reply: &Result<Reply, BackendError>| {
        reply.as_ref().is_ok_and(|reply| reply.outcome == Outcome::Charged)
    };
    let all = replies.iter().all(charged);
    if asked.mode == Mode::Charge && !all {
        let taken = parts.iter().zip(&replies).filter(|(_, reply)| charged(reply));
        let given_back =
            join_all(taken.map(|(part, reply)| give_back(direct, part, reply.as_ref().ok()))).await;
        if let Some(error) = replies.iter().find_map(|reply| reply.as_ref().err()) {
            return Err(with_fate(error, given_back.iter().all(Result::is_ok)));
        }
    }
    let replies = replies.into_iter().collect::<Result<Vec<_>, _>>()?;
    whole(asked, &parts, &replies, all).ok_or_else(unexpected)
}

fn parts(asked: &Asked, at: Timestamp) -> Vec<Part> {
    let mut parts: Vec<(u16, Part)> = Vec::new();
    for (place, check) in asked.checks.iter().enumerate() {
        let Some(kind) = Kind::of(&check.policy) else { continue };
        let window = match check.policy.shape() {
            Shape::Window(window) => super::layout::window_start(window.period(), at),
            _ => at,
        };
        let slot = slot_of(&kind.state_key(&check.key, window));
        let found = parts.iter().position(|(known, _)| *known == slot);
        let index = found.unwrap_or_else(|| {
            let asked = Asked { mode: asked.mode, checks: Vec::new() };
            parts.push((slot, Part { places: Vec::new(), asked }));
            parts.len() - 1
        });
        let part = &mut parts[index].1;
        part.places.push(place);
        part.asked.checks.push(check.clone());
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// The slot of a key: that of the part in braces, if there is one (Redis Cluster specification, "Hash
/// tags").
fn slot_of(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    crc16::State::<crc16::XMODEM>::calculate(hashed.as_bytes()) % SLOTS
}

/// Gives back what a part took, but for checks that count refusals.
async fn give_back(
    direct: &Direct,
    part: &Part,
    reply: Option<&Reply>,
) -> Result<(), BackendError> {
    let Some(reply) = reply else { return Ok(()) };
    let checks = part.asked.checks.iter().filter(|check| !check.policy.counts_refused());
    let each = checks.map(|check| {
        // Of a bucket nothing has come back yet; windows and logs know when it was.
        let is_meter = matches!(check.policy.shape(), Shape::Meter(_));
        direct.give_back(check.clone(), (!is_meter).then_some(reply.now))
    });
    join_all(each).await.into_iter().collect()
}

/// The first error, told as what it is for the whole.
fn with_fate(error: &BackendError, given_back: bool) -> BackendError {
    if given_back || error.fate() == Fate::Unknown {
        return error.clone();
    }
    BackendError::with_source(error.kind(), Fate::Unknown, error.clone())
}

/// One verdict over the states that the servers found.
fn whole(asked: &Asked, parts: &[Part], replies: &[Reply], charged: bool) -> Option<Verdict> {
    let now = replies.iter().map(|reply| reply.now).max()?;
    let mut states = vec![[0; 3]; asked.len()];
    let mut after = vec![None; asked.len()];
    for (part, reply) in parts.iter().zip(replies) {
        let mut triples =
            reply.numbers.chunks_exact(3).filter_map(|t| <[i64; 3]>::try_from(t).ok());
        for place in &part.places {
            states[*place] = triples.next()?;
        }
        for (place, triple) in logs(part).zip(triples) {
            after[place] = Some(triple);
        }
    }
    let counted = after.iter().any(Option::is_some);
    let is_log = |place: &usize| matches!(asked.checks[*place].policy.shape(), Shape::Log(_));
    let later = (0..asked.len()).filter(is_log).map(|place| after[place].unwrap_or(states[place]));
    let mut numbers = states.concat();
    if counted {
        numbers.extend(later.flatten());
    }
    let outcome = match (charged, counted) {
        (true, _) => Outcome::Charged,
        (false, true) => Outcome::Counted,
        (false, false) => Outcome::Refused,
    };
    verdict(asked.batch(), asked.mode, &Reply { now, outcome, numbers })
}

fn logs(part: &Part) -> impl Iterator<Item = usize> {
    let checks = part.places.iter().zip(&part.asked.checks);
    checks
        .filter(|(_, check)| matches!(check.policy.shape(), Shape::Log(_)))
        .map(|(place, _)| *place)
}

#[cfg(test)]
mod tests {
    use super::slot_of;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(slot_of("123456789"), 0x31C3);
        assert_eq!(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
        assert_eq!(slot_of("foo{}{bar}"), slot_of("foo{}{bar}"));
        assert_ne!(slot_of("foo{}{bar}"), slot_of("bar"));
        assert_eq!(slot_of("foo{{bar}}zap"), slot_of("{bar"));
        assert_eq!(slot_of("foo{bar}{zap}"), slot_of("bar"));
    }
}
