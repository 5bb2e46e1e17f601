//! A check or refund on its way: what is asked, and the answer, for which somebody waits.
//!
//! One allocation for all of it, which is freed where it was made.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::runtime::Id;

use super::{answer::Answer, claim::Claim, commit::Request, fault::not_charged, worker::Shared};
use crate::{
    Timestamp, Verdict,
    backend::{BackendError, ErrorKind, Fate},
};

#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) request: Request,
    /// After this nobody waits for it any more.
    pub(super) deadline: Timestamp,
    pub(super) claim: Claim,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Answer>,
    is_late: bool,
    /// Who waits, on which runtime.
    waiter: Option<(Waker, Id)>,
}

impl Ticket {
    /// Both ends of a new one.
    pub(super) fn issue(
        request: Request,
        deadline: Timestamp,
        shared: Arc<Shared>,
    ) -> (Order, Waiting) {
        let (claim, state) = (Claim::default(), Mutex::default());
        let ticket = Arc::new(Self { request, deadline, claim, state });
        (Order(ticket.clone()), Waiting { ticket, shared, is_over: false })
    }

    /// Wakes who waits.
    pub(super) fn wake(&self) {
        let waiter = self.state.lock().waiter.take();
        if let Some((waker, _)) = waiter {
            waker.wake();
        }
    }

    /// Wakes who waits, for its deadline has come.
    pub(super) fn expire(&self) {
        self.state.lock().is_late = true;
        self.wake();
    }

    /// The worker's part: the runtime on which somebody waits, if anybody does already.
    fn answer(&self, answer: Answer) -> Option<Id> {
        let mut state = self.state.lock();
        state.answer = Some(answer);
        self.claim.finish();
        state.waiter.as_ref().map(|(_, runtime)| *runtime)
    }
}

/// The worker's end. Where it is dropped without an answer, a thread has ended that may have committed.
#[derive(Debug)]
pub(super) struct Order(Arc<Ticket>);

impl Order {
    pub(super) fn ticket(&self) -> &Ticket {
        &self.0
    }

    /// Leaves the answer; whoever waits on the runtime that is told has to be woken.
    pub(super) fn answer(&self, answer: Answer) -> Option<Id> {
        self.0.answer(answer)
    }

    /// Answers, and wakes who waits.
    pub(super) fn fail(&self, error: BackendError) {
        self.0.answer(Answer::Failed(error));
        self.0.wake();
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        if !self.0.claim.is_over() {
            self.fail(BackendError::new(ErrorKind::Unreachable, Fate::Unknown));
        }
    }
}

/// The end at which the answer comes: within the deadline, from when it is first polled.
#[derive(Debug)]
pub(super) struct Waiting {
    ticket: Arc<Ticket>,
    shared: Arc<Shared>,
    is_over: bool,
}

impl Future for Waiting {
    type Output = Result<Verdict, BackendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let progress = self.progress(context.waker());
        self.is_over = progress.is_ready();
        progress
    }
}

impl Waiting {
    fn progress(&self, waker: &Waker) -> Poll<Result<Verdict, BackendError>> {
        let mut state = self.ticket.state.lock();
        if let Some(answer) = state.answer.take() {
            return Poll::Ready(answer.into());
        }
        if state.is_late {
            let fate = self.give_up();
            return Poll::Ready(Err(BackendError::new(ErrorKind::Timeout, fate)));
        }
        if let Some((known, runtime)) = &mut state.waiter
            && self.shared.hubs.is_open(*runtime)
        {
            known.clone_from(waker);
            return Poll::Pending;
        }
        let Some(hub) = self.shared.hubs.current() else {
            let error = not_charged(ErrorKind::Unreachable, "there is no tokio runtime to wait on");
            return Poll::Ready(Err(error.with_fate(self.give_up())));
        };
        state.waiter = Some((waker.clone(), hub.runtime()));
        drop(state);
        hub.watch(&self.ticket);
        Poll::Pending
    }

    /// What is known of the charge of what nobody waits for any more.
    fn give_up(&self) -> Fate {
        if self.ticket.claim.give_up() { Fate::NotCharged } else { Fate::Unknown }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_over {
            self.give_up();
            let waiter = self.ticket.state.lock().waiter.take();
            drop(waiter);
        }
    }
}
