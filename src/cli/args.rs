//! What can be written on the command line.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{
    backend::database::Dialect,
    config::{Proxy, parse_duration},
};

/// Looks after what rate limiters keep in Redis and in databases.
///
/// Exit status: 0 if all is well; 1 if a store does not answer, or is not well, or what was asked for
/// cannot be had; 2 if the command or the configuration is wrong.
#[derive(Debug, Parser)]
#[command(name = "ratelimit", version, max_term_width = 100, propagate_version = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Args, Debug)]
pub(super) struct Global {
    /// Configuration; the file that RATELIMIT_CONFIG names by default. Variables such as
    /// RATELIMIT__BACKENDS__MAIN__URL lie over it
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// A store without any configuration: redis://…, postgres://…, mysql://… or sqlite:///path. Other
    /// users of the machine can read command lines; write passwords into a file
    #[arg(long, global = true, value_name = "URL", conflicts_with = "config")]
    pub(super) url: Option<String>,
    /// Only this backend; by default all to which a command applies
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) backend: Option<String>,
    /// How long to wait for each answer of a store, such as 500ms, 5s or 1m
    #[arg(long, global = true, value_name = "TIME", default_value = "5s", value_parser = patience)]
    pub(super) timeout: Duration,
    /// One JSON object instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// More about what is done and found
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask every store how it is; status 1 if one cannot decide
    Health,
    /// Remove rows of databases that are of no use any more
    Cleanup(Cleanup),
    /// Bring the tables of databases up to date
    Migrate {
        /// Only show which migrations were run; status 1 if some were not
        #[arg(long)]
        status: bool,
    },
    /// Hand out the migrations themselves
    #[command(subcommand)]
    Migrations(MigrationsCommand),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show what is kept of a key, and what the rules would decide about it now
    Inspect {
        /// A key as rules have it, such as ip:203.0.113.7, or as `list` shows it
        key: String,
    },
    /// Forget what a key has taken, under every rule
    Reset {
        /// A key as rules have it, such as ip:203.0.113.7, or as `list` shows it
        key: String,
    },
    /// Show which keys are kept
    List(List),
    /// Decide for nginx auth_request, Traefik ForwardAuth or Caddy forward_auth, until SIGTERM
    Serve(Serve),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write those of all commands
    Man {
        /// A folder for one page for each command
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Cleanup {
    /// Only count what would be removed
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Rows in one transaction, at least 1
    #[arg(long, value_name = "ROWS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) batch_size: u32,
    /// Remove what was not written for so many hours, even if it still counts; 0 removes only what is
    /// expired
    #[arg(long, value_name = "HOURS", default_value_t = 0)]
    pub(super) older_than: u32,
    /// Only keys like this, as they are stored; * stands for anything
    #[arg(long, value_name = "PATTERN", default_value = "*")]
    pub(super) key_pattern: String,
    /// Also remove states of buckets that were not written for so many days, even if they still count
    #[arg(
        long,
        value_name = "DAYS",
        num_args = 0..=1,
        default_missing_value = "7",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(super) stale_days: Option<u32>,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Only keys like this, as they are stored; * stands for anything. By default all with the
    /// configured prefix
    #[arg(long, value_name = "PATTERN")]
    pub(super) pattern: Option<String>,
    /// At most so many keys
    #[arg(long, value_name = "KEYS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
}

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// Listen here instead of where the configuration says; may be given several times
    #[arg(long, value_name = "ADDR")]
    pub(super) bind: Vec<SocketAddr>,
    /// How the proxy tells of a request, instead of what the configuration says
    #[arg(long)]
    pub(super) proxy: Option<ProxyName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ProxyName {
    /// By X-Original-URI and X-Original-Method
    Nginx,
    /// By X-Forwarded-Uri and X-Forwarded-Method
    Traefik,
    /// By the same
    Caddy,
}

impl From<ProxyName> for Proxy {
    fn from(name: ProxyName) -> Self {
        match name {
            ProxyName::Nginx => Self::Nginx,
            ProxyName::Traefik => Self::Traefik,
            ProxyName::Caddy => Self::Caddy,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Tell everything that is wrong with a configuration
    Check {
        /// The file, instead of --config
        file: Option<PathBuf>,
    },
    /// Show what applies, defaults included, with passwords masked
    Show {
        /// The file, instead of --config
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum MigrationsCommand {
    /// Write them as files for a Diesel project of your own
    Export {
        /// For which kind of database
        #[arg(long)]
        dialect: DialectName,
        /// The folder of migrations
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum DialectName {
    /// PostgreSQL
    Postgres,
    /// MySQL and MariaDB
    Mysql,
    /// SQLite
    Sqlite,
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::Postgres => Self::Postgres,
            DialectName::Mysql => Self::Mysql,
            DialectName::Sqlite => Self::Sqlite,
        }
    }
}

fn patience(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_millis(10)..=Duration::from_secs(3_600);
    match parse_duration(text) {
        Some(time) if allowed.contains(&time) => Ok(time),
        Some(_) => Err("it is not in 10ms..=1h".to_owned()),
        None => Err("write a whole number with a unit, such as 500ms, 5s or 1m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_tree_of_commands_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
