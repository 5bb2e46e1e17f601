//! One PostgreSQL server.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    super::{ports::free_port, redis::wait_until},
    server::{Server, program},
};

const ATTEMPTS: usize = 20;

/// A server that nobody else uses, with durable commits as PostgreSQL has them by default.
#[derive(Debug)]
pub struct PostgresServer {
    server: Server,
    port: u16,
    databases: AtomicU32,
}

impl PostgresServer {
    pub fn start() -> Self {
        for _ in 0..ATTEMPTS {
            let server = Server::folder("postgres");
            let mut initdb = server.command(&binary("initdb"));
            initdb.args(["--no-sync", "--auth", "trust", "--username", "postgres"]);
            initdb.args(["--encoding", "UTF8", "--locale", "C", "--pgdata"]);
            server.run(initdb.arg(server.path().join("data")));
            let started = Self { server, port: free_port(), databases: AtomicU32::new(0) };
            if started.launch() {
                return started;
            }
            let log = started.server.log();
            assert!(log.contains("Address already in use"), "postgres did not start:\n{log}");
        }
        panic!("postgres found no free port in {ATTEMPTS} attempts");
    }

    /// The server of all tests that run at the same time.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    fn launch(&self) -> bool {
        let mut postgres = self.server.command(&binary("postgres"));
        postgres.arg("-D").arg(self.server.path().join("data"));
        postgres.arg("-k").arg(self.server.path());
        postgres.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        self.server.start(&mut postgres);
        let mut runs = true;
        wait_until("the first connection to postgres", || {
            runs = self.server.is_running();
            !runs || PgConnection::establish(&self.url("postgres")).is_ok()
        });
        runs
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, SeqCst));
        let mut connection = PgConnection::establish(&self.url("postgres")).unwrap();
        sql_query(format!("CREATE DATABASE {name}")).execute(&mut connection).unwrap();
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Ends the server and all its connections at once, as `kill -9` does.
    pub fn kill(&self) {
        self.server.end(Signal::KILL);
    }

    /// Stops the server and the processes that serve its connections until
    /// [`thaw_all`](Self::thaw_all).
    pub fn freeze_all(&self) {
        self.server.freeze();
        self.signal_children(Signal::STOP);
    }

    pub fn thaw_all(&self) {
        self.signal_children(Signal::CONT);
        self.server.thaw();
    }

    /// Stops the processes that serve the connections of now, until [`thaw_sessions`]; new ones are
    /// served.
    ///
    /// [`thaw_sessions`]: Self::thaw_sessions
    pub fn freeze_sessions(&self) {
        self.sessions().for_each(|child| signal_to(&child, Signal::STOP));
    }

    pub fn thaw_sessions(&self) {
        self.sessions().for_each(|child| signal_to(&child, Signal::CONT));
    }

    /// The processes that serve a connection each.
    pub fn sessions(&self) -> impl Iterator<Item = String> {
        let is_session = |child: &String| {
            let title = fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
            title.contains("127.0.0.1(")
        };
        self.children().into_iter().filter(is_session)
    }

    fn signal_children(&self, signal: Signal) {
        self.children().iter().for_each(|child| signal_to(child, signal));
    }

    fn children(&self) -> Vec<String> {
        let pid = self.server.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        children.split_whitespace().map(str::to_owned).collect()
    }

    /// Starts the server again on its port, with the data that it had.
    pub fn restart(&self) {
        self.server.end(Signal::QUIT);
        // Processes of a server that was killed take a moment to end, and until then there is no other.
        wait_until("postgres starting again", || self.launch());
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // What is frozen would not end.
        if self.server.is_running() {
            self.thaw_all();
        }
        self.server.end(Signal::QUIT);
    }
}

fn signal_to(child: &str, signal: Signal) {
    let pid = Pid::from_raw(child.parse().unwrap()).unwrap();
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

fn binary(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    program(name, "postgresql", &folders)
}
