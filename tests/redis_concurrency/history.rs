//! Whether what was decided about a key can have been decided one after the other.
//!
//! While no permit comes back, a history of checks of one permit each is that of a counter if and only
//! if: no more than the limit are admitted; what is left after each admission is another number each
//! time, from the limit less one down without a gap; of two admissions of which one was answered before
//! the other was asked for, the later leaves less; and nobody is refused before the last permit could
//! have been taken.

use std::{fmt::Write, str::FromStr};

use rustix::time::{ClockId, clock_gettime};

/// What was seen of one key by one or more processes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct History {
    admissions: Vec<Admission>,
    /// When the first refusal was answered.
    refused: Option<u64>,
}

/// One check that was admitted; times are those of the machine's steady clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Admission {
    asked: u64,
    answered: u64,
    remaining: u64,
}

/// Nanoseconds by a clock that all processes of a machine share.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

impl History {
    pub(crate) fn admit(&mut self, asked: u64, remaining: u64) {
        self.admissions.push(Admission { asked, answered: now(), remaining });
    }

    pub(crate) fn refuse(&mut self) {
        self.refuse_at(now());
    }

    fn refuse_at(&mut self, at: u64) {
        self.refused = Some(self.refused.map_or(at, |first| first.min(at)));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.admissions.extend(other.admissions);
        if let Some(at) = other.refused {
            self.refuse_at(at);
        }
    }

    /// Why this is not the history of a counter of `limit` permits for all of which there was demand.
    pub(crate) fn fault(&self, limit: u64) -> Option<String> {
        let mut order = self.admissions.clone();
        order.sort_unstable_by_key(|admission| std::cmp::Reverse(admission.remaining));
        let left: Vec<_> = order.iter().map(|admission| admission.remaining).collect();
        if left != (0..limit).rev().collect::<Vec<_>>() {
            let [first, last] = [left.first(), left.last()];
            let count = left.len();
            return Some(format!("{count} admissions of {limit}, {first:?} to {last:?} left"));
        }
        let mut earliest_answer = u64::MAX;
        for Admission { asked, answered, remaining } in order.iter().rev() {
            if *asked > earliest_answer {
                return Some(format!("asked for after less was left than {remaining}"));
            }
            earliest_answer = earliest_answer.min(*answered);
        }
        let last = order.iter().map(|admission| admission.asked).max();
        match (self.refused, last) {
            (None, _) => Some("nobody is refused".into()),
            (Some(refused), Some(last)) if refused < last => {
                Some("somebody is refused before the last permit was asked for".into())
            }
            _ => None,
        }
    }

    /// As one word.
    pub(crate) fn written(&self) -> String {
        let mut text = self.refused.map_or_else(String::new, |at| at.to_string());
        for Admission { asked, answered, remaining } in &self.admissions {
            write!(text, ";{asked},{answered},{remaining}").unwrap();
        }
        text
    }
}

impl FromStr for History {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (refused, admissions) = text.split_once(';').unwrap_or((text, ""));
        let refused = if refused.is_empty() { None } else { Some(refused.parse()?) };
        let mut read = Self { refused, ..Self::default() };
        for admission in admissions.split_terminator(';') {
            let numbers: Vec<u64> =
                admission.split(',').map(str::parse).collect::<Result<_, _>>()?;
            let [asked, answered, remaining] = numbers[..] else { panic!("{admission}") };
            read.admissions.push(Admission { asked, answered, remaining });
        }
        Ok(read)
    }
}

fn history(admissions: &[(u64, u64, u64)], refused: Option<u64>) -> History {
    let admission = |&(asked, answered, remaining)| Admission { asked, answered, remaining };
    History { admissions: admissions.iter().map(admission).collect(), refused }
}

#[test]
fn histories_of_counters_are_accepted() {
    let one_by_one = history(&[(1, 2, 1), (3, 4, 0)], Some(5));
    assert_eq!(one_by_one.fault(2), None);
    let at_once = history(&[(1, 9, 0), (2, 8, 1)], Some(3));
    assert_eq!(at_once.fault(2), None);
    assert_eq!(at_once.written().parse(), Ok(at_once));
}

#[test]
fn histories_of_no_counter_are_rejected() {
    for (admissions, refused, why) in [
        (&[(1, 2, 1), (3, 4, 0), (5, 6, 0)][..], Some(7), "one too many"),
        (&[(1, 2, 1)], Some(7), "one too few"),
        (&[(1, 2, 1), (3, 4, 1)], Some(7), "one permit twice"),
        (&[(1, 2, 0), (3, 4, 1)], Some(7), "the later leaves more"),
        (&[(1, 2, 1), (5, 6, 0)], Some(3), "refused too early"),
        (&[(1, 2, 1), (3, 4, 0)], None, "never refused"),
    ] {
        assert!(history(admissions, refused).fault(2).is_some(), "{why}");
    }
}
