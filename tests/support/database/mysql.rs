//! One MariaDB server.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use diesel::{Connection, MysqlConnection, RunQueryDsl, sql_query};
use rustix::process::Signal;

use super::{
    super::{ports::free_port, redis::wait_until},
    server::{Server, program},
};

const ATTEMPTS: usize = 20;

/// A server that nobody else uses. Its character set is latin1, as it was for long by default, and its
/// commits are durable.
#[derive(Debug)]
pub struct MysqlServer {
    server: Server,
    port: u16,
    databases: AtomicU32,
}

impl MysqlServer {
    pub fn start() -> Self {
        for _ in 0..ATTEMPTS {
            let server = Server::folder("mysql");
            let mut install = server.command(&binary("mariadb-install-db"));
            install.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
            install.arg("--skip-test-db");
            install.arg(format!("--datadir={}", server.path().join("data").display()));
            // A server that starts removes temporary tables, also those of others.
            install.arg(format!("--tmpdir={}", server.path().display()));
            server.run(&mut install);
            let started = Self { server, port: free_port(), databases: AtomicU32::new(0) };
            if started.launch() {
                return started;
            }
            let log = started.server.log();
            assert!(log.contains("Address already in use"), "mariadbd did not start:\n{log}");
        }
        panic!("mariadbd found no free port in {ATTEMPTS} attempts");
    }

    /// The server of all tests that run at the same time.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<MysqlServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    fn launch(&self) -> bool {
        let mut mariadbd = self.server.command(&binary("mariadbd"));
        mariadbd.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
        mariadbd.args(["--character-set-server=latin1", "--innodb-buffer-pool-size=64M"]);
        mariadbd.arg(format!("--port={}", self.port));
        // A server that starts removes temporary tables of others in a folder that they share.
        mariadbd.arg(format!("--tmpdir={}", self.server.path().display()));
        for (option, file) in [("datadir", "data"), ("socket", "socket"), ("pid-file", "pid")] {
            mariadbd.arg(format!("--{option}={}", self.server.path().join(file).display()));
        }
        self.server.start(&mut mariadbd);
        let mut runs = true;
        wait_until("the first connection to mariadbd", || {
            runs = self.server.is_running();
            !runs || MysqlConnection::establish(&self.url("mysql")).is_ok()
        });
        runs
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, SeqCst));
        let mut connection = MysqlConnection::establish(&self.url("mysql")).unwrap();
        sql_query(format!("CREATE DATABASE {name}")).execute(&mut connection).unwrap();
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Ends the server at once, as `kill -9` does.
    pub fn kill(&self) {
        self.server.end(Signal::KILL);
    }

    pub fn freeze(&self) {
        self.server.freeze();
    }

    pub fn thaw(&self) {
        self.server.thaw();
    }

    /// Kills the server if it runs, and starts it again on its port, with the data that it had.
    pub fn restart(&self) {
        self.kill();
        assert!(self.launch(), "mariadbd did not start again:\n{}", self.server.log());
    }
}

fn binary(name: &str) -> PathBuf {
    program(name, "mariadb-server", &["/usr/sbin".into(), "/usr/bin".into()])
}
