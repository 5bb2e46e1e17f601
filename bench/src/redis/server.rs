//! A private Redis server: loopback, a free port, nothing kept on disk.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::child::Process;
use crate::keep::{Running, free_address};
use crate::pin;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(5);

/// Contenders keep their keys apart in databases of their own.
const DATABASES: u32 = 64;

/// Arguments of the hidden subcommand that keeps a server running.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    core: usize,
}

/// A running server; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    /// Of redis-server itself.
    id: u32,
    address: SocketAddr,
    databases: u32,
}

impl Server {
    /// Starts a server that runs on `core`.
    pub(crate) fn start(core: usize) -> Result<Self> {
        let mut process = Process::spawn(["keep-redis".to_owned(), format!("--core={core}")])?;
        let line = process.line()?;
        let (id, address) = line.split_once(' ').context("reading where redis-server is")?;
        Ok(Self { process, id: id.parse()?, address: address.parse()?, databases: 0 })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address, as clients take it, of a database that nobody got before.
    pub(crate) fn next_url(&mut self) -> Result<String> {
        Ok(url(self.address, self.database()?))
    }

    /// The number of a database that nobody got before.
    pub(crate) fn database(&mut self) -> Result<u32> {
        ensure!(self.databases < DATABASES, "the server has only {DATABASES} databases");
        self.databases += 1;
        Ok(self.databases - 1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.close();
    }
}

/// The address of a database as clients take it.
pub(crate) fn url(server: SocketAddr, database: u32) -> String {
    format!("redis://{server}/{database}")
}

/// Starts a server, prints its number and address, and stops it when the parent is gone.
pub(crate) fn keep(args: &Args) -> Result<()> {
    pin::this_thread(args.core)?;
    let folder = tempfile::tempdir().context("making a folder for redis-server")?;
    let (server, address) = started(folder.path())?;
    server.stay(address)
}

/// Another process may take a port between its being found free and its use, hence the attempts.
fn started(folder: &Path) -> Result<(Running, SocketAddr)> {
    for _ in 0..3 {
        let address = free_address()?;
        let mut server = Running::start(&mut command(folder, address)).context(
            "starting redis-server: install it, on Debian with apt-get install redis-server",
        )?;
        // An answer may be that of another server.
        let process = format!("process_id:{}\r\n", server.id());
        let is_up = || information(address).is_ok_and(|answer| answer.contains(&process));
        if server.answers(PATIENCE, is_up)? {
            return Ok((server, address));
        }
    }
    bail!("redis-server ends as soon as it is started");
}

fn command(folder: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no", "--databases", &DATABASES.to_string()])
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn information(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"INFO server\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
