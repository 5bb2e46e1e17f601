//! Calls that a server of a cluster sends elsewhere, because a slot has moved or is about to.
//!
//! They follow at once to the server that the answer names, on a connection of their own: the cluster
//! client may not know that server yet, or learn where slots are from one that has not heard of the
//! move. A server that sends a call elsewhere has not carried it out.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult,
    ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::time::timeout;

use super::fault;

/// Makes a client for the server at a host and a port.
pub(super) type MakeClient = Arc<dyn Fn(&str, u16) -> RedisResult<Client> + Send + Sync>;

/// Where a call is to go.
pub(super) struct Elsewhere {
    address: String,
    /// The slot is on its way there: the server answers only if told so right before.
    asking: bool,
}

impl Elsewhere {
    pub(super) fn of(error: &RedisError) -> Option<Self> {
        let asking = match error.kind() {
            ErrorKind::Server(ServerErrorKind::Ask) => true,
            ErrorKind::Server(ServerErrorKind::Moved) => false,
            _ => return None,
        };
        let (address, _) = error.redirect_node()?;
        Some(Self { address: address.to_owned(), asking })
    }
}

/// Connections to servers that calls were sent to.
#[derive(Clone)]
pub(super) struct Redirects {
    make_client: MakeClient,
    connect_deadline: Duration,
    open: Arc<Mutex<HashMap<String, MultiplexedConnection>>>,
}

impl Redirects {
    pub(super) fn new(make_client: MakeClient, connect_deadline: Duration) -> Self {
        Self { make_client, connect_deadline, open: Arc::default() }
    }

    /// Carries out a call at another server; `None` if that cannot be reached.
    pub(super) async fn follow(&self, to: &Elsewhere, command: &Cmd) -> Option<RedisResult<Value>> {
        let mut connection = self.connection(&to.address).await?;
        let answer = if to.asking {
            let mut both = Pipeline::new();
            both.cmd("ASKING").add_command(command.clone());
            let answers = connection.req_packed_commands(&both, 1, 1).await;
            answers.map(|mut answers| answers.pop().unwrap_or(Value::Nil))
        } else {
            connection.req_packed_command(command).await
        };
        let answer = answer.and_then(Value::extract_error);
        if answer.as_ref().is_err_and(fault::is_of_connection) {
            self.open.lock().remove(&to.address);
        }
        Some(answer)
    }

    async fn connection(&self, address: &str) -> Option<MultiplexedConnection> {
        let known = self.open.lock().get(address).cloned();
        if known.is_some() {
            return known;
        }
        let (host, port) = address.rsplit_once(':')?;
        let client = (self.make_client)(host, port.parse().ok()?).ok()?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_deadline))
            .set_response_timeout(None);
        let opening = client.get_multiplexed_async_connection_with_config(&config);
        let connection = timeout(self.connect_deadline, opening).await.ok()?.ok()?;
        self.open.lock().insert(address.to_owned(), connection.clone());
        Some(connection)
    }
}
