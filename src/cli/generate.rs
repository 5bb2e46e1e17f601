//! `completions` and `man`: what shells and readers want to know of the commands.

use std::{io::Write, path::Path};

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use super::{args::Cli, failure::Failure, output::Output};

pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ratelimit", &mut text);
    print(&text)
}

/// The page of all commands, or in a folder one for each.
pub(super) fn man(into: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let Some(folder) = into else {
        let mut text = Vec::new();
        let page = clap_mangen::Man::new(Cli::command());
        page.render(&mut text).map_err(|error| Failure::Other(error.to_string()))?;
        return print(&text);
    };
    let place = folder.display();
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .map_err(|error| Failure::Other(format!("{place}: {error}")))?;
    let written = json!({ "written": place.to_string() });
    output.result(&written, || format!("pages written to {place}\n"));
    Ok(())
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let written = std::io::stdout().write_all(text);
    written.map_err(|error| Failure::Other(format!("standard output: {error}")))
}
