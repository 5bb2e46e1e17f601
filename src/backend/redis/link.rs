//! What a lane needs of a connection, whatever kind of server is at the other end.

use std::{fmt, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, Value,
    aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection},
};
use tokio::sync::watch;

use super::fault;
use crate::backend::BoxFuture;

/// Makes connections.
pub(super) trait Connect: fmt::Debug + Send + Sync {
    /// A connection whose server has answered.
    fn connect(&self, deadline: Duration) -> BoxFuture<RedisResult<Link>>;

    /// A connection to one server of a cluster. Elsewhere there is one server only.
    fn connect_to(
        &self,
        host: &str,
        port: u16,
        deadline: Duration,
    ) -> BoxFuture<RedisResult<Link>> {
        let _ = (host, port);
        self.connect(deadline)
    }

    /// Whether keys are spread over several servers, so that calls cannot be about any two of them.
    fn is_cluster(&self) -> bool {
        false
    }
}

/// A connection, and the news that it is lost.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) connection: Arc<dyn Connection>,
    lost: watch::Receiver<bool>,
}

/// Carries commands, several at a time.
pub(super) trait Connection: Send + Sync {
    /// The server's answer. An error that stands for an answer of the server is one of kind
    /// [`redis::ErrorKind::Server`] or [`redis::ErrorKind::Extension`].
    fn run(&self, command: Cmd) -> BoxFuture<RedisResult<Value>>;

    /// Whether the connection is of no use after this error.
    fn is_ended_by(&self, error: &RedisError) -> bool;
}

impl Link {
    pub(super) fn new(connection: impl Connection + 'static, lost: watch::Receiver<bool>) -> Self {
        Self { connection: Arc::new(connection), lost }
    }

    /// Ends when the connection is lost, even if nothing is under way.
    pub(super) async fn lost(&mut self) {
        if self.lost.wait_for(|lost| *lost).await.is_err() {
            // Nobody will tell; calls fail by themselves.
            std::future::pending::<()>().await;
        }
    }
}

impl Connection for MultiplexedConnection {
    fn run(&self, command: Cmd) -> BoxFuture<RedisResult<Value>> {
        let mut connection = self.clone();
        Box::pin(async move { connection.req_packed_command(&command).await })
    }

    fn is_ended_by(&self, error: &RedisError) -> bool {
        fault::is_of_connection(error) || fault::needs_another_server(error.code())
    }
}

/// Tells when a connection is lost.
struct Watch(watch::Sender<bool>);

impl AsyncPushSender for Watch {
    fn send(&self, info: PushInfo) -> Result<(), redis::aio::SendError> {
        if info.kind == PushKind::Disconnection {
            self.0.send_replace(true);
        }
        Ok(())
    }
}

/// A connection to the server of `client`.
pub(super) async fn open(client: &Client, deadline: Duration) -> RedisResult<Link> {
    let (sender, lost) = watch::channel(false);
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(deadline))
        .set_response_timeout(None);
    if client.get_connection_info().redis_settings().protocol() == ProtocolVersion::RESP3 {
        config = config.set_push_sender(Watch(sender));
    }
    let opening = client.get_multiplexed_async_connection_with_config(&config);
    let opened = tokio::time::timeout(deadline, opening).await;
    Ok(Link::new(opened.map_err(|_| late())??, lost))
}

pub(super) fn late() -> redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// One server.
#[derive(Debug)]
pub(super) struct Standalone(pub(super) Client);

impl Connect for Standalone {
    fn connect(&self, deadline: Duration) -> BoxFuture<RedisResult<Link>> {
        let client = self.0.clone();
        Box::pin(async move { open(&client, deadline).await })
    }
}
