//! From checks to what the scripts read: whole numbers in `MessagePack`.

use arrayvec::ArrayVec;
use rmp::encode::{write_array_len, write_sint, write_str, write_uint};

use super::{
    layout::{Kind, window_start},
    support::LONGEST_FILL,
};
use crate::{Batch, Check, MAX_CHECKS, Mode, Policy, Shape, Timestamp};

/// How much longer than needed a key is kept, in milliseconds, as in the scripts.
const SLACK: u64 = 1_000;

/// What is asked, apart from the checks themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub(super) mode: Mode,
    /// Windows on the clock are those of this time.
    pub(super) at: Timestamp,
    /// Periods of windows on the clock that may have the same key.
    pub(super) periods: &'a [u64],
}

/// The checks of one batch, or of a part of it, ready to be sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) keys: Vec<String>,
    /// The checks, one after the other.
    message: Vec<u8>,
    parts: ArrayVec<Part, MAX_CHECKS>,
}

/// A check in the message of its group.
#[derive(Clone, Copy, Debug)]
struct Part {
    end: usize,
    kind: Kind,
    /// Number of the latest check before on the same state, counted from 1; 0 if there is none.
    shared: usize,
}

impl Group {
    /// `None` if a check is of an algorithm that the scripts do not know.
    pub(super) fn of(batch: &Batch<'_>, asking: Asking<'_>) -> Option<Self> {
        let checks = batch.checks();
        let mut group = Self { keys: Vec::with_capacity(checks.len()), ..Self::default() };
        for (index, check) in checks.iter().enumerate() {
            let kind = Kind::of(check.policy)?;
            group.keys.push(kind.state_key(check.key, window_of(check.policy, asking.at)));
            encode(&mut group.message, kind, check, asking);
            let shared = earlier(checks, index);
            group.parts.push(Part { end: group.message.len(), kind, shared });
        }
        Some(group)
    }

    /// Each check as it is sent, and the number of the one before with the same state.
    pub(super) fn checks(&self) -> impl Iterator<Item = (&[u8], usize)> {
        let starts = std::iter::once(0).chain(self.parts.iter().map(|part| part.end));
        let message = |(start, part): (usize, &Part)| (&self.message[start..part.end], part.shared);
        starts.zip(&self.parts).map(message)
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.parts.iter().map(|part| part.kind)
    }

    pub(super) fn stands_alone(&self) -> bool {
        self.parts.len() == 1
    }
}

/// A check by itself, and its key.
pub(super) fn check(check: &Check<'_>, asking: Asking<'_>) -> Option<(String, Vec<u8>)> {
    let group = Group::of(&Batch::of(asking.at, *check), asking)?;
    Some((group.keys.into_iter().next()?, group.message))
}

fn earlier(checks: &[Check<'_>], index: usize) -> usize {
    let check = &checks[index];
    let same = |other: &Check<'_>| {
        other.policy.state_tag() == check.policy.state_tag()
            && Kind::of(other.policy) == Kind::of(check.policy)
            && other.key == check.key
    };
    checks[..index].iter().rposition(same).map_or(0, |found| found + 1)
}

fn window_of(policy: &Policy, at: Timestamp) -> Timestamp {
    match policy.shape() {
        Shape::Window(window) => window_start(window.period(), at),
        _ => Timestamp::ZERO,
    }
}

fn encode(out: &mut Vec<u8>, kind: Kind, check: &Check<'_>, asking: Asking<'_>) {
    let head = |out: &mut Vec<u8>, more: usize| {
        array(out, 4 + more);
        uint(out, kind as u64);
        uint(out, u64::from(asking.mode == Mode::Charge));
        uint(out, check.cost.into());
        uint(out, check.policy.counts_refused().into());
    };
    let limits = |out: &mut Vec<u8>, limit: u32, period: u64| {
        uint(out, limit.into());
        uint(out, period);
    };
    match check.policy.shape() {
        Shape::Window(window) if kind == Kind::ClockWindow => {
            let start = window_start(window.period(), asking.at);
            head(out, 5);
            limits(out, window.limit(), window.period());
            uint(out, start.as_micros());
            let ends = kept_until(start, window.period(), asking.periods);
            text(out, itoa::Buffer::new().format(ends));
            text(out, itoa::Buffer::new().format(check.cost));
        }
        Shape::Window(window) => {
            head(out, 3);
            limits(out, window.limit(), window.period());
            text(out, itoa::Buffer::new().format(window.period()));
        }
        Shape::Log(log) => {
            head(out, 2);
            limits(out, log.limit(), log.period());
        }
        Shape::Meter(meter) => {
            head(out, 10);
            let (refill, period) = meter.refill();
            uint(out, refill);
            uint(out, period);
            uint(out, meter.capacity());
            // The exact time of what no bucket holds might be beyond the scripts' numbers.
            let charge = meter.charge(check.cost).min((LONGEST_FILL + 1, 0));
            for (whole, rest) in [meter.tolerance(), meter.first(), charge] {
                uint(out, whole);
                uint(out, rest);
            }
            text(out, &format!("{refill}/{period}"));
        }
        // There is no kind for it.
        Shape::Custom(_) => {}
    }
}

/// When a window's key may be forgotten, in milliseconds: at the end of the longest window that has
/// the same key, for two that begin together do.
fn kept_until(start: Timestamp, period: u64, periods: &[u64]) -> u64 {
    let together = |other: &&u64| start.as_micros().is_multiple_of(**other);
    let longest = periods.iter().filter(together).copied().fold(period, u64::max);
    (start + longest).as_micros().div_ceil(1_000) + SLACK
}

// Writing to a vector cannot fail.

pub(super) fn array(out: &mut Vec<u8>, len: usize) {
    let _ = write_array_len(out, u32::try_from(len).unwrap_or(u32::MAX));
}

pub(super) fn uint(out: &mut Vec<u8>, value: u64) {
    let _ = write_uint(out, value);
}

/// A number that may be below zero.
pub(super) fn int(out: &mut Vec<u8>, value: i64) {
    let _ = write_sint(out, value);
}

pub(super) fn text(out: &mut Vec<u8>, value: &str) {
    let _ = write_str(out, value);
}
