//! Interleaved rounds and their medians.

use anyhow::{Context, Result};

/// Rounds of a run; odd, so that the median is a value that was measured.
pub(crate) const ROUNDS: usize = 21;

/// Rounds of a `--quick` run.
pub(crate) const QUICK_ROUNDS: usize = 11;

/// Something that can be measured in short slices.
pub(crate) struct Contender<'a, T> {
    name: String,
    slice: Box<dyn FnMut() -> Result<T> + 'a>,
}

impl<'a, T> Contender<'a, T> {
    /// `slice` does a fixed amount of work and answers what it measured.
    pub(crate) fn new(name: impl Into<String>, slice: impl FnMut() -> Result<T> + 'a) -> Self {
        Self { name: name.into(), slice: Box::new(slice) }
    }

    fn measure(&mut self) -> Result<T> {
        (self.slice)().with_context(|| format!("measuring {}", self.name))
    }
}

/// What one contender measured, one value per round.
#[derive(Debug, Clone)]
pub(crate) struct Samples<T> {
    pub(crate) name: String,
    pub(crate) rounds: Vec<T>,
}

impl<T> Samples<T> {
    /// The same rounds seen as one figure each.
    pub(crate) fn figures(&self, figure: impl Fn(&T) -> f64) -> Samples<f64> {
        Samples { name: self.name.clone(), rounds: self.rounds.iter().map(figure).collect() }
    }
}

impl Samples<f64> {
    /// The median over the rounds.
    pub(crate) fn median(&self) -> f64 {
        median(self.rounds.clone())
    }

    /// The median of `self ÷ other`, each quotient taken within one round.
    ///
    /// Two slices of one round ran side by side, so a slow stretch of the
    /// machine cancels out of their quotient but not out of two medians.
    pub(crate) fn ratio(&self, other: &Self) -> f64 {
        median(self.paired(other, |ours, theirs| ours / theirs))
    }

    /// What `self` costs more than `base`, round by round.
    pub(crate) fn minus(&self, base: &Self) -> Self {
        Self { name: self.name.clone(), rounds: self.paired(base, |value, base| value - base) }
    }

    fn paired(&self, other: &Self, combine: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let pairs = self.rounds.iter().zip(&other.rounds);
        pairs.map(|(one, two)| combine(*one, *two)).collect()
    }
}

/// Lets the contenders take turns for `rounds` rounds, after one discarded
/// warming slice each.
///
/// Who begins moves on by one each round: nobody always follows the same
/// neighbour.
pub(crate) fn interleave<T>(
    rounds: usize,
    contenders: &mut [Contender<'_, T>],
) -> Result<Vec<Samples<T>>> {
    for contender in contenders.iter_mut() {
        contender.measure()?;
    }
    let count = contenders.len();
    let mut measured: Vec<Vec<T>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            measured[index].push(contenders[index].measure()?);
        }
    }
    let names = contenders.iter().map(|contender| contender.name.clone());
    Ok(names.zip(measured).map(|(name, rounds)| Samples { name, rounds }).collect())
}

/// The middle value; of an even count the upper of the two in the middle.
/// NaN when there is none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    match values.len() {
        even if even > 0 && even.is_multiple_of(2) => (values[even / 2 - 1] + upper) / 2.0,
        _ => upper,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn samples(rounds: &[f64]) -> Samples<f64> {
        Samples { name: String::new(), rounds: rounds.to_vec() }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((super::median(vec![4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_median_ignores_a_slow_round() {
        assert_eq!(samples(&[3.0, 900.0, 2.0, 1.0, 4.0]).median(), 3.0);
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        let ours = samples(&[1.0, 10.0, 100.0]);
        let theirs = samples(&[2.0, 20.0, 200.0]);
        assert_eq!(ours.ratio(&theirs), 0.5);
    }

    #[test]
    fn contenders_take_turns_and_the_first_place_rotates() {
        let log = RefCell::new(String::new());
        let contender = |name: &'static str| {
            let log = &log;
            Contender::new(name, move || {
                log.borrow_mut().push_str(name);
                Ok(0.0)
            })
        };
        let mut contenders = [contender("a"), contender("b"), contender("c")];
        let samples = interleave(3, &mut contenders).unwrap();
        assert_eq!(*log.borrow(), "abc".to_owned() + "abc" + "bca" + "cab");
        assert!(samples.iter().all(|samples| samples.rounds.len() == 3));
    }
}
