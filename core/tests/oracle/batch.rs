//! All or nothing, naively: do one after the other, and undo everything if one is refused.

use std::collections::HashMap;

use actix_smart_ratelimit_core::Mode;

use super::{Answer, History, Rule};

/// One check of a batch. Two checks share a history when key and `state` are the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) key: &'static str,
    pub(crate) state: usize,
    pub(crate) rule: Rule,
    pub(crate) count_refused: bool,
    pub(crate) cost: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    histories: HashMap<(&'static str, usize), History>,
}

impl Ledger {
    pub(crate) fn settle(&mut self, now: u64, asked: &[Asked], mode: Mode) -> Vec<Answer> {
        let before = self.histories.clone();
        let answers: Vec<Answer> = asked
            .iter()
            .map(|check| self.history(check).take(&check.rule, now, check.cost.into()))
            .collect();
        let allowed = answers.iter().all(|answer| answer.allowed);
        if allowed && mode == Mode::Charge {
            return answers;
        }
        self.histories = before;
        let each = asked.iter().zip(answers);
        each.map(|(check, answer)| self.undone(now, check, answer, mode)).collect()
    }

    /// The answer to one check of a batch that is not charged.
    fn undone(&mut self, now: u64, check: &Asked, answer: Answer, mode: Mode) -> Answer {
        let history = self.history(check);
        let cost = u64::from(check.cost);
        if mode == Mode::Charge && check.count_refused {
            history.punish(&check.rule, now, cost);
            let after = history.look(&check.rule, now, cost);
            if after.allowed == answer.allowed {
                return after;
            }
            return Answer { allowed: answer.allowed, retry_at: answer.retry_at, ..after };
        }
        if answer.allowed {
            return Answer { allowed: true, retry_at: None, ..history.look(&check.rule, now, 0) };
        }
        if mode == Mode::Charge {
            history.see(now);
        }
        answer
    }

    fn history(&mut self, check: &Asked) -> &mut History {
        self.histories.entry((check.key, check.state)).or_default()
    }
}
