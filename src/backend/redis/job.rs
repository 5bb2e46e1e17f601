//! What a lane is asked to do.

use redis::{Cmd, Value};
use tokio::sync::oneshot;

use super::{encode::Group, replay::Reply, script::ScriptCall};
use crate::backend::BackendError;

/// Where an answer is awaited.
pub(super) type Answer<T> = oneshot::Sender<Result<T, BackendError>>;

/// Something to be sent.
#[derive(Debug)]
pub(super) enum Job {
    /// A group of checks, which may travel with others.
    Check(Group, Answer<Reply>),
    /// A call of another script.
    Script(ScriptCall, Answer<Value>),
    /// Any other command.
    Command(Box<Cmd>, Answer<Value>),
}

impl Job {
    /// Answers that it was not done.
    pub(super) fn fail(self, error: BackendError) {
        // Whoever asked may have given up.
        match self {
            Self::Check(_, answer) => drop(answer.send(Err(error))),
            Self::Script(_, answer) | Self::Command(_, answer) => drop(answer.send(Err(error))),
        }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match self {
            Self::Check(_, answer) => answer.is_closed(),
            Self::Script(_, answer) | Self::Command(_, answer) => answer.is_closed(),
        }
    }
}
