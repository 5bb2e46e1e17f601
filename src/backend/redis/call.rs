//! One call to the server: checks that travel together in one script call, or something alone.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use futures_util::future::{join, join_all};
use redis::{ErrorKind, RedisResult, ServerErrorKind, Value};
use tokio::time::timeout;

use super::{
    Shared,
    answer::{Answer as Found, GroupFault, unexpected},
    encode::{Group, array, text, uint},
    fault,
    job::{Answer, Job},
    link::{Connection, late},
    replay::Reply,
    script::{CHECK, ScriptCall},
};
use crate::backend::BackendError;

/// Why a connection is of no use any more.
pub(super) type Ended = Option<BackendError>;

/// Checks that wait for the answer of one call.
type Checks = Vec<(Group, Answer<Reply>)>;

/// Does what was asked, in as few calls as can be, and answers.
pub(super) async fn carry_out(
    shared: &Shared,
    connection: &dyn Connection,
    jobs: Vec<Job>,
) -> Ended {
    let mut checks = Checks::new();
    let mut others = Vec::new();
    for job in jobs.into_iter().filter(|job| !job.is_abandoned()) {
        match job {
            Job::Check(group, answer) => checks.push((group, answer)),
            other => others.push(carry_out_alone(shared, connection, other)),
        }
    }
    if others.is_empty() {
        return decide(shared, connection, checks).await;
    }
    let (ended, others) = join(decide(shared, connection, checks), join_all(others)).await;
    ended.or(others.into_iter().flatten().next())
}

async fn carry_out_alone(shared: &Shared, connection: &dyn Connection, job: Job) -> Ended {
    match job {
        Job::Check(group, answer) => decide(shared, connection, vec![(group, answer)]).await,
        Job::Script(call, answer) => {
            tell(connection, run_script(shared, connection, &call).await, answer)
        }
        Job::Command(command, answer) => {
            shared.round_trips.fetch_add(1, Relaxed);
            tell(connection, within(shared, connection.run(*command)).await, answer)
        }
    }
}

async fn decide(shared: &Shared, connection: &dyn Connection, mut checks: Checks) -> Ended {
    if checks.is_empty() {
        return None;
    }
    let call = combined(shared, &mut checks);
    match run_script(shared, connection, &call).await {
        Ok(value) => distribute(shared, &value, checks),
        Err(error) => {
            let fault = fault::of(&error, true);
            for (_, answer) in checks {
                let _ = answer.send(Err(fault.clone()));
            }
            connection.is_ended_by(&error).then_some(fault)
        }
    }
}

fn tell(connection: &dyn Connection, result: RedisResult<Value>, answer: Answer<Value>) -> Ended {
    let error = match result {
        Ok(value) => {
            let _ = answer.send(Ok(value));
            return None;
        }
        Err(error) => error,
    };
    let fault = fault::of(&error, true);
    let _ = answer.send(Err(fault.clone()));
    connection.is_ended_by(&error).then_some(fault)
}

/// One call for all checks, in the order in which they came.
fn combined(shared: &Shared, checks: &mut Checks) -> ScriptCall {
    let mut different: Vec<Vec<u8>> = Vec::new();
    let mut number_of = |check: &[u8]| {
        let found = different.iter().position(|known| known == check);
        let index = found.unwrap_or_else(|| {
            different.push(check.to_vec());
            different.len() - 1
        });
        index as u64 + 1
    };
    let mut asked = Vec::with_capacity(2 * checks.len() + 16);
    array(&mut asked, checks.len());
    for (group, _) in &*checks {
        if !group.stands_alone() {
            array(&mut asked, 2 * group.keys.len());
        }
        for (message, shared) in group.checks() {
            uint(&mut asked, number_of(message));
            if !group.stands_alone() {
                uint(&mut asked, shared as u64);
            }
        }
    }
    let mut argument = Vec::with_capacity(asked.len() + 256);
    array(&mut argument, 4);
    uint(&mut argument, shared.time.given());
    text(&mut argument, &unique_name(shared.instance));
    array(&mut argument, different.len());
    argument.extend(different.iter().flatten());
    argument.append(&mut asked);
    let keys = checks.iter_mut().flat_map(|(group, _)| std::mem::take(&mut group.keys)).collect();
    ScriptCall { script: &CHECK, keys, argument }
}

/// A name that no other call has, here or elsewhere.
fn unique_name(instance: u64) -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut name = String::with_capacity(24);
    // Writing to a String cannot fail.
    let _ = write!(name, "{instance:x}.{:x}", CALLS.fetch_add(1, Relaxed));
    name
}

/// Calls a script, with its text where the server does not know it: then nothing was done.
async fn run_script(
    shared: &Shared,
    connection: &dyn Connection,
    call: &ScriptCall,
) -> RedisResult<Value> {
    let answer = async {
        shared.round_trips.fetch_add(1, Relaxed);
        let known = connection.run(call.by_digest()).await.and_then(Value::extract_error);
        match known {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                shared.round_trips.fetch_add(1, Relaxed);
                connection.run(call.by_text()).await
            }
            answer => answer,
        }
    };
    within(shared, answer).await
}

async fn within(
    shared: &Shared,
    answer: impl Future<Output = RedisResult<Value>>,
) -> RedisResult<Value> {
    let answer = timeout(shared.deadline, answer).await.unwrap_or_else(|_| Err(late()))?;
    answer.extract_error()
}

/// Gives each group its part of the answer.
fn distribute(shared: &Shared, value: &Value, checks: Checks) -> Ended {
    let mut found = Found::of(value);
    let mut ended = None;
    for (group, answer) in checks {
        let part = found.as_mut().ok_or_else(unexpected).and_then(|found| found.part_of(&group));
        if let Err(GroupFault { error, code }) = &part
            && fault::needs_another_server(code.as_deref())
            && !shared.is_cluster()
        {
            ended = Some(error.clone());
        }
        let _ = answer.send(part.map_err(|fault| fault.error));
    }
    ended
}
