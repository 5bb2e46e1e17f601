//! A primary and a replica, watched by sentinels that put the replica in the primary's place.

use std::{fs, path::Path};

use super::{RedisServer, wait_for, wait_until};

const NAME: &str = "mymaster";

/// Two servers and their sentinels, which know each other when it starts.
#[derive(Debug)]
pub struct Sentinel {
    servers: [RedisServer; 2],
    sentinels: Vec<RedisServer>,
}

impl Sentinel {
    /// One sentinel, which decides alone.
    pub fn start() -> Self {
        Self::with_sentinels(1)
    }

    /// So many sentinels, of which a majority decides.
    pub fn with_sentinels(count: usize) -> Self {
        let primary = RedisServer::start();
        let replica = RedisServer::replica_of(&primary);
        let quorum = count / 2 + 1;
        let sentinels: Vec<_> = (0..count).map(|_| sentinel(&primary, quorum)).collect();
        for sentinel in &sentinels {
            wait_until("a sentinel that knows the replica and the other sentinels", || {
                let others = field(sentinel, &["SENTINEL", "MASTER", NAME], "num-other-sentinels");
                let link = field(sentinel, &["SENTINEL", "REPLICAS", NAME], "master-link-status");
                others == (count - 1).to_string() && link == "ok"
            });
        }
        Self { servers: [primary, replica], sentinels }
    }

    /// The name by which sentinels know the primary.
    pub fn master_name(&self) -> &'static str {
        NAME
    }

    /// The addresses of the sentinels, without databases.
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The server that the sentinels call the primary, whether it lives or not.
    pub fn primary(&self) -> &RedisServer {
        let sentinel = self.sentinels.iter().find(|sentinel| sentinel.is_running()).unwrap();
        let port = port_of_primary(sentinel);
        self.servers.iter().find(|server| server.port() == port).unwrap()
    }

    /// The other server.
    pub fn replica(&self) -> &RedisServer {
        let port = self.primary().port();
        self.servers.iter().find(|server| server.port() != port).unwrap()
    }

    /// Ends the primary at once, and gives it.
    pub fn kill_primary(&self) -> &RedisServer {
        let primary = self.primary();
        primary.kill();
        primary
    }

    /// Waits until all sentinels that run call another server than this one the primary and it is
    /// one, and gives it.
    pub fn successor(&self, before: &RedisServer) -> &RedisServer {
        wait_for("another primary", || {
            let mut running = self.sentinels.iter().filter(|sentinel| sentinel.is_running());
            let agreed = running.all(|sentinel| port_of_primary(sentinel) != before.port());
            let primary = self.primary();
            (agreed && primary.info("replication", "role") == "master").then_some(primary)
        })
    }
}

fn sentinel(primary: &RedisServer, quorum: usize) -> RedisServer {
    RedisServer::launch(|folder: &Path, port| {
        let file = folder.join("sentinel.conf");
        let watched = primary.port();
        let settings = format!(
            "port {port}\n\
             sentinel monitor {NAME} 127.0.0.1 {watched} {quorum}\n\
             sentinel down-after-milliseconds {NAME} 300\n\
             sentinel failover-timeout {NAME} 2000\n"
        );
        fs::write(&file, settings).unwrap();
        vec![file.to_string_lossy().into_owned(), "--sentinel".to_owned()]
    })
}

fn port_of_primary(sentinel: &RedisServer) -> u16 {
    let address = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
    let (_, port): (String, u16) = sentinel.ask(&address).unwrap();
    port
}

/// The first value of this name among the names and values that a sentinel answers with.
fn field(sentinel: &RedisServer, command: &[&str], name: &str) -> String {
    let answer = sentinel.cli(command);
    let value = answer.lines().skip_while(|line| *line != name).nth(1);
    value.unwrap_or_default().to_owned()
}
