//! One Redis server, as a child process in a temporary folder.

use std::{
    fs::{self, File},
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use redis::{Client, Connection, FromRedisValue, RedisResult, Value};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

use super::super::ports::free_port;
use super::{PATIENCE, wait_until};

/// How often a port may turn out to be taken before that cannot be the reason any more.
const ATTEMPTS: usize = 20;

/// A server that nobody else uses. It keeps nothing on disk unless its options say so.
///
/// Its methods wait on the calling thread. Commands travel through its Unix socket, so they also
/// reach a server that listens for TLS only or that a test has cut off.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    child: Mutex<Child>,
    is_frozen: AtomicBool,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Started with further options, as on the command line: `&["--maxmemory", "1mb"]`.
    pub fn with(options: &[&str]) -> Self {
        Self::launch(|_, port| {
            let own = ["--port", &port.to_string(), "--save", "", "--appendonly", "no"];
            own.iter().chain(options).map(|&option| option.to_owned()).collect()
        })
    }

    /// A replica whose link to its primary is up.
    pub fn replica_of(primary: &Self) -> Self {
        let replica = Self::with(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
        wait_until("replication", || replica.info("replication", "master_link_status") == "up");
        replica
    }

    /// Starts a server with the options that suit its folder and its port.
    pub(super) fn launch(options: impl Fn(&Path, u16) -> Vec<String>) -> Self {
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix("redis-").tempdir().unwrap();
            let port = free_port();
            let options = options(folder.path(), port);
            let child = Mutex::new(spawn(folder.path(), &options));
            let is_frozen = AtomicBool::new(false);
            let server = Self { folder, port, options, child, is_frozen };
            if server.becomes_ready() {
                return server;
            }
            let log = server.log();
            assert!(log.contains("Address already in use"), "redis-server did not start:\n{log}");
        }
        panic!("redis-server found no free port in {ATTEMPTS} attempts");
    }

    /// Waits for the first answer. It is false if the server has ended instead.
    fn becomes_ready(&self) -> bool {
        let mut runs = true;
        wait_until("the first answer of redis-server", || {
            runs = self.is_running();
            !runs || self.answers()
        });
        runs
    }

    fn answers(&self) -> bool {
        match self.ask::<Value>(&["PING"]) {
            Ok(_) => true,
            Err(error) => error.code().is_some_and(|code| code != "LOADING"),
        }
    }

    /// Without a database: `redis://127.0.0.1:7000`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// What the server has written since it was last started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends the server at once, as `kill -9` does.
    pub fn kill(&self) {
        let mut child = self.child();
        child.kill().unwrap();
        child.wait().unwrap();
        self.is_frozen.store(false, SeqCst);
    }

    /// Stops the process until [`thaw`](Self::thaw): connections are still accepted, by the system,
    /// but nothing is answered.
    pub fn freeze(&self) {
        let pid = self.signal(Signal::STOP);
        let stopped = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        assert!(stopped.is_some_and(|(_, status)| status.stopped()), "redis-server has ended");
        self.is_frozen.store(true, SeqCst);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
        self.is_frozen.store(false, SeqCst);
    }

    /// Whether the process neither has ended nor is frozen.
    pub fn is_running(&self) -> bool {
        !self.is_frozen.load(SeqCst) && matches!(self.child().try_wait(), Ok(None))
    }

    /// Kills the server if it runs, and starts it again on its port and in its folder.
    pub fn restart(&self) {
        self.kill();
        for _ in 0..ATTEMPTS {
            *self.child() = spawn(self.folder.path(), &self.options);
            if self.becomes_ready() {
                return;
            }
        }
        panic!("redis-server did not start again:\n{}", self.log());
    }

    /// What `redis-cli` would print for this command.
    ///
    /// # Panics
    ///
    /// When the answer is an error.
    #[track_caller]
    pub fn cli(&self, command: &[&str]) -> String {
        match self.ask(command) {
            Ok(answer) => printed(&answer),
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    /// The answer to a command.
    pub fn ask<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        redis::cmd(command[0]).arg(&command[1..]).query(&mut self.connection()?)
    }

    /// A field of a section of `INFO`; empty if it is not there.
    pub fn info(&self, section: &str, field: &str) -> String {
        let info = self.cli(&["INFO", section]);
        let mut fields = info.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(name, _)| *name == field).map_or_else(String::new, |(_, text)| text.into())
    }

    /// How often this command has been called, as told by `INFO commandstats`.
    pub fn calls(&self, command: &str) -> u64 {
        let stats = self.info("commandstats", &format!("cmdstat_{command}"));
        let calls = stats.split(',').find_map(|stat| stat.strip_prefix("calls="));
        calls.map_or(0, |calls| calls.parse().unwrap())
    }

    fn connection(&self) -> RedisResult<Connection> {
        let client = Client::open(self.unix_url())?;
        let mut connection = client.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        let password = self.options.iter().skip_while(|option| *option != "--requirepass").nth(1);
        if let Some(password) = password {
            redis::cmd("AUTH").arg(password).exec(&mut connection)?;
        }
        Ok(connection)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn signal(&self, signal: Signal) -> Pid {
        let pid = Pid::from_child(&self.child());
        kill_process(pid, signal).unwrap();
        pid
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn spawn(folder: &Path, options: &[String]) -> Child {
    let log = File::create(folder.join("log")).unwrap();
    let mut command = Command::new("redis-server");
    command.args(options).current_dir(folder).arg("--unixsocket").arg(folder.join("socket"));
    command.args(["--bind", "127.0.0.1", "--daemonize", "no", "--repl-diskless-sync-delay", "0"]);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!(
            "redis-server is missing: install the package redis-server, or run scripts/test.sh"
        ),
        Err(error) => panic!("redis-server cannot be started: {error}"),
    }
}

fn printed(value: &Value) -> String {
    match value {
        Value::Nil => String::new(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Okay => "OK".into(),
        Value::Array(values) => values.iter().map(printed).collect::<Vec<_>>().join("\n"),
        other => format!("{other:?}"),
    }
}
