//! A Redis Cluster: every call goes to the server of its keys' slot.

use std::{fmt, time::Duration};

use redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value, aio::ConnectionLike,
    cluster::ClusterClient, cluster_async::ClusterConnection,
    cluster_routing::SingleNodeRoutingInfo,
};
use tokio::sync::watch;

use super::link::{Connect, Connection, Link, late};
use crate::backend::BoxFuture;

/// How often a call follows its slot to another server.
const REDIRECTIONS: usize = 3;

/// The servers of a cluster, of which some are known. The client does not repeat calls by itself: it
/// could charge twice.
pub(super) struct Cluster(pub(super) ClusterClient);

impl Connect for Cluster {
    fn connect(&self, deadline: Duration) -> BoxFuture<RedisResult<Link>> {
        let client = self.0.clone();
        Box::pin(async move {
            let opened = tokio::time::timeout(deadline, client.get_async_connection()).await;
            let (_, lost) = watch::channel(false);
            Ok(Link::new(Nodes(opened.map_err(|_| late())??), lost))
        })
    }

    fn is_cluster(&self) -> bool {
        true
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

struct Nodes(ClusterConnection);

impl Connection for Nodes {
    fn run(&self, command: Cmd) -> BoxFuture<RedisResult<Value>> {
        let mut nodes = self.0.clone();
        Box::pin(async move {
            let mut answer = nodes.req_packed_command(&command).await;
            for _ in 0..REDIRECTIONS {
                answer = match answer {
                    // A server that sends a call elsewhere has not carried it out.
                    Err(error) if is_moved(&error) => nodes.req_packed_command(&command).await,
                    Err(error) if is_ask(&error) => ask(&mut nodes, &command, &error).await,
                    answer => return answer,
                };
            }
            answer
        })
    }

    /// The client mends the connections to single servers by itself.
    fn is_ended_by(&self, error: &RedisError) -> bool {
        error.kind() == ErrorKind::ClusterConnectionNotFound
    }
}

fn is_moved(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::Moved)
}

fn is_ask(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::Ask)
}

/// Asks the server to which a slot is being moved, which answers only if told so right before.
async fn ask(
    nodes: &mut ClusterConnection,
    command: &Cmd,
    error: &RedisError,
) -> RedisResult<Value> {
    let node = error.redirect_node().and_then(|(address, _)| address.rsplit_once(':'));
    let Some((host, port)) = node else { return Err(error.clone()) };
    let Ok(port) = port.parse() else { return Err(error.clone()) };
    let mut both = Pipeline::new();
    both.cmd("ASKING").add_command(command.clone());
    let route = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
    let answers = nodes.route_pipeline(both, 1, 1, route).await?;
    answers.into_iter().next_back().unwrap_or(Value::Nil).extract_error()
}
