//! From what the script answers to what was found for each group: `MessagePack`, read number by number.

use redis::Value;
use rmp::{
    Marker,
    decode::{read_array_len, read_int, read_marker, read_str_from_slice},
};

use super::{
    encode::Group,
    fault,
    layout::Kind,
    replay::{Outcome, Reply},
};
use crate::{
    Timestamp,
    backend::{BackendError, ErrorKind, Fate},
};

/// What is left of an answer to be read, and the time that stands at its beginning.
pub(super) struct Answer<'a> {
    now: Timestamp,
    rest: &'a [u8],
}

/// Why a group has no answer.
pub(super) struct GroupFault {
    pub(super) error: BackendError,
    /// The word that the server's error begins with.
    pub(super) code: Option<String>,
}

impl<'a> Answer<'a> {
    /// `None` if this is no answer of our script.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        let Value::BulkString(bytes) = value else { return None };
        let mut rest = bytes.as_slice();
        read_array_len(&mut rest).ok()?;
        let now = Timestamp::from_micros(read_int(&mut rest).ok()?);
        Some(Self { now, rest })
    }

    /// What was found for the next group.
    pub(super) fn part_of(&mut self, group: &Group) -> Result<Reply, GroupFault> {
        if is_text(self.rest) {
            return Err(self.fault());
        }
        let outcome = self.number().and_then(Outcome::of).ok_or_else(unexpected)?;
        let mut numbers = Vec::with_capacity(3 * group.keys.len().max(1));
        if outcome != Outcome::Stale {
            for kind in group.kinds() {
                self.take(kind.numbers(), &mut numbers)?;
            }
        }
        if outcome == Outcome::Counted {
            for kind in group.kinds().filter(|kind| *kind == Kind::Log) {
                self.take(kind.numbers(), &mut numbers)?;
            }
        }
        Ok(Reply { now: self.now, outcome, numbers })
    }

    fn take(&mut self, count: usize, numbers: &mut Vec<i64>) -> Result<(), GroupFault> {
        for _ in 0..count {
            numbers.push(self.number().ok_or_else(unexpected)?);
        }
        Ok(())
    }

    fn number(&mut self) -> Option<i64> {
        read_int(&mut self.rest).ok()
    }

    /// The error that the group ended with.
    fn fault(&mut self) -> GroupFault {
        let Ok((text, rest)) = read_str_from_slice(self.rest) else { return unexpected() };
        self.rest = rest;
        let code = text.split_whitespace().next().map(str::to_owned);
        GroupFault { error: fault::of_group(text), code }
    }
}

fn is_text(mut rest: &[u8]) -> bool {
    let marker = read_marker(&mut rest);
    let texts =
        |marker| matches!(marker, Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32);
    marker.is_ok_and(texts)
}

pub(super) fn unexpected() -> GroupFault {
    GroupFault { error: BackendError::new(ErrorKind::Protocol, Fate::Unknown), code: None }
}
