//! What nobody should have written.

use actix_smart_ratelimit::{
    Algorithm::{FixedWindow, Gcra, LeakyBucket, SlidingWindow, SlidingWindowCounter, TokenBucket},
    Charge, Check, Mode, Policy, Rate, WindowStart,
    backend::{Backend, ErrorKind, Fate},
};
use tokio::join;

use crate::{
    KEY, Subject,
    support::asking::{ask, left, take},
};

const RATE: Rate = Rate::per_minute(10);

/// Commands of which each leaves a state of `policy` that cannot be read. `{key}` is the key, and
/// `{start}` the second in which the present window on the clock began.
fn broken() -> Vec<(Policy, Vec<&'static str>)> {
    let first = Policy::builder(FixedWindow, RATE).window_start(WindowStart::FirstRequest);
    vec![
        (
            Policy::new(SlidingWindow, RATE),
            vec![
                "SET {key} 3",
                "HSET {key} tokens 3",
                "ZADD {key} inf member",
                "ZADD {key} 1795491221246 of-milliseconds",
                "ZADD {key} -5 member",
            ],
        ),
        (
            first.build().unwrap(),
            vec![
                "ZADD {key} 1795491221 member",
                "SET {key} three",
                "SET {key} -3",
                "SET {key} 1.5",
                "SET {key} 3e2",
                "SET {key} 0x10",
            ],
        ),
        (
            Policy::new(FixedWindow, RATE),
            vec!["LPUSH {key}:{start} 3", "SET {key}:{start} three", "SET {key}:{start} -3"],
        ),
        (
            Policy::new(TokenBucket, RATE),
            vec![
                "SET {key}:token_bucket 3",
                "HSET {key}:token_bucket tokens three last_refill 1795491221",
                "HSET {key}:token_bucket tokens nan last_refill 1795491221",
                "HSET {key}:token_bucket tokens inf last_refill 1795491221",
                "HSET {key}:token_bucket tokens -inf last_refill 1795491221",
                "HSET {key}:token_bucket tokens 3 last_refill yesterday",
                "HSET {key}:token_bucket tokens 3 last_refill -1",
                "HSET {key}:token_bucket tokens 3 last_refill nan",
            ],
        ),
        (
            Policy::new(LeakyBucket, RATE),
            vec![
                "SADD {key}:leaky_bucket 3",
                "HSET {key}:leaky_bucket level three last_leak 1795491221",
                "HSET {key}:leaky_bucket level 1e300 last_leak 1795491221",
            ],
        ),
        (Policy::new(Gcra, RATE), vec!["SET {key}:gcra 3", "HSET {key}:gcra 1/6000000 soon"]),
        (
            Policy::new(SlidingWindowCounter, RATE),
            vec!["SET {key}:swc 3", "HSET {key}:swc 60000000 1.5"],
        ),
    ]
}

#[actix_web::test]
async fn what_cannot_be_read_is_an_error_of_its_key_alone() {
    let subject = Subject::new();
    let start = (subject.clock.now().as_micros() / 1_000_000).to_string();
    let mut number = 0;
    for (policy, commands) in broken() {
        for command in commands {
            number += 1;
            let (bad, good) = (format!("bad {number}"), format!("good {number}"));
            let words: Vec<_> = command
                .split(' ')
                .map(|word| word.replace("{key}", &bad).replace("{start}", &start))
                .collect();
            subject.server.cli(&words.iter().map(String::as_str).collect::<Vec<_>>());
            assert_broken(&subject, command, &policy, &bad, &good).await;
        }
    }
}

async fn assert_broken(subject: &Subject, command: &str, policy: &Policy, bad: &str, good: &str) {
    let backend = &subject.backend;
    let check = |key| Check { key, policy, cost: 1 };
    let (bad_alone, good_alone) = (&[check(bad)], &[check(good)]);
    // They travel together.
    let (one, other, third) = join!(
        ask(backend, good_alone, Mode::Charge),
        ask(backend, bad_alone, Mode::Charge),
        ask(backend, good_alone, Mode::Charge),
    );
    assert!(one.unwrap().is_allowed() && third.unwrap().is_allowed(), "{command}");
    let both = ask(backend, &[check(good), check(bad)], Mode::Charge).await;
    let peeked = ask(backend, bad_alone, Mode::Peek).await;
    for verdict in [other, both, peeked] {
        let error = verdict.expect_err(command);
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Setup, Fate::NotCharged), "{command}");
    }
    assert_eq!(left(backend, good, policy).await, 8, "{command}");
    let charge = Charge { key: bad, policy, cost: 1, charged_at: subject.clock.now() };
    let refunded = backend.refund(charge).await;
    assert_eq!(refunded.expect_err(command).kind(), ErrorKind::Setup, "{command}");
    backend.reset(bad).await.unwrap();
    assert_eq!(take(backend, bad, policy, 1).await.remaining(), 9, "{command}");
}

#[actix_web::test]
async fn a_state_of_which_a_part_is_missing_is_none() {
    let subject = Subject::new();
    let backend = &subject.backend;
    subject.cli(&format!("HSET {KEY}:token_bucket tokens 3"));
    assert_eq!(left(backend, KEY, &Policy::new(TokenBucket, RATE)).await, 10);
    subject.cli(&format!("HSET {KEY}:leaky_bucket last_leak 1795491221"));
    assert_eq!(left(backend, KEY, &Policy::new(LeakyBucket, RATE)).await, 10);
    // A window that would never end.
    let first = Policy::builder(FixedWindow, RATE).window_start(WindowStart::FirstRequest);
    subject.cli(&format!("SET {KEY} 9"));
    assert_eq!(take(backend, KEY, &first.build().unwrap(), 1).await.remaining(), 9);
    assert!(subject.expiry(KEY) > 0);
}
