//! A Redis cluster of private servers, whose slots can be moved and whose nodes can die.

use super::{RedisServer, wait_for, wait_until};

const SLOTS: usize = 16_384;

/// A cluster without failed nodes that serves all slots when it starts. Nodes are named by their
/// index: first the nodes that are primaries at the start, then their replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    ids: Vec<String>,
}

/// A node as another one sees it.
#[derive(Debug)]
struct Peer {
    id: String,
    is_primary: bool,
    /// The first and the last slot of each range that it serves.
    slots: Vec<(u16, u16)>,
}

impl RedisCluster {
    /// This many primaries, each with an equal share of the slots.
    pub fn start(primaries: usize) -> Self {
        Self::with_replicas(primaries, 0)
    }

    /// The same with this many replicas of each primary. It takes three primaries for one of them to
    /// be replaced.
    pub fn with_replicas(primaries: usize, replicas: usize) -> Self {
        let count = primaries * (1 + replicas);
        let nodes: Vec<_> = (0..count).map(|_| node()).collect();
        let ids = nodes.iter().map(|node| node.cli(&["CLUSTER", "MYID"])).collect();
        let cluster = Self { nodes, ids };
        cluster.assign_slots(primaries);
        cluster.introduce();
        for replica in primaries..count {
            cluster.replicate(replica, replica % primaries);
        }
        wait_until("a cluster that is whole", || cluster.is_whole(primaries));
        cluster
    }

    fn assign_slots(&self, primaries: usize) {
        for (index, node) in self.nodes.iter().enumerate() {
            node.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            if index < primaries {
                let first = (SLOTS * index / primaries).to_string();
                let last = (SLOTS * (index + 1) / primaries - 1).to_string();
                node.cli(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            }
        }
    }

    fn introduce(&self) {
        for (index, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[..index] {
                node.cli(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string()]);
            }
        }
        wait_until("nodes that know each other", || {
            self.nodes.iter().all(|node| {
                let peers = peers(node);
                self.ids.iter().all(|id| peers.iter().any(|peer| peer.id == *id))
            })
        });
    }

    fn replicate(&self, replica: usize, primary: usize) {
        let replica = &self.nodes[replica];
        replica.cli(&["CLUSTER", "REPLICATE", &self.ids[primary]]);
        wait_until("replication", || replica.info("replication", "master_link_status") == "up");
    }

    /// Whether each node serves, and sees the same primaries with all slots.
    fn is_whole(&self, primaries: usize) -> bool {
        self.nodes.iter().all(|node| {
            let peers = peers(node);
            let serving = peers.iter().filter(|peer| !peer.slots.is_empty()).count();
            state(node) == "ok"
                && serving == primaries
                && peers.iter().filter(|peer| peer.is_primary).count() == primaries
        })
    }

    /// A further primary, without slots, which all nodes know. It is the last of the nodes.
    pub fn grow(&mut self) -> usize {
        let new = node();
        self.ids.push(new.cli(&["CLUSTER", "MYID"]));
        self.nodes.push(new);
        self.introduce();
        wait_until("a new node that serves", || state(&self.nodes[self.nodes.len() - 1]) == "ok");
        self.nodes.len() - 1
    }

    /// The nodes, dead ones too.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    pub fn node(&self, index: usize) -> &RedisServer {
        &self.nodes[index]
    }

    /// The addresses of all nodes, without databases.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The slot of a key.
    pub fn slot_of(&self, key: &str) -> u16 {
        self.alive().cli(&["CLUSTER", "KEYSLOT", key]).parse().unwrap()
    }

    /// The node that serves a slot.
    pub fn node_of_slot(&self, slot: u16) -> usize {
        let peers = peers(self.alive());
        let holder = peers.iter().find(|peer| peer.serves(slot)).unwrap();
        self.ids.iter().position(|id| *id == holder.id).unwrap()
    }

    /// The node that serves the slot of a key.
    pub fn node_of_key(&self, key: &str) -> usize {
        self.node_of_slot(self.slot_of(key))
    }

    /// A key that starts with this text and whose slot this node serves.
    pub fn key_on(&self, node: usize, start: &str) -> String {
        let peers = peers(self.alive());
        let holder = peers.iter().find(|peer| peer.id == self.ids[node]).unwrap();
        let mut keys = (0..).map(|number| format!("{start}{number}"));
        keys.find(|key| holder.serves(self.slot_of(key))).unwrap()
    }

    /// Moves a slot and its keys while the cluster serves.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) {
        self.start_moving(slot, from, to);
        self.move_keys(slot, from, to);
        self.finish_moving(slot, to);
    }

    /// The first step of moving a slot: `from` still serves the keys that it has, and sends clients
    /// that want others to `to`, by `ASK`.
    pub fn start_moving(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        self.nodes[to].cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.ids[from]]);
        self.nodes[from].cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.ids[to]]);
    }

    /// The second step of moving a slot: the keys. More of them may appear until the third.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize) {
        let (slot, port) = (slot.to_string(), self.nodes[to].port().to_string());
        loop {
            let keys = ["CLUSTER", "GETKEYSINSLOT", &slot, "100"];
            let keys: Vec<String> = self.nodes[from].ask(&keys).unwrap();
            if keys.is_empty() {
                return;
            }
            let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            command.extend(keys.iter().map(String::as_str));
            self.nodes[from].cli(&command);
        }
    }

    /// The last step of moving a slot: `to` serves it. It fails while the node that served the slot
    /// has keys of it.
    pub fn finish_moving(&self, slot: u16, to: usize) {
        let from = self.node_of_slot(slot);
        let number = slot.to_string();
        for node in [to, from] {
            self.nodes[node].cli(&["CLUSTER", "SETSLOT", &number, "NODE", &self.ids[to]]);
        }
        wait_until("all nodes know of the move", || {
            let mut views = self.running().map(peers);
            views.all(|peers| peers.iter().any(|p| p.id == self.ids[to] && p.serves(slot)))
        });
    }

    /// Ends a primary at once, waits for its replica to take its place, and tells which one that is.
    pub fn fail_over(&self, primary: usize) -> usize {
        let peers = peers(self.alive());
        let (slot, _) = peers.iter().find(|peer| peer.id == self.ids[primary]).unwrap().slots[0];
        self.nodes[primary].kill();
        self.successor(slot, primary)
    }

    /// Waits until all nodes that run see that another node than this one serves a slot, and tells
    /// which one.
    pub fn successor(&self, slot: u16, before: usize) -> usize {
        wait_for("another node that serves a slot", || {
            let mut views = self.running().map(|node| (state(node), peers(node)));
            let settled = views.all(|(state, peers)| {
                let holder = peers.iter().find(|peer| peer.serves(slot));
                state == "ok" && holder.is_some_and(|peer| peer.id != self.ids[before])
            });
            settled.then(|| self.node_of_slot(slot))
        })
    }

    fn running(&self) -> impl Iterator<Item = &RedisServer> {
        self.nodes.iter().filter(|node| node.is_running())
    }

    fn alive(&self) -> &RedisServer {
        self.running().next().unwrap()
    }
}

fn node() -> RedisServer {
    RedisServer::with(&[
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "1000",
        "--cluster-announce-ip",
        "127.0.0.1",
    ])
}

fn state(node: &RedisServer) -> String {
    let info = node.cli(&["CLUSTER", "INFO"]);
    let state = info.lines().find_map(|line| line.strip_prefix("cluster_state:"));
    state.unwrap_or_default().to_owned()
}

fn peers(node: &RedisServer) -> Vec<Peer> {
    node.cli(&["CLUSTER", "NODES"]).lines().map(Peer::read).collect()
}

impl Peer {
    /// Reads a line of `CLUSTER NODES`: id, address, flags, primary, three numbers, state, slots.
    fn read(line: &str) -> Self {
        let fields: Vec<_> = line.split(' ').collect();
        let ranges = fields.iter().skip(8).filter(|range| !range.starts_with('['));
        let slots = ranges.map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            (first.parse().unwrap(), last.parse().unwrap())
        });
        let is_primary = fields[2].split(',').any(|flag| flag == "master");
        Self { id: fields[0].to_owned(), is_primary, slots: slots.collect() }
    }

    fn serves(&self, slot: u16) -> bool {
        self.slots.iter().any(|&(first, last)| (first..=last).contains(&slot))
    }
}
