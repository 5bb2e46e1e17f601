//! What waits is decided: at once what can be, the rest under locks.

use super::{
    attempt::Scope,
    charge::{Charge, Charged, Plan, Plans},
    commit::{Request, decide},
    fault::Fault,
    job::{Answer, Claim},
    tables::Tables,
    worker::{Connection, Worker},
};
use crate::{Timestamp, Verdict};

/// A request, and who waits for its answer.
pub(super) type Waiting = (Request, Answer<Verdict>, Claim);

/// Whether it is still wanted; from then on it is certain no more that nothing was charged.
fn may_take((_, answer, claim): &Waiting) -> bool {
    !answer.is_closed() && claim.take()
}

impl<T: Tables> Worker<T> {
    pub(super) fn decide(
        &self,
        connection: &mut Connection<T>,
        waiting: Vec<Waiting>,
        deadline: Timestamp,
    ) {
        let waiting = match T::CHARGES_AT_ONCE {
            true => self.charge(connection, waiting, deadline),
            false => waiting,
        };
        if waiting.is_empty() {
            return;
        }
        let requests = || waiting.iter().map(|(request, ..)| request);
        let may_take = |index: usize| may_take(&waiting[index]);
        let time = &self.shared.time;
        let work = |tables: &mut T| decide(tables, requests(), may_take, time);
        let decided = self
            .post
            .timed(self.number, || self.attempt(connection, deadline, Scope::Transaction, work));
        match decided {
            Ok(verdicts) => {
                for ((_, answer, _), verdict) in waiting.into_iter().zip(verdicts) {
                    let _ = answer.send(Ok(verdict));
                }
            }
            Err(error) => {
                for (_, answer, _) in waiting {
                    let _ = answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// Charges what can be charged at once, answers it, and hands back the rest.
    fn charge(
        &self,
        connection: &mut Connection<T>,
        waiting: Vec<Waiting>,
        deadline: Timestamp,
    ) -> Vec<Waiting> {
        let requests = waiting.iter().map(|(request, ..)| request);
        let Plans { counters, states } = Plans::of(requests, |index| may_take(&waiting[index]));
        let now = self.shared.time.manual();
        let mut waiting: Vec<_> = waiting.into_iter().map(Some).collect();
        self.charge_rows(connection, &mut waiting, deadline, &counters, |tables, charges| {
            Ok(tables.charge_counters(charges, now)?)
        });
        self.charge_rows(connection, &mut waiting, deadline, &states, |tables, charges| {
            Ok(tables.charge_states(charges, now)?)
        });
        waiting.into_iter().flatten().collect()
    }

    fn charge_rows<C: Charge>(
        &self,
        connection: &mut Connection<T>,
        waiting: &mut [Option<Waiting>],
        deadline: Timestamp,
        plan: &Plan<C>,
        charge: impl Fn(&mut T, &[C]) -> Result<Vec<Charged>, Fault>,
    ) {
        if plan.charges.is_empty() {
            return;
        }
        let work = |tables: &mut T| charge(tables, &plan.charges);
        let charged = self
            .post
            .timed(self.number, || self.attempt(connection, deadline, Scope::Statement, work));
        let answers: Vec<_> = match charged {
            Ok(charged) => {
                let request = |index: usize| Some(&waiting.get(index)?.as_ref()?.0);
                let verdicts = plan.verdicts(&charged, request).into_iter();
                verdicts.map(|(index, verdict)| (index, Ok(verdict))).collect()
            }
            Err(error) => plan.requests().map(|index| (index, Err(error.clone()))).collect(),
        };
        for (index, answer) in answers {
            if let Some((_, sender, _)) = waiting.get_mut(index).and_then(Option::take) {
                // Whoever asked may have given up.
                let _ = sender.send(answer);
            }
        }
    }
}
