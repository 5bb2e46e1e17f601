//! What waits is decided: at once what can be, the rest under locks.

use super::{
    answer::Answer,
    attempt::Scope,
    charge::{Charge, Charged, Plan, Plans},
    commit::decide,
    fault::Fault,
    tables::Tables,
    ticket::Order,
    worker::{Connection, Worker},
};
use crate::{Timestamp, backend::Fate};

impl<T: Tables> Worker<T> {
    pub(super) fn decide(
        &self,
        connection: &mut Connection<T>,
        orders: Vec<Order>,
        deadline: Timestamp,
    ) {
        let orders = match T::CHARGES_AT_ONCE {
            true => self.charge(connection, orders, deadline),
            false => orders,
        };
        if orders.is_empty() {
            return;
        }
        let requests = || orders.iter().map(|order| &order.ticket().request);
        let may_take = |index: usize| orders[index].ticket().claim.take();
        let time = &self.shared.time;
        let work = |tables: &mut T| decide(tables, requests(), may_take, time);
        let decided = self
            .post
            .timed(self.number, || self.attempt(connection, deadline, Scope::Transaction, work));
        match decided {
            Ok(answers) => self.answer(orders.into_iter().zip(answers)),
            Err(error) => {
                let failed = |order| (order, Answer::Failed(error.clone()));
                self.answer(orders.into_iter().map(failed));
            }
        }
    }

    fn answer(&self, answers: impl Iterator<Item = (Order, Answer)>) {
        self.shared.hubs.answer(answers);
    }

    /// Charges what can be charged at once, answers it, and hands back the rest in its order.
    fn charge(
        &self,
        connection: &mut Connection<T>,
        orders: Vec<Order>,
        deadline: Timestamp,
    ) -> Vec<Order> {
        let Plans { counters, states } = Plans::of(orders.iter().map(Order::ticket));
        let now = self.shared.time.manual();
        let mut orders: Vec<_> = orders.into_iter().map(Some).collect();
        self.charge_rows(connection, &mut orders, deadline, &counters, |tables, charges| {
            Ok(tables.charge_counters(charges, now)?)
        });
        self.charge_rows(connection, &mut orders, deadline, &states, |tables, charges| {
            Ok(tables.charge_states(charges, now)?)
        });
        let rest: Vec<_> = orders.into_iter().flatten().collect();
        rest.iter().for_each(|order| order.ticket().claim.release());
        rest
    }

    fn charge_rows<C: Charge>(
        &self,
        connection: &mut Connection<T>,
        orders: &mut [Option<Order>],
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
        let mut take = |index: usize| orders.get_mut(index).and_then(Option::take);
        match charged {
            Ok(charged) => {
                let (mut rows, mut taken) = (Vec::new(), Vec::new());
                for (row, requests) in charged.iter().filter_map(|charged| plan.found(charged)) {
                    let place = rows.len();
                    taken.extend(requests.iter().filter_map(|&index| Some((take(index)?, place))));
                    rows.push(row);
                }
                self.answer(taken.into_iter().filter_map(|(order, place)| {
                    let answer = rows.get_mut(place)?.settle(&order.ticket().request);
                    Some((order, answer))
                }));
            }
            // Nothing was charged: what SQL cannot do with some row, the transitions can, or what is
            // wrong is told to everybody.
            Err(error) if error.fate() == Fate::NotCharged => {}
            Err(error) => {
                let failed = |index| Some((take(index)?, Answer::Failed(error.clone())));
                self.answer(plan.requests().filter_map(failed));
            }
        }
    }
}
