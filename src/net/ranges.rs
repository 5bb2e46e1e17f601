//! Sorted, disjoint ranges of numbers, searched by halving.

/// Inclusive ranges that neither overlap nor touch, in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranges<T>(Box<[(T, T)]>);

impl<T: Copy + Ord> Ranges<T> {
    /// Sorts and merges `(first, last)` pairs; `successor` is `None` for the greatest number.
    pub(super) fn merge(mut pairs: Vec<(T, T)>, successor: fn(T) -> Option<T>) -> Self {
        pairs.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(pairs.len());
        for (first, last) in pairs {
            match merged.last_mut() {
                Some((_, end)) if successor(*end).is_none_or(|after| first <= after) => {
                    *end = last.max(*end);
                }
                _ => merged.push((first, last)),
            }
        }
        Self(merged.into_boxed_slice())
    }

    pub(super) fn contains(&self, value: T) -> bool {
        let following = self.0.partition_point(|(first, _)| *first <= value);
        let candidate = following.checked_sub(1).and_then(|index| self.0.get(index));
        candidate.is_some_and(|(_, last)| value <= *last)
    }

    pub(super) fn as_slice(&self) -> &[(T, T)] {
        &self.0
    }
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(pairs: &[(u8, u8)]) -> Ranges<u8> {
        Ranges::merge(pairs.to_vec(), |value| value.checked_add(1))
    }

    #[test]
    fn overlapping_nested_and_touching_ranges_become_one() {
        let ranges = merged(&[(40, 50), (10, 20), (12, 15), (20, 22), (23, 30)]);
        assert_eq!(ranges.as_slice(), [(10, 30), (40, 50)]);
    }

    #[test]
    fn a_range_that_ends_at_the_greatest_number_absorbs_the_rest() {
        assert_eq!(merged(&[(200, 255), (255, 255), (201, 202)]).as_slice(), [(200, 255)]);
    }

    #[test]
    fn membership_agrees_with_a_plain_scan_of_the_pairs() {
        let pairs = [(0, 0), (5, 9), (7, 12), (14, 14), (250, 255)];
        let ranges = merged(&pairs);
        for value in 0..=u8::MAX {
            let expected = pairs.iter().any(|(first, last)| (*first..=*last).contains(&value));
            assert_eq!(ranges.contains(value), expected, "{value}");
        }
        assert!(!merged(&[]).contains(0));
    }
}
