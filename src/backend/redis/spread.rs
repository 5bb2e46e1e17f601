//! A decision over several servers of a cluster: each slot decides for itself, and a refusal by one has
//! the others give back what they took.
//!
//! Until they have, a request of the same client may be refused that need not be.

use futures_util::future::join_all;
use tokio::runtime::Handle;

use super::{
    direct::{Direct, unexpected},
    fault,
    layout::{Kind, window_start},
    replay::{Outcome, Reply, looked},
};
use crate::{
    Mode, Shape, Timestamp, Verdict,
    backend::{BackendError, ErrorKind, Fate, asked::Asked},
};

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// Checks of one slot, with their places in the whole.
struct Part {
    places: Vec<usize>,
    asked: Asked,
}

/// Decides checks whose keys may be on different servers, on a task of its own: what some have taken is
/// given back even if nobody waits for the answer any more.
pub(super) async fn decide(direct: Direct, asked: Asked) -> Result<Verdict, BackendError> {
    let Ok(runtime) = Handle::try_current() else { return Err(fault::no_runtime()) };
    let decided = runtime.spawn(async move { decide_here(&direct, &asked).await });
    decided.await.unwrap_or_else(|_| Err(BackendError::new(ErrorKind::Unreachable, Fate::Unknown)))
}

async fn decide_here(direct: &Direct, asked: &Asked) -> Result<Verdict, BackendError> {
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
            return Err(of_whole(error.clone(), given_back.iter().all(Result::is_ok)));
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
            Shape::Window(window) => window_start(window.period(), at),
            _ => at,
        };
        let slot = slot_of(&kind.state_key(&check.key, window));
        let found = parts.iter().position(|(known, _)| *known == slot);
        let index = found.unwrap_or_else(|| {
            let asked = Asked { mode: asked.mode, checks: Default::default() };
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
fn of_whole(error: BackendError, given_back: bool) -> BackendError {
    if given_back { error } else { error.with_fate(Fate::Unknown) }
}

/// One verdict of those that the servers came to. A part that gave back what it took tells how it was
/// before.
fn whole(asked: &Asked, parts: &[Part], replies: &[Reply], charged: bool) -> Option<Verdict> {
    let mut decisions = vec![None; asked.len()];
    let mut times = vec![Timestamp::ZERO; asked.len()];
    for (part, reply) in parts.iter().zip(replies) {
        let decided = part.asked.verdict(reply)?;
        let gave_back = !charged && reply.outcome == Outcome::Charged;
        let before = if gave_back {
            looked(part.asked.batch_at(Timestamp::ZERO), reply)?
        } else {
            decided.clone()
        };
        for (index, place) in part.places.iter().enumerate() {
            let counted = part.asked.checks[index].policy.counts_refused();
            let told = if counted { &decided } else { &before };
            decisions[*place] = told.decisions().get(index).copied();
            times[*place] = reply.now;
        }
    }
    let decisions = decisions.into_iter().collect::<Option<Vec<_>>>()?;
    let deciding = Verdict::new(Timestamp::ZERO, decisions.iter().copied()).deciding();
    Some(Verdict::new(*times.get(deciding)?, decisions))
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
