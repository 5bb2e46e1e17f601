//! The wrappers, and several members, pass the conformance suite around backends that answer later.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod wrap_support;

use std::{sync::Arc, time::Duration};

use actix_smart_ratelimit::{
    backend::{
        multi::MultiBackend,
        wrap::{DenialCache, Leases},
    },
    test_util::{
        Reference,
        conformance::{Adapter, Case, Subject, corpus, run},
    },
};
use wrap_support::Later;

fn store() -> Arc<Later<Reference>> {
    Later::new(Reference::new())
}

/// A cache that repeats answers for this long.
struct Cached(Duration);

impl Adapter for Cached {
    async fn subject(&self) -> Subject {
        Subject::new(DenialCache::around(store()).max_age(self.0))
    }
}

#[actix_web::test]
async fn a_denial_cache_conforms() {
    for max_age in [DenialCache::<()>::DEFAULT_MAX_AGE, Duration::MAX] {
        let report = run(&Cached(max_age)).await;
        report.assert();
        assert_eq!(report.passed().len(), corpus().unwrap().len());
    }
}

/// Two members, of which the first decides.
struct Members;

impl Adapter for Members {
    async fn subject(&self) -> Subject {
        let builder = MultiBackend::builder().deadline(Duration::from_secs(20));
        Subject::new(builder.member("a", store()).member("b", store()).build().unwrap())
    }
}

#[actix_web::test]
async fn several_members_conform() {
    let report = run(&Members).await;
    report.assert();
    assert_eq!(report.passed().len(), corpus().unwrap().len());
}

/// Lots of two.
struct Leased;

const RESET: &str = "the reset that is told is that of the lot";
const HELD: &str = "who looks, gives back or asks for another limit does not see what is held";

const DIFFERENT: [(&str, &str); 18] = [
    ("fixed_window/a peek tells what is left and takes nothing", HELD),
    ("fixed_window/a refund never leaves more than the limit", HELD),
    ("sliding_window/the oldest leaves exactly one period after it came", RESET),
    ("sliding_window/any period holds at most the limit", RESET),
    ("sliding_window/a refusal lasts until as much has left as the cost needs", RESET),
    ("sliding_window/a peek tells what is left and takes nothing", HELD),
    ("sliding_window/a refund takes back the admission of its time and no other", RESET),
    ("sliding_window/a refund of the newest admission brings the reset nearer", RESET),
    ("sliding_window/a changed limit keeps what was taken", HELD),
    ("token_bucket/a full bucket passes its size and refuses the next", RESET),
    ("token_bucket/a refill rate of two tokens a second brings two", RESET),
    ("token_bucket/a reset forgets the bucket", RESET),
    ("leaky_bucket/the capacity passes and the next is refused", RESET),
    ("gcra/the burst passes and the next is refused", RESET),
    ("gcra/an interval that is no whole number of microseconds is not rounded", RESET),
    ("gcra/a peek takes nothing", RESET),
    ("keys/different algorithms on one key are apart", RESET),
    ("extremes/a clock that leaps ten years ahead finds everything fresh", RESET),
];

impl Adapter for Leased {
    async fn subject(&self) -> Subject {
        Subject::new(Leases::around(store(), 2))
    }

    fn skip(&self, case: &Case) -> Option<&str> {
        let different = DIFFERENT.iter().find(|(name, _)| *name == case.name());
        different.map(|(_, reason)| *reason)
    }
}

#[actix_web::test]
async fn leases_conform_where_they_promise_to() {
    let report = run(&Leased).await;
    report.assert();
    assert_eq!(report.skipped().len(), DIFFERENT.len());
    assert!(report.passed().len() > 7 * DIFFERENT.len());
}
