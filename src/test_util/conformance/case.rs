//! Cases, ready to be run.

use super::{answer::Answer, parse};
use crate::{Algorithm, Error, Policy};

/// One behaviour: policies, and steps with the answers that are expected.
#[derive(Clone, Debug)]
pub struct Case {
    pub(super) name: String,
    pub(super) policies: Vec<Policy>,
    /// Microseconds after the base at which the case begins.
    pub(super) start: u64,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    /// How far the time moves before the step: whether back, and microseconds.
    pub(super) advance: (bool, u64),
    /// How often the step is taken, with its advance each time.
    pub(super) repeat: u32,
    pub(super) op: Op,
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    Check(Vec<Asked>),
    Peek(Vec<Asked>),
    Reset {
        key: String,
    },
    /// `charged` is in microseconds after the base.
    Refund {
        key: String,
        policy: usize,
        cost: u32,
        charged: u64,
    },
}

/// A check and the answer that is expected.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) key: String,
    /// Index of its policy.
    pub(super) policy: usize,
    pub(super) cost: u32,
    pub(super) expected: Answer,
}

impl Case {
    /// Reads cases of your own, written like those of the corpus; `file` is what their names begin
    /// with.
    ///
    /// ```
    /// use actix_smart_ratelimit::test_util::conformance::Case;
    ///
    /// let cases = Case::parse("mine", r#"
    ///     [[case]]
    ///     name = "a permit comes back when its window ends"
    ///     policy = { algorithm = "fixed_window", rate = "1/m" }
    ///     steps = [
    ///         { allowed = true, remaining = 0, reset = "60s" },
    ///         { advance = "59s", allowed = false, remaining = 0, reset = "1s", retry = "1s" },
    ///         { advance = "1s", allowed = true, remaining = 0, reset = "60s" },
    ///     ]
    /// "#)?;
    /// assert_eq!(cases[0].name(), "mine/a permit comes back when its window ends");
    /// # Ok::<(), actix_smart_ratelimit::Error>(())
    /// ```
    ///
    /// | of a case | meaning |
    /// |---|---|
    /// | `policy` | `algorithm` and `rate`, and where wanted `bucket_size`, `refill_rate`, `initial_tokens`, `window`, `count_refused` |
    /// | `policies` | several, by name |
    /// | `start` | how long after midnight UTC of a Thursday it begins; `"0s"` by default |
    /// | `pad` | how many `x` are put before every key; 0 by default |
    ///
    /// | of a step | meaning |
    /// |---|---|
    /// | `advance` | how far the time moves before, also back: `"-1h"` |
    /// | `repeat` | how often it is taken; only then may parts of the answer be left out |
    /// | `op` | `check` (the default), `peek`, `reset` or `refund` |
    /// | `key`, `policy`, `cost` | by default `k`, the only policy, and 1 |
    /// | `charged` | for a refund: how long after midnight the charge was taken |
    /// | `allowed`, `remaining`, `reset`, `retry` | the answer; times from now, or `"never"` |
    /// | `checks` | several checks with their answers, asked as one batch |
    ///
    /// # Errors
    /// When a case cannot be understood.
    pub fn parse(file: &str, text: &str) -> Result<Vec<Self>, Error> {
        parse::cases(file, text)
    }

    /// The name: that of its file, a slash, and a sentence.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The policies that it asks, as an adapter may want to know before it skips a case.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Whether a policy has this algorithm.
    #[must_use]
    pub fn uses(&self, algorithm: Algorithm) -> bool {
        self.policies.iter().any(|policy| policy.algorithm() == Some(algorithm))
    }
}
