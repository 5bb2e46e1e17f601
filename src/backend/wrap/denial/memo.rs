//! Answers that become known as they come.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::known::{Known, Question};
use crate::{Verdict, backend::BackendError};

/// A question to the store whose answer may be remembered.
#[derive(Debug)]
pub(in crate::backend) struct Memo {
    pub(super) known: Arc<Known>,
    pub(super) question: Question,
    /// Of its first check.
    pub(super) limit: u64,
    pub(super) max_age: u64,
}

/// The answer of a store, remembered if there is a memo for it.
#[derive(Debug)]
pub(in crate::backend) struct Remembered<F> {
    pub(in crate::backend) answer: F,
    pub(in crate::backend) memo: Option<Memo>,
}

impl<F> Future for Remembered<F>
where
    F: Future<Output = Result<Verdict, BackendError>> + Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(context));
        if let (Ok(verdict), Some(memo)) = (&answer, &self.memo) {
            memo.known.remember(&memo.question, memo.limit, memo.max_age, verdict);
        }
        Poll::Ready(answer)
    }
}
