//! Those who wait for answers on one runtime.
//!
//! To wake a runtime from another thread is a system call, and a timer for each check costs as much as
//! all the rest of it. So the answers of a transaction come to each runtime together, and one task there
//! wakes all who wait for them, and those whose deadlines have come.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    runtime::Id,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::sleep,
};

use super::ticket::{Order, Ticket};
use crate::{Clock, Timestamp};

/// Tickets that are kept at least before those are looked for that are over.
const ROOM: usize = 1_024;

/// The way to the task of one runtime. It ends when nobody has it any more.
#[derive(Debug)]
pub(super) struct Hub {
    runtime: Id,
    answered: UnboundedSender<Vec<Order>>,
    waiting: Arc<Mutex<Waiting>>,
}

impl Hub {
    /// Begins one on the current runtime, which is this.
    pub(super) fn begin(runtime: Id) -> Self {
        let (answered, answers) = unbounded_channel();
        let waiting = Arc::<Mutex<Waiting>>::default();
        tokio::spawn(Task { answers, waiting: waiting.clone() }.run());
        Self { runtime, answered, waiting }
    }

    pub(super) fn runtime(&self) -> Id {
        self.runtime
    }

    /// Whether its runtime has not ended.
    pub(super) fn is_open(&self) -> bool {
        !self.answered.is_closed()
    }

    /// Sees to it that whoever waits is woken when the deadline comes.
    pub(super) fn watch(&self, ticket: &Arc<Ticket>) {
        let must_tell = self.waiting.lock().add(ticket.clone());
        let is_told = !must_tell || self.answered.send(Vec::new()).is_ok();
        if !is_told || !self.is_open() {
            // The task has woken everybody and ended, perhaps before there was this one.
            ticket.wake();
        }
    }

    /// Wakes those who wait for these.
    pub(super) fn wake(&self, answered: Vec<Order>) {
        if let Err(unsent) = self.answered.send(answered) {
            wake(&unsent.0);
        }
    }
}

fn wake(answered: &[Order]) {
    answered.iter().for_each(|order| order.ticket().wake());
}

/// Tickets in the order in which they came, which is nearly that of their deadlines: one that comes late
/// may have to wait for the deadline of another that was asked after it.
#[derive(Debug, Default)]
struct Waiting {
    tickets: VecDeque<Arc<Ticket>>,
    /// Whether a timer runs for the first, or for one that was before it.
    is_timed: bool,
    /// Tickets from which on those are removed that are over.
    room: usize,
}

impl Waiting {
    /// Takes a ticket up; whether the task has to be told that there is one.
    fn add(&mut self, ticket: Arc<Ticket>) -> bool {
        self.skip();
        if self.tickets.len() >= self.room {
            self.tickets.retain(|ticket| !ticket.claim.is_over());
            self.room = (2 * self.tickets.len()).max(ROOM);
        }
        self.tickets.push_back(ticket);
        !std::mem::replace(&mut self.is_timed, true)
    }

    fn skip(&mut self) {
        while self.tickets.front().is_some_and(|first| first.claim.is_over()) {
            self.tickets.pop_front();
        }
    }

    /// When the next deadline is. Where there is none, the next ticket is told of.
    fn next(&mut self) -> Option<Timestamp> {
        self.skip();
        self.is_timed = !self.tickets.is_empty();
        self.tickets.front().map(|first| first.deadline)
    }

    fn late(&mut self, now: Timestamp) -> Vec<Arc<Ticket>> {
        let count = self.tickets.iter().take_while(|ticket| ticket.deadline <= now).count();
        self.tickets.drain(..count).collect()
    }
}

struct Task {
    answers: UnboundedReceiver<Vec<Order>>,
    waiting: Arc<Mutex<Waiting>>,
}

impl Task {
    async fn run(mut self) {
        let mut timer = pin!(sleep(Duration::ZERO));
        let mut is_set = false;
        poll_fn(|context| {
            if self.poll_answers(context).is_ready() {
                return Poll::Ready(());
            }
            loop {
                if !is_set {
                    let Some(next) = self.waiting.lock().next() else { return Poll::Pending };
                    let left = next.since(Clock::System.now());
                    timer.set(sleep(Duration::from_micros(left)));
                    is_set = true;
                }
                if timer.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                is_set = false;
                let late = self.waiting.lock().late(Clock::System.now());
                late.iter().for_each(|ticket| ticket.expire());
            }
        })
        .await;
    }

    /// Wakes those who are answered; ready when nobody can be any more.
    fn poll_answers(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.answers.poll_recv(context) {
                Poll::Ready(Some(answered)) => wake(&answered),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// Where the runtime ends, whoever waits elsewhere finds another.
impl Drop for Task {
    fn drop(&mut self) {
        self.answers.close();
        while let Ok(answered) = self.answers.try_recv() {
            wake(&answered);
        }
        let waiting = std::mem::take(&mut self.waiting.lock().tickets);
        waiting.iter().for_each(|ticket| ticket.wake());
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use futures_util::{FutureExt, future::join_all};
    use tokio::{
        runtime::{Builder, Runtime},
        task::yield_now,
    };

    use super::{
        super::{
            answer::Answer,
            commit::Request,
            hubs::Hubs,
            ticket::{Order, Ticket, Waiting},
            time::ServerTime,
            worker::Shared,
        },
        ROOM,
    };
    use crate::{
        Clock, Mode, Timestamp, Verdict,
        backend::{ErrorKind, Fate, asked::Asked},
    };

    fn shared() -> Arc<Shared> {
        Arc::new(Shared {
            time: ServerTime::Server,
            deadline: Duration::ZERO,
            connect_deadline: Duration::ZERO,
            is_own: true,
            transactions: 0.into(),
            hubs: Hubs::default(),
        })
    }

    fn ticket(shared: &Arc<Shared>, micros: u64) -> (Order, Waiting) {
        let request = Request::Check(Asked { mode: Mode::Charge, checks: Default::default() });
        Ticket::issue(request, Clock::System.now() + micros, shared.clone())
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_time().build().unwrap()
    }

    const LONG: u64 = 60_000_000;

    #[test]
    fn everybody_is_woken_by_the_answers_of_another_thread() {
        let shared = shared();
        let tickets = (0..3 * ROOM).map(|_| ticket(&shared, LONG));
        let (orders, waiting): (Vec<_>, Vec<_>) = tickets.unzip();
        let number = |number| Verdict::new(Timestamp::from_micros(number), []);
        let answers = (0..).map(|each| Answer::nothing(Timestamp::from_micros(each)));
        let told = runtime().block_on(async {
            let waiting = tokio::spawn(join_all(waiting));
            yield_now().await;
            std::thread::spawn(move || shared.hubs.answer(orders.into_iter().zip(answers)));
            waiting.await.unwrap()
        });
        let expected: Vec<_> = (0..3 * ROOM as u64).map(number).collect();
        assert_eq!(told.into_iter().map(Result::unwrap).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn whoever_is_not_answered_is_told_at_the_deadline_what_became_of_the_charge() {
        let shared = shared();
        let (waits, first) = ticket(&shared, 1_000);
        let (taken, second) = ticket(&shared, 2_000);
        let (_later, _third) = ticket(&shared, LONG);
        assert!(taken.ticket().claim.take());
        let told = runtime().block_on(join_all([first, second]));
        let told = told.into_iter().map(Result::unwrap_err);
        let expected = [Fate::NotCharged, Fate::Unknown].map(|fate| (ErrorKind::Timeout, fate));
        assert!(told.map(|error| (error.kind(), error.fate())).eq(expected));
        assert!(!waits.ticket().claim.take() && !taken.ticket().claim.take());
    }

    #[test]
    fn what_nobody_waits_for_is_not_charged() {
        let shared = shared();
        let (order, waiting) = ticket(&shared, LONG);
        drop(waiting);
        assert!(!order.ticket().claim.take());
    }

    #[test]
    fn a_worker_that_ends_without_an_answer_may_have_charged() {
        let shared = shared();
        let (order, waiting) = ticket(&shared, LONG);
        let error = runtime().block_on(async {
            let waiting = tokio::spawn(waiting);
            yield_now().await;
            std::thread::spawn(move || drop(order));
            waiting.await.unwrap().unwrap_err()
        });
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Unreachable, Fate::Unknown));
    }

    #[test]
    fn who_has_begun_to_wait_on_a_runtime_that_ended_can_wait_on_another() {
        let shared = shared();
        let (order, mut waiting) = ticket(&shared, LONG);
        let (_late, mut unanswered) = ticket(&shared, 1_000);
        let first = runtime();
        first.block_on(async {
            assert!((&mut waiting).now_or_never().is_none());
            assert!((&mut unanswered).now_or_never().is_none());
        });
        drop(first);
        runtime().block_on(async {
            assert_eq!(unanswered.await.unwrap_err().kind(), ErrorKind::Timeout);
            let waiting = tokio::spawn(waiting);
            yield_now().await;
            let answer = [(order, Answer::nothing(Timestamp::ZERO))];
            std::thread::spawn(move || shared.hubs.answer(answer.into_iter()));
            assert!(waiting.await.unwrap().is_ok());
        });
    }

    #[test]
    fn outside_of_any_runtime_there_is_an_error() {
        let (order, waiting) = ticket(&shared(), LONG);
        let error = waiting.now_or_never().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Unreachable, Fate::NotCharged));
        assert!(!order.ticket().claim.take());
    }
}
