//! The server of one contender, in a process of its own.

use std::io::{Write, stdout};
use std::net::SocketAddr;

use actix_web::HttpServer;
use actix_web::rt::System;
use anyhow::{Context, Result};
use clap::ValueEnum;

use super::contender::{Contender, with_app};
use crate::ours::Outcome;
use crate::{child, pin};

/// Arguments of the hidden subcommand that serves.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    contender: Contender,
    #[arg(long)]
    outcome: Outcome,
    /// The address of a Redis server.
    #[arg(long)]
    store: Option<String>,
}

impl Args {
    pub(super) fn new(contender: Contender, outcome: Outcome, store: Option<String>) -> Self {
        Self { contender, outcome, store }
    }

    pub(super) fn command_line(&self) -> Vec<String> {
        let outcome = self.outcome.to_possible_value();
        let outcome = outcome.map_or_else(String::new, |value| value.get_name().to_owned());
        let mut line = vec![
            "serve".to_owned(),
            format!("--contender={}", self.contender.name()),
            format!("--outcome={outcome}"),
        ];
        line.extend(self.store.iter().map(|store| format!("--store={store}")));
        line
    }
}

/// Serves with one worker on a free port, prints its address, and stays until
/// the parent is gone.
pub(crate) fn run(args: &Args) -> Result<()> {
    child::end_with_parent();
    pin::this_thread(pin::SERVER_CORE)?;
    System::new().block_on(async {
        with_app!(args.contender, args.outcome, args.store.as_deref(), |app| {
            let server = HttpServer::new(app)
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .context("binding a free port of 127.0.0.1")?;
            announce(&server.addrs())?;
            server.run().await.context("serving")
        })
    })
}

fn announce(addresses: &[SocketAddr]) -> Result<()> {
    let address = addresses.first().context("the server listens nowhere")?;
    let mut output = stdout().lock();
    writeln!(output, "{address}")?;
    output.flush().context("telling the address")
}
