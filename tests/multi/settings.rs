//! What cannot be set.

use actix_smart_ratelimit::{
    Algorithm, Batch, Charge, Error, MemoryBackend, Policy, Rate,
    backend::{Backend, BackendError, BoxFuture, Health, Progress, Stats, multi::MultiBackend},
};

use super::support::backends::{Mood, Remote};

fn memory() -> MemoryBackend {
    MemoryBackend::new(10)
}

#[test]
fn members_are_one_to_64_with_names_of_their_own() {
    let error = MultiBackend::builder().build().unwrap_err();
    assert_eq!(error.field(), "members");
    let many =
        (0..65).fold(MultiBackend::builder(), |builder, n| builder.member(n.to_string(), memory()));
    assert!(many.build().unwrap_err().to_string().contains("1 to 64"));
    for names in [["", "b"], ["a\n", "b"], ["a", "a"]] {
        let builder = MultiBackend::builder();
        let error = builder.member(names[0], memory()).member(names[1], memory()).build();
        assert_eq!(error.unwrap_err().field(), "members", "{names:?}");
    }
}

/// Keeps GCRA and nothing else.
#[derive(Debug)]
struct Picky(MemoryBackend);

impl Backend for Picky {
    fn check(&self, batch: &mut Batch<'_>) -> Progress {
        self.0.check(batch)
    }
    fn peek(&self, batch: &mut Batch<'_>) -> Progress {
        self.0.peek(batch)
    }
    fn reset(&self, key: &str) -> BoxFuture<Result<(), BackendError>> {
        self.0.reset(key)
    }
    fn refund(&self, charge: Charge<'_>) -> BoxFuture<Result<(), BackendError>> {
        self.0.refund(charge)
    }
    fn health(&self) -> BoxFuture<Result<Health, BackendError>> {
        self.0.health()
    }
    fn stats(&self) -> Stats {
        self.0.stats()
    }
    fn validate(&self, policy: &Policy, _: u32) -> Result<(), Error> {
        match policy.algorithm() {
            Some(Algorithm::Gcra) => Ok(()),
            _ => Err(Error::new("algorithm", "", "too hard", "use gcra")),
        }
    }
}

#[test]
fn a_policy_is_taken_up_only_if_every_member_can_keep_it() {
    let builder = MultiBackend::builder().member("any", Remote::new(Mood::Answers));
    let multi = builder.member("picky", Picky(memory())).build().unwrap();
    assert!(multi.validate(&Policy::new(Algorithm::Gcra, Rate::per_hour(1)), 1).is_ok());
    assert!(multi.validate(&Policy::new(Algorithm::FixedWindow, Rate::per_hour(1)), 1).is_err());
}

#[test]
fn members_are_found_by_name_and_stats_are_their_sums() {
    let builder = MultiBackend::builder().member("a", memory());
    let multi = builder.member("b", memory()).build().unwrap();
    assert!(multi.member("b").is_some() && multi.member("c").is_none());
    assert_eq!(multi.stats().max_keys, 20);
}
