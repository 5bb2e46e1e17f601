//! From checks to what the scripts read: whole numbers in `MessagePack`.

use rmp::encode::{write_array_len, write_sint, write_str, write_uint};

use super::{
    layout::{Kind, window_start},
    support::LONGEST_FILL,
};
use crate::{Batch, Check, Mode, Policy, Shape, Timestamp};

/// The checks of one batch, or of a part of it, ready to be sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) keys: Vec<String>,
    pub(super) message: Vec<u8>,
    pub(super) checks: usize,
    /// How many of the checks are of logs.
    pub(super) logs: usize,
}

impl Group {
    /// The checks of a batch, of which windows on the clock are those of `at`. `None` if one is of an
    /// algorithm that the scripts do not know.
    pub(super) fn of(batch: &Batch<'_>, mode: Mode, at: Timestamp) -> Option<Self> {
        let checks = batch.checks();
        let mut group = Self { checks: checks.len(), ..Self::default() };
        array(&mut group.message, checks.len() + 1);
        uint(&mut group.message, u64::from(mode == Mode::Charge));
        for (index, check) in checks.iter().enumerate() {
            let kind = Kind::of(check.policy)?;
            group.keys.push(kind.state_key(check.key, window_of(check.policy, at)));
            group.logs += usize::from(kind == Kind::Log);
            encode(&mut group.message, kind, check, earlier(checks, index), at);
        }
        Some(group)
    }
}

/// A check alone, and its key.
pub(super) fn check(check: &Check<'_>, at: Timestamp) -> Option<(String, Vec<u8>)> {
    let kind = Kind::of(check.policy)?;
    let mut message = Vec::new();
    encode(&mut message, kind, check, 0, at);
    Some((kind.state_key(check.key, window_of(check.policy, at)), message))
}

/// Number of the latest check before `index` on the same state, counted from 1; 0 if there is none.
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

fn encode(out: &mut Vec<u8>, kind: Kind, check: &Check<'_>, shared: usize, at: Timestamp) {
    let head = |out: &mut Vec<u8>, more: usize| {
        array(out, 4 + more);
        uint(out, kind as u64);
        uint(out, shared as u64);
        uint(out, check.cost.into());
        uint(out, check.policy.counts_refused().into());
    };
    match check.policy.shape() {
        Shape::Window(window) => {
            head(out, 3);
            uint(out, window.limit().into());
            uint(out, window.period());
            match kind {
                Kind::ClockWindow => uint(out, window_of(check.policy, at).as_micros()),
                _ => text(out, &window.period().to_string()),
            }
        }
        Shape::Log(log) => {
            head(out, 2);
            uint(out, log.limit().into());
            uint(out, log.period());
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
