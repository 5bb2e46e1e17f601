//! What a process holds: for each key what is left of its lot.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    Batch, Decision, Policy, Shape, Timestamp, WindowStart,
    backend::wrap::sets::{Sets, WAYS},
};

/// Lots of a bounded number of keys.
#[derive(Debug)]
pub(super) struct Lots {
    sets: Sets<Lot>,
    tickets: AtomicU64,
}

/// Who asks: the hash of the key, and what stands for key, policy and limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker {
    pub(super) key: u64,
    pub(super) id: u64,
}

#[derive(Debug)]
struct Lot {
    asker: Asker,
    /// Permits taken from the store and not handed out.
    left: u32,
    /// Who is asking the store for more; 0: nobody.
    ticket: u64,
    /// Whether the store refused when it was last asked for more.
    refused: bool,
    terms: Terms,
}

/// What the store said when it was last asked for a lot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// The caller's time before the store was asked.
    sent_at: Timestamp,
    /// Microseconds from then on after which the store is asked again.
    life: u64,
    limit: u64,
    /// Permits that were left in the store.
    remaining: u64,
    decided_at: Timestamp,
    reset_at: Timestamp,
    /// When the permits become worthless.
    window_end: Timestamp,
}

/// An admission of permits that the process holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    /// When they were taken from the store.
    pub(super) decided_at: Timestamp,
    pub(super) decision: Decision,
}

/// What a check does next.
#[derive(Debug)]
pub(super) enum Turn {
    /// It is admitted from memory.
    Admitted(Admission),
    /// It asks the store for its own cost.
    Exact,
    /// It asks the store for a lot.
    Fetch {
        /// What it is known by meanwhile.
        ticket: u64,
        /// Permits to ask for.
        cost: u32,
        /// Permits of a window that is over, and when they were taken.
        worthless: Option<(u32, Timestamp)>,
    },
}

impl Lots {
    pub(super) fn new(max_keys: usize) -> Self {
        Self { sets: Sets::new(max_keys), tickets: AtomicU64::new(1) }
    }

    /// Decides about a check of `cost` permits, which is less than a full lot of `size`.
    pub(super) fn turn(&self, asker: Asker, cost: u32, size: u32, now: Timestamp) -> Turn {
        let mut set = self.sets.of(asker.key);
        let Some(lot) = set.iter_mut().find(|lot| lot.asker.id == asker.id) else {
            if !make_room(&mut set, now) {
                return Turn::Exact;
            }
            let ticket = self.ticket();
            let terms = Terms::default();
            set.push(Lot { asker, left: 0, ticket, refused: false, terms });
            return Turn::Fetch { ticket, cost: size, worthless: None };
        };
        let is_live = lot.terms.is_live(now);
        if is_live && lot.left >= cost {
            lot.left -= cost;
            return Turn::Admitted(lot.terms.admission(lot.left));
        }
        if lot.ticket != 0 || (is_live && lot.refused) {
            return Turn::Exact;
        }
        let worthless = lot.terms.window_is_over(now).then(|| std::mem::take(&mut lot.left));
        let worthless = worthless.filter(|left| *left > 0);
        lot.ticket = self.ticket();
        Turn::Fetch {
            ticket: lot.ticket,
            cost: size.saturating_sub(lot.left).max(cost),
            worthless: worthless.map(|left| (left, lot.terms.decided_at)),
        }
    }

    /// Adds `spare` permits, the rest of what the holder of a ticket took, to the lot.
    pub(super) fn fill(&self, asker: Asker, ticket: u64, spare: u32, terms: Terms) -> Admission {
        let mut set = self.sets.of(asker.key);
        let Some(lot) = fetching(&mut set, asker, ticket) else {
            // The key was reset meanwhile: what was taken is forgotten.
            return terms.admission(spare);
        };
        lot.settle(terms, false);
        lot.left = lot.left.saturating_add(spare);
        terms.admission(lot.left)
    }

    /// Notes that the store has no lot. The check is admitted all the same if enough is held.
    pub(super) fn refuse(
        &self,
        asker: Asker,
        ticket: u64,
        cost: u32,
        terms: Terms,
    ) -> Option<Admission> {
        let mut set = self.sets.of(asker.key);
        let lot = fetching(&mut set, asker, ticket)?;
        lot.settle(terms, true);
        lot.left = lot.left.checked_sub(cost)?;
        Some(terms.admission(lot.left))
    }

    /// Lets others ask in place of the holder of a ticket.
    pub(super) fn abandon(&self, asker: Asker, ticket: u64) {
        if let Some(lot) = fetching(&mut self.sets.of(asker.key), asker, ticket) {
            lot.ticket = 0;
        }
    }

    /// Forgets every lot of a key, also what is being asked for.
    pub(super) fn forget(&self, key: u64) {
        self.sets.of(key).retain(|lot| lot.asker.key != key);
    }

    fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }
}

fn fetching(set: &mut [Lot], asker: Asker, ticket: u64) -> Option<&mut Lot> {
    set.iter_mut().find(|lot| lot.asker.id == asker.id && lot.ticket == ticket)
}

/// Makes sure that a set has room for one more, by forgetting the lot that is smallest among those
/// that have ended; whether there is room.
fn make_room(set: &mut Vec<Lot>, now: Timestamp) -> bool {
    if set.len() < WAYS {
        return true;
    }
    let ended =
        set.iter().enumerate().filter(|(_, lot)| lot.ticket == 0 && !lot.terms.is_live(now));
    let Some((smallest, _)) = ended.min_by_key(|(_, lot)| lot.left) else { return false };
    set.swap_remove(smallest);
    true
}

impl Admission {
    pub(super) fn answer(&self, batch: &mut Batch<'_>) {
        batch.decided_at(self.decided_at);
        batch.decide(0, self.decision);
    }
}

impl Lot {
    /// Begins a new life on new terms. Permits of a window are worth nothing in the next.
    fn settle(&mut self, terms: Terms, refused: bool) {
        if terms.decided_at >= self.terms.window_end {
            self.left = 0;
        }
        self.ticket = 0;
        self.refused = refused;
        self.terms = terms;
    }
}

impl Terms {
    /// The terms of an answer that `policy` gave to a question sent at `sent_at`.
    pub(super) fn new(
        policy: &Policy,
        sent_at: Timestamp,
        decided_at: Timestamp,
        decision: &Decision,
        lifetime: u64,
    ) -> Self {
        let window_end = window_end(policy, decided_at, decision.reset_at());
        let ends = match decision.is_allowed() {
            true => window_end,
            // From then on the store might have a lot.
            false => window_end.min(decision.retry_at().unwrap_or(Timestamp::MAX)),
        };
        Self {
            sent_at,
            life: ends.since(decided_at).min(lifetime),
            limit: decision.limit(),
            remaining: decision.remaining(),
            decided_at,
            reset_at: decision.reset_at(),
            window_end,
        }
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.sent_at <= now && now.since(self.sent_at) < self.life
    }

    /// Whether the window may be over. The store decided when it was asked or later, so it is not
    /// over earlier than this.
    fn window_is_over(&self, now: Timestamp) -> bool {
        now.since(self.sent_at) >= self.window_end.since(self.decided_at)
    }

    /// An admission after which `left` permits are held.
    fn admission(&self, left: u32) -> Admission {
        let remaining = self.remaining.saturating_add(left.into());
        let decision = Decision::allow(self.limit, remaining, self.reset_at);
        Admission { decided_at: self.decided_at, decision }
    }
}

/// When the window ends in which permits were taken; [`Timestamp::MAX`] if there are no windows.
fn window_end(policy: &Policy, decided_at: Timestamp, reset_at: Timestamp) -> Timestamp {
    match policy.shape() {
        Shape::Window(window) => match window.start() {
            WindowStart::Clock => {
                decided_at - decided_at.as_micros() % window.period() + window.period()
            }
            WindowStart::FirstRequest => reset_at,
        },
        _ => Timestamp::MAX,
    }
}
