//! A Redis Cluster: every call goes to the server of its keys' slot.

use std::{fmt, time::Duration};

use redis::{
    Cmd, ErrorKind, RedisError, RedisResult, Value, aio::ConnectionLike, cluster::ClusterClient,
    cluster_async::ClusterConnection,
};
use tokio::sync::watch;

use super::{
    link::{Connect, Connection, Link, late, open},
    redirect::{Elsewhere, MakeClient, Redirects},
};
use crate::backend::BoxFuture;

/// How often a call follows its slot to another server.
const REDIRECTIONS: usize = 4;

/// The servers of a cluster, of which some are known. The client does not repeat calls by itself: it
/// could charge twice.
pub(super) struct Cluster {
    pub(super) client: ClusterClient,
    pub(super) make_client: MakeClient,
}

impl Connect for Cluster {
    fn connect(&self, deadline: Duration) -> BoxFuture<RedisResult<Link>> {
        let client = self.client.clone();
        let redirects = Redirects::new(self.make_client.clone(), deadline);
        Box::pin(async move {
            let opened = tokio::time::timeout(deadline, client.get_async_connection()).await;
            let servers = Servers { client: opened.map_err(|_| late())??, redirects };
            let (_, lost) = watch::channel(false);
            Ok(Link::new(servers, lost))
        })
    }

    fn connect_to(
        &self,
        host: &str,
        port: u16,
        deadline: Duration,
    ) -> BoxFuture<RedisResult<Link>> {
        let client = (self.make_client)(host, port);
        Box::pin(async move { open(&client?, deadline).await })
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

struct Servers {
    client: ClusterConnection,
    redirects: Redirects,
}

impl Connection for Servers {
    fn run(&self, command: Cmd) -> BoxFuture<RedisResult<Value>> {
        let (mut client, redirects) = (self.client.clone(), self.redirects.clone());
        Box::pin(async move {
            let mut answer = client.req_packed_command(&command).await;
            for _ in 0..REDIRECTIONS {
                let Some(to) = answer.as_ref().err().and_then(Elsewhere::of) else { break };
                match redirects.follow(&to, &command).await {
                    Some(followed) => answer = followed,
                    None => break,
                }
            }
            answer
        })
    }

    /// The client mends the connections to single servers by itself.
    fn is_ended_by(&self, error: &RedisError) -> bool {
        error.kind() == ErrorKind::ClusterConnectionNotFound
    }
}
