//! The hubs of a backend: one for each runtime on which somebody waits.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::runtime::{Handle, Id};

use super::{answer::Answer, hub::Hub, ticket::Order};

#[derive(Debug, Default)]
pub(super) struct Hubs {
    open: ArcSwap<Vec<Arc<Hub>>>,
}

impl Hubs {
    /// That of the current runtime; none outside of any.
    pub(super) fn current(&self) -> Option<Arc<Hub>> {
        let runtime = Handle::try_current().ok()?.id();
        if let Some(hub) = self.find(runtime) {
            return Some(hub);
        }
        let new = Arc::new(Hub::begin(runtime));
        self.open.rcu(|open| {
            let others = open.iter().filter(|hub| hub.is_open()).cloned();
            others.chain([new.clone()]).collect::<Vec<_>>()
        });
        // Nothing begins on a runtime that is ending.
        new.is_open().then_some(new)
    }

    pub(super) fn is_open(&self, runtime: Id) -> bool {
        self.find(runtime).is_some()
    }

    fn find(&self, runtime: Id) -> Option<Arc<Hub>> {
        let open = self.open.load();
        open.iter().find(|hub| hub.runtime() == runtime && hub.is_open()).cloned()
    }

    /// Hands out answers, those for one runtime together.
    pub(super) fn answer(&self, answers: impl Iterator<Item = (Order, Answer)>) {
        let mut answered = Vec::<(Id, Vec<Order>)>::new();
        for (order, answer) in answers {
            let Some(runtime) = order.answer(answer) else { continue };
            match answered.iter_mut().find(|(other, _)| *other == runtime) {
                Some((_, orders)) => orders.push(order),
                None => answered.push((runtime, vec![order])),
            }
        }
        for (runtime, orders) in answered {
            match self.find(runtime) {
                Some(hub) => hub.wake(orders),
                None => orders.iter().for_each(|order| order.ticket().wake()),
            }
        }
    }
}
