//! The suite that every backend passes: cases as data, backends as adapters.
//!
//! A case is a policy and a few steps: move the time, ask, compare the whole answer. What is
//! expected was worked out from the definitions of the algorithms, not recorded from a backend. The
//! corpus covers all six algorithms, the edges of windows, costs, batches, refunds, resets, clocks
//! that are set back, and keys that stores like to get wrong.
//!
//! A backend of your own is run through it like this; here it is the [`Reference`](super::Reference):
//!
//! ```
//! use actix_smart_ratelimit::test_util::{Reference, conformance};
//!
//! struct Mine;
//!
//! impl conformance::Adapter for Mine {
//!     async fn subject(&self) -> conformance::Subject {
//!         conformance::Subject::new(Reference::new())
//!     }
//! }
//!
//! # actix_web::rt::System::new().block_on(async {
//! conformance::run(&Mine).await.assert();
//! # });
//! ```
//!
//! A backend that goes by a clock of its own, such as a server's, says how that clock is set:
//! [`Subject::own_clock`]. A backend that cannot do something skips those cases, and says why:
//! [`Adapter::skip`].

use self::runner::Run;
use crate::{Error, Timestamp};

mod adapter;
mod answer;
mod case;
mod duration;
mod parse;
mod report;
mod runner;

pub use adapter::{Adapter, MemoryAdapter, Subject};
pub use case::Case;
pub use report::{Failure, Report, Skipped};

/// The corpus, by name of the file.
const FILES: [(&str, &str); 9] = [
    ("fixed_window", include_str!("../corpus/fixed_window.toml")),
    ("sliding_window", include_str!("../corpus/sliding_window.toml")),
    ("sliding_window_counter", include_str!("../corpus/sliding_window_counter.toml")),
    ("token_bucket", include_str!("../corpus/token_bucket.toml")),
    ("leaky_bucket", include_str!("../corpus/leaky_bucket.toml")),
    ("gcra", include_str!("../corpus/gcra.toml")),
    ("batch", include_str!("../corpus/batch.toml")),
    ("keys", include_str!("../corpus/keys.toml")),
    ("extremes", include_str!("../corpus/extremes.toml")),
];

/// Runs every case of the corpus.
pub async fn run(adapter: &impl Adapter) -> Report {
    match corpus() {
        Ok(cases) => run_cases(adapter, &cases).await,
        Err(error) => Report::broken_corpus(&error),
    }
}

/// Runs some cases: a part of the corpus, or cases of your own.
pub async fn run_cases(adapter: &impl Adapter, cases: &[Case]) -> Report {
    let mut report = Report::default();
    let mut earliest = Timestamp::ZERO;
    for case in cases {
        if let Some(reason) = adapter.skip(case) {
            report.skip(case, reason);
            continue;
        }
        let subject = adapter.subject().await;
        let mut run = Run::new(&subject, case, earliest);
        report.record(case, run.take_all().await);
        earliest = run.latest();
    }
    report
}

/// The cases of the corpus.
///
/// # Errors
/// Never in a release: the corpus is part of the crate.
pub fn corpus() -> Result<Vec<Case>, Error> {
    let mut cases = Vec::new();
    for (file, text) in FILES {
        cases.extend(Case::parse(file, text)?);
    }
    Ok(cases)
}
