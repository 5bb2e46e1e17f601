//! One call to the server: checks that travel together in one script call, or something alone.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use redis::{ErrorKind, RedisResult, ServerErrorKind, Value};
use tokio::time::timeout;

use super::{
    Shared,
    encode::{Group, array, text, uint},
    fault,
    job::{Answer, Job},
    link::{Connection, late},
    replay::{Outcome, Reply},
    script::{CHECK, ScriptCall},
};
use crate::{
    Timestamp,
    backend::{BackendError, ErrorKind as Kind, Fate},
};

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
    let mut ended = None;
    for job in jobs.into_iter().filter(|job| !job.is_abandoned()) {
        match job {
            Job::Check(group, answer) => checks.push((group, answer)),
            Job::Script(call, answer) => {
                let result = run_script(shared, connection, &call).await;
                ended = ended.or(tell(connection, result, answer));
            }
            Job::Command(command, answer) => {
                shared.round_trips.fetch_add(1, Relaxed);
                let result = within(shared, connection.run(*command)).await;
                ended = ended.or(tell(connection, result, answer));
            }
        }
    }
    if checks.is_empty() {
        return ended;
    }
    ended.or(decide(shared, connection, checks).await)
}

async fn decide(shared: &Shared, connection: &dyn Connection, mut checks: Checks) -> Ended {
    let call = combined(shared, &mut checks);
    match run_script(shared, connection, &call).await {
        Ok(value) => distribute(shared, value, checks),
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

/// One call for all checks.
fn combined(shared: &Shared, checks: &mut Checks) -> ScriptCall {
    let size: usize = checks.iter().map(|(group, _)| group.message.len()).sum();
    let mut argument = Vec::with_capacity(size + 64);
    array(&mut argument, checks.len() + 2);
    uint(&mut argument, shared.time.given());
    text(&mut argument, &unique_name(shared.instance));
    let mut keys = Vec::with_capacity(checks.len());
    for (group, _) in checks {
        argument.extend_from_slice(&group.message);
        keys.append(&mut group.keys);
    }
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
fn distribute(shared: &Shared, value: Value, checks: Checks) -> Ended {
    let mut numbers = match value {
        Value::Array(values) => values.into_iter(),
        _ => Vec::new().into_iter(),
    };
    let now = match numbers.next() {
        Some(Value::Int(now)) => u64::try_from(now).ok().map(Timestamp::from_micros),
        _ => None,
    };
    let mut ended = None;
    for (group, answer) in checks {
        let part = now.ok_or_else(unexpected).and_then(|now| part_of(&group, now, &mut numbers));
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

/// Why a group has no answer.
struct GroupFault {
    error: BackendError,
    code: Option<String>,
}

fn unexpected() -> GroupFault {
    GroupFault { error: BackendError::new(Kind::Protocol, Fate::Unknown), code: None }
}

fn part_of(
    group: &Group,
    now: Timestamp,
    values: &mut impl Iterator<Item = Value>,
) -> Result<Reply, GroupFault> {
    let outcome = match values.next() {
        Some(Value::Int(number)) => Outcome::of(number).ok_or_else(unexpected)?,
        Some(Value::BulkString(text)) => {
            let text = String::from_utf8_lossy(&text);
            let code = text.split_whitespace().next().map(str::to_owned);
            return Err(GroupFault { error: fault::of_group(&text), code });
        }
        _ => return Err(unexpected()),
    };
    let count = match outcome {
        Outcome::Stale => 0,
        Outcome::Counted => 3 * (group.checks + group.logs),
        Outcome::Refused | Outcome::Charged => 3 * group.checks,
    };
    let number = |value| match value {
        Value::Int(number) => Some(number),
        _ => None,
    };
    let numbers: Vec<_> = values.take(count).map_while(number).collect();
    if numbers.len() < count {
        return Err(unexpected());
    }
    Ok(Reply { now, outcome, numbers })
}
