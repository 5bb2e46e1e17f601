//! `redis`: one `EVALSHA` for each check through a multiplexed connection.

use std::time::Duration;

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Script, Value};

use crate::drive::Check;
use crate::redis::capture::Template;

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the outcome stands in the `MessagePack` that our script answers: after the head of the array,
/// one byte, and the time, nine.
const OUTCOME: usize = 10;

/// The least that a fixed window can be.
const WINDOW: &str = "\
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return count <= tonumber(ARGV[1])";

/// Sends a command of its own for every check.
pub(crate) struct Single {
    connection: MultiplexedConnection,
    command: Template,
    /// What the reply to an admission has in common with others.
    admission: Value,
}

impl Single {
    /// Repeats `command`, whose script the server must know and whose first reply is an admission.
    pub(crate) async fn new(url: &str, command: Template) -> Result<Self> {
        let connection = connection(url).await?;
        let mut single = Self { connection, command, admission: Value::Nil };
        single.admission = single.reply("first").await?;
        Ok(single)
    }

    async fn reply(&self, key: &str) -> Result<Value> {
        let mut command = Cmd::new();
        self.command.fill(key, |argument| {
            command.arg(argument);
        });
        let reply = command.query_async(&mut self.connection.clone()).await?;
        Ok(match reply {
            Value::BulkString(packed) => {
                packed.get(OUTCOME).copied().map_or(Value::Nil, |byte| Value::Int(i64::from(byte)))
            }
            reply => reply,
        })
    }
}

impl Check for Single {
    async fn check(&self, key: &str) -> Result<bool> {
        Ok(self.reply(key).await? == self.admission)
    }
}

/// The call of a script that does no more than `INCR`, once `PEXPIRE`, and a comparison; the server
/// knows it then.
pub(crate) async fn window(url: &str) -> Result<Template> {
    let mut connection = connection(url).await?;
    let sha: String = Script::new(WINDOW).prepare_invoke().load_async(&mut connection).await?;
    let arguments = ["EVALSHA", &sha, "1", "KEY", "1000000000", "3600000"];
    Ok(Template::new(arguments.map(Into::into).to_vec(), "KEY"))
}

async fn connection(url: &str) -> Result<MultiplexedConnection> {
    let settings = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let client = Client::open(url)?;
    let connection = client.get_multiplexed_async_connection_with_config(&settings).await;
    connection.context("connecting to redis-server")
}
