//! One transaction, again and again while that may help.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    fault::Fault,
    tables::Tables,
    worker::{Connection, Worker, discard},
};
use crate::{
    Clock, Timestamp,
    backend::{BackendError, Fate},
};

/// Attempts at one transaction, within the deadline.
const MOST_ATTEMPTS: usize = 32;

/// What a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Several statements, and a commit.
    Transaction,
    /// One statement, which may be all of it.
    Statement,
}

impl<T: Tables> Worker<T> {
    /// Carries out a transaction, again and again while that may help and somebody waits.
    pub(super) fn attempt<R>(
        &self,
        connection: &mut Connection<T>,
        deadline: Timestamp,
        scope: Scope,
        work: impl Fn(&mut T) -> Result<R, Fault>,
    ) -> Result<R, BackendError> {
        let is_own = self.shared.is_own;
        let mut attempts = 0;
        loop {
            attempts += 1;
            self.shared.transactions.fetch_add(1, Relaxed);
            let mut may_be_committed = false;
            let work = |tables: &mut T| {
                let result = work(tables);
                may_be_committed = match &result {
                    Ok(_) => true,
                    // The statement may have been the last that the database heard.
                    Err(fault) => scope == Scope::Statement && fault.is_lost_connection(),
                };
                result
            };
            let result = match scope {
                Scope::Transaction => connection.in_transaction(is_own, work),
                Scope::Statement => connection.by_itself(is_own, work),
            };
            let fault = match result {
                Ok(result) => return Ok(result),
                Err(fault) => fault,
            };
            let fate = if may_be_committed { Fate::Unknown } else { Fate::NotCharged };
            if fault.is_lost_connection() {
                discard(connection);
                return Err(fault.told(fate));
            }
            let may_repeat = fate == Fate::NotCharged && fault.is_passing();
            if !may_repeat || attempts >= MOST_ATTEMPTS || Clock::System.now() >= deadline {
                return Err(fault.told(fate));
            }
        }
    }
}
