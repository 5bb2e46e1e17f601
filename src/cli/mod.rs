//! The command `ratelimit`: health, cleanup, migrations and keys, for people and for scripts.
//!
//! It ends with 0 if all is well, 1 if what was asked for could not be had or is not well, and 2 if the
//! command or the configuration is wrong. docs/operations.md has its commands and what they print.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

use self::{
    args::{Cli, Command, ConfigCommand, MigrationsCommand},
    failure::Failure,
    output::Output,
};

mod args;
mod cleanup;
mod config;
mod failure;
mod generate;
mod health;
mod inspect;
mod keys;
mod list;
mod migrate;
mod output;
mod reset;
mod serve;
mod store;

/// Does what these arguments say, of which the first is the name of the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody may be reading.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let output = Output::new(&cli.global);
    match carry_out(&cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn carry_out(cli: &Cli, output: &Output) -> Result<(), Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Config(ConfigCommand::Check { file }) => {
            config::check(file.as_deref(), global, output)
        }
        Command::Config(ConfigCommand::Show { file }) => {
            config::show(file.as_deref(), global, output)
        }
        Command::Migrations(MigrationsCommand::Export { dialect, into }) => {
            migrate::export(*dialect, into, output)
        }
        Command::Serve(arguments) => serve::serve(arguments, global, output),
        Command::Completions { shell } => generate::completions(*shell),
        Command::Man { into } => generate::man(into.as_deref(), output),
        command => runtime()?.block_on(ask(command, cli, output)),
    }
}

/// Commands that ask stores.
async fn ask(command: &Command, cli: &Cli, output: &Output) -> Result<(), Failure> {
    let stores = store::Stores::open(&cli.global)?;
    match command {
        Command::Health => health::health(&stores, output).await,
        Command::Cleanup(arguments) => cleanup::cleanup(arguments, &stores, output).await,
        Command::Migrate { status } => migrate::migrate(*status, &stores, output).await,
        Command::Inspect { key } => inspect::inspect(key, &stores, output).await,
        Command::Reset { key } => reset::reset(key, &stores, output).await,
        Command::List(arguments) => list::list(arguments, &stores, output).await,
        // These need no store.
        Command::Config(_)
        | Command::Migrations(_)
        | Command::Completions { .. }
        | Command::Serve(_)
        | Command::Man { .. } => Ok(()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::Other(format!("no runtime can be had: {error}")))
}
