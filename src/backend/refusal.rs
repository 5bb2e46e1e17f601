//! Which refusals stay true.

use crate::{Check, Shape};

/// Whether a refusal of this check stays the same answer until it would be admitted, as long as the
/// key is neither reset nor given anything back.
#[inline]
pub(super) fn is_repeatable(check: &Check<'_>) -> bool {
    check.cost == 1
        && !check.policy.counts_refused()
        && !matches!(check.policy.shape(), Shape::Custom(_))
}
