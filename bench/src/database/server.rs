//! Private PostgreSQL and MariaDB servers: loopback, a free port, files in a temporary folder, commits on
//! disk before they are acknowledged.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, MysqlConnection, PgConnection, QueryableByName, RunQueryDsl, sql_query};

use crate::child::{Process, family_cpu_time};
use crate::keep::{Running, free_address};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Postgres,
    Mariadb,
}

/// Arguments of the hidden subcommand that keeps a server running.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    kind: Kind,
}

/// A running server; stopped when dropped.
#[derive(Debug)]
pub(super) struct Server {
    process: Process,
    /// Of the server itself.
    id: u32,
    kind: Kind,
    address: SocketAddr,
    databases: Cell<u32>,
}

impl Server {
    pub(super) fn start(kind: Kind) -> Result<Self> {
        let name = kind.to_possible_value().context("naming a kind of server")?;
        let arguments = ["keep-database".to_owned(), format!("--kind={}", name.get_name())];
        let mut process = Process::spawn(arguments)?;
        let line = process.line()?;
        let (id, address) = line.split_once(' ').context("reading where the server is")?;
        let (id, address) = (id.parse()?, address.parse()?);
        Ok(Self { process, id, kind, address, databases: Cell::new(0) })
    }

    pub(super) fn cpu_time(&self) -> Result<Duration> {
        family_cpu_time(self.id)
    }

    /// The URL of a new, empty database.
    pub(super) fn database(&self) -> Result<String> {
        self.databases.set(self.databases.get() + 1);
        let name = format!("bench{}", self.databases.get());
        self.kind.execute(self.address, &format!("CREATE DATABASE {name}"))?;
        Ok(self.kind.url(self.address, &name))
    }

    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        self.kind.execute(self.address, sql)
    }

    /// Version, and what makes commits durable, as the server tells it.
    pub(super) fn settings(&self) -> Result<String> {
        let rows: Vec<Setting> = match self.kind {
            Kind::Postgres => sql_query(POSTGRES_SETTINGS)
                .load(&mut PgConnection::establish(&self.kind.url(self.address, "postgres"))?),
            Kind::Mariadb => sql_query(MARIADB_SETTINGS)
                .load(&mut MysqlConnection::establish(&self.kind.url(self.address, "mysql"))?),
        }?;
        Ok(rows.into_iter().map(|row| row.setting).collect::<Vec<_>>().join(", "))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.close();
    }
}

const POSTGRES_SETTINGS: &str = "
    SELECT name || ' ' || setting AS setting FROM pg_settings
    WHERE name IN ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes')
    ORDER BY name DESC";
const MARIADB_SETTINGS: &str = "
    SELECT CONCAT_WS(' ', variable_name, variable_value) AS setting
    FROM information_schema.global_variables
    WHERE variable_name IN ('version', 'innodb_flush_log_at_trx_commit', 'innodb_flush_method', 'log_bin')
    ORDER BY variable_name DESC";

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    setting: String,
}

impl Kind {
    fn url(self, address: SocketAddr, database: &str) -> String {
        match self {
            Self::Postgres => format!("postgres://postgres@{address}/{database}"),
            Self::Mariadb => format!("mysql://root@{address}/{database}"),
        }
    }

    fn execute(self, address: SocketAddr, sql: &str) -> Result<()> {
        match self {
            Self::Postgres => {
                PgConnection::establish(&self.url(address, "postgres"))?.batch_execute(sql)?;
            }
            Self::Mariadb => {
                MysqlConnection::establish(&self.url(address, "mysql"))?.batch_execute(sql)?;
            }
        }
        Ok(())
    }

    /// Whom the server runs as if this process is root, which it refuses to.
    fn user(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mysql",
        }
    }

    fn installer(self, folder: &Path) -> Result<Command> {
        let data = &folder.join("data");
        match self {
            Self::Postgres => {
                let mut initdb = Command::new(postgres_program("initdb"));
                initdb.args(["--no-sync", "--auth", "trust", "--username", "postgres"]);
                initdb.args(["--encoding", "UTF8", "--locale", "C", "--pgdata"]).arg(data);
                Ok(initdb)
            }
            Self::Mariadb => {
                let mut install = Command::new("mariadb-install-db");
                install.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
                install.arg("--skip-test-db").arg(option("datadir", data));
                install.arg(option("tmpdir", folder));
                Ok(install)
            }
        }
    }

    fn server(self, folder: &Path, address: SocketAddr) -> Command {
        let data = folder.join("data");
        match self {
            Self::Postgres => {
                let mut postgres = Command::new(postgres_program("postgres"));
                postgres.arg("-D").arg(data).arg("-k").arg(folder);
                postgres.args(["-h", "127.0.0.1", "-p", &address.port().to_string()]);
                postgres.args(["-c", "fsync=on", "-c", "synchronous_commit=on"]);
                postgres
            }
            Self::Mariadb => {
                let mut mariadbd = Command::new("mariadbd");
                mariadbd.args(["--no-defaults", "--bind-address=127.0.0.1"]);
                mariadbd.args(["--skip-name-resolve", "--innodb-flush-log-at-trx-commit=1"]);
                mariadbd.arg(format!("--port={}", address.port()));
                mariadbd.arg(option("datadir", &data)).arg(option("tmpdir", folder));
                mariadbd.arg(option("socket", &folder.join("socket")));
                mariadbd.arg(option("pid-file", &folder.join("pid")));
                mariadbd
            }
        }
    }
}

fn option(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// Where a program of the newest version is that Debian has installed, or else in the path.
fn postgres_program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin").join(name));
    programs.filter(|path| path.exists()).max().unwrap_or_else(|| name.into())
}

/// Starts a server, prints where it is, and stops it when the parent is gone.
pub(crate) fn keep(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir().context("making a folder for the server")?;
    let user = user_of(args.kind.user())?;
    if let Some((user, group)) = user {
        chown(folder.path(), Some(user), Some(group))?;
    }
    let command = |mut command: Command| {
        command.current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = user {
            command.uid(user).gid(group);
        }
        command
    };
    let mut installer = command(args.kind.installer(folder.path())?);
    let status = installer.status().context("installing a server: run scripts/setup.sh")?;
    ensure!(status.success(), "{installer:?} failed");
    // Another process may take a port between its being found free and its use.
    for _ in 0..3 {
        let address = free_address()?;
        let mut server = command(args.kind.server(folder.path(), address));
        let mut server = Running::start_gentle(&mut server).context("starting a server")?;
        if server.answers(PATIENCE, || args.kind.execute(address, "SELECT 1").is_ok())? {
            return server.stay(address);
        }
    }
    bail!("the server ends as soon as it is started");
}

/// User and group of a name, if this process is root.
fn user_of(name: &str) -> Result<Option<(u32, u32)>> {
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let fields = fields.into_iter().find(|fields| fields.first() == Some(&name));
    match fields.as_deref() {
        Some([_, _, user, group, ..]) => Ok(Some((user.parse()?, group.parse()?))),
        _ => bail!("there is no user {name}: run scripts/setup.sh"),
    }
}
