//! The primaries of a backend, one by one.

use redis::{Cmd, Value};
use tokio::time::timeout;

use super::{
    super::{
        direct::Direct,
        fault,
        link::{Link, late},
    },
    read,
};
use crate::backend::BackendError;

/// A server whose keys can be gone through.
pub(super) enum Server {
    /// The only one.
    Only(Direct),
    /// One of a cluster.
    OfCluster(Link, std::time::Duration),
}

pub(super) struct Servers {
    pub(super) reached: Vec<Server>,
    /// Whether every key is at one of them.
    pub(super) are_all: bool,
}

impl Server {
    pub(super) async fn run(&self, command: Cmd) -> Result<Value, BackendError> {
        match self {
            Self::Only(direct) => direct.command(command).await,
            Self::OfCluster(link, deadline) => {
                let answer = timeout(*deadline, link.connection.run(command)).await;
                let answer = answer.unwrap_or_else(|_| Err(late())).and_then(Value::extract_error);
                answer.map_err(|error| fault::of(&error, false))
            }
        }
    }
}

/// The primaries. One of a cluster that has failed and has no successor yet is left out.
pub(super) async fn of(direct: &Direct) -> Result<Servers, BackendError> {
    if !direct.shared.is_cluster() {
        return Ok(Servers { reached: vec![Server::Only(direct.clone())], are_all: true });
    }
    let mut command = redis::cmd("CLUSTER");
    command.arg("NODES");
    let nodes: String = read(direct.command(command).await?)?;
    let mut servers = Servers { reached: Vec::new(), are_all: true };
    let (shared, mut fault) = (&direct.shared, None);
    for (host, port, is_well) in nodes.lines().filter_map(primary) {
        let connecting = shared.connect.connect_to(&host, port, shared.connect_deadline);
        match connecting.await {
            Ok(link) if is_well => {
                servers.reached.push(Server::OfCluster(link, shared.deadline));
            }
            Ok(_) => servers.are_all = false,
            Err(error) => {
                servers.are_all = false;
                fault = Some(fault::of(&error, false));
            }
        }
    }
    match fault {
        Some(error) if servers.reached.is_empty() => Err(error),
        _ => Ok(servers),
    }
}

/// Host and port of a primary that has slots, and whether it is well, from a line such as
/// `07c37d 127.0.0.1:30004@31004,name master - 0 1426238317239 4 connected 0-5460`.
fn primary(line: &str) -> Option<(String, u16, bool)> {
    let mut words = line.split_whitespace();
    let (address, flags) = (words.nth(1)?, words.next()?);
    let (host, port) = address.split(['@', ',']).next()?.rsplit_once(':')?;
    let has_slots = words.nth(5).is_some();
    let flags: Vec<_> = flags.split(',').collect();
    let is_primary = flags.contains(&"master") && has_slots;
    let is_well = !flags.iter().any(|flag| ["fail", "fail?", "noaddr"].contains(flag));
    is_primary.then_some((host.to_owned(), port.parse().ok()?, is_well))
}

#[cfg(test)]
mod tests {
    use super::primary;

    #[test]
    fn primaries_with_slots_are_found_among_the_nodes() {
        let well = "07c3 127.0.0.1:30004@31004,host myself,master - 0 1426 4 connected 0-5460";
        assert_eq!(primary(well), Some(("127.0.0.1".to_owned(), 30_004, true)));
        let old = "07c3 ::1:30004@31004 master,fail - 0 1426 4 connected 0-5460";
        assert_eq!(primary(old), Some(("::1".to_owned(), 30_004, false)));
        for other in [
            "07c3 127.0.0.1:30004@31004 slave 67ed 0 1426 4 connected",
            "07c3 127.0.0.1:30004@31004 master - 0 1426 4 connected",
            "07c3",
            "",
        ] {
            assert_eq!(primary(other), None, "{other}");
        }
    }
}
