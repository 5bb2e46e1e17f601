//! Asking a memory backend, which answers at once.
#![allow(dead_code, reason = "every test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::task::{Context, Poll, Waker};

use actix_smart_ratelimit::backend::{Backend, BoxFuture, Progress};
use actix_smart_ratelimit::{
    Batch, Check, Decision, MemoryBackend, Mode, Policy, Timestamp, Verdict,
};

/// What a future that is ready has.
pub(crate) fn ready<T>(mut future: BoxFuture<T>) -> T {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the memory backend answers at once"),
    }
}

/// Asks several checks at once.
pub(crate) fn ask(memory: &MemoryBackend, now: u64, checks: &[Check<'_>], mode: Mode) -> Verdict {
    let mut batch = Batch::new(Timestamp::from_micros(now));
    for check in checks {
        batch.push(*check).unwrap();
    }
    let progress = match mode {
        Mode::Charge => memory.check(&mut batch),
        Mode::Peek => memory.peek(&mut batch),
    };
    match progress {
        Progress::Done => batch.into_verdict(),
        Progress::Pending(_) => panic!("the memory backend answers at once"),
    }
}

/// Takes `cost` permits.
pub(crate) fn take(
    memory: &MemoryBackend,
    key: &str,
    policy: &Policy,
    now: u64,
    cost: u32,
) -> Decision {
    ask(memory, now, &[Check { key, policy, cost }], Mode::Charge).decisions()[0]
}

/// Looks whether `cost` permits would be admitted.
pub(crate) fn peek(
    memory: &MemoryBackend,
    key: &str,
    policy: &Policy,
    now: u64,
    cost: u32,
) -> Decision {
    ask(memory, now, &[Check { key, policy, cost }], Mode::Peek).decisions()[0]
}

/// Permits that are left.
pub(crate) fn left(memory: &MemoryBackend, key: &str, policy: &Policy, now: u64) -> u64 {
    peek(memory, key, policy, now, 0).remaining()
}
