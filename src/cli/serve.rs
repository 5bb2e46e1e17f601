//! `serve`: a service that decides for proxies.

use std::io::IsTerminal;

use serde_json::json;
use tracing::Level;

use super::{
    args::{Global, Serve},
    failure::Failure,
    output::Output,
    store,
};
use crate::serve::{ServeError, serve as serve_until_end};

/// Serves until it is told to end; what happens meanwhile is logged to standard error.
pub(super) fn serve(arguments: &Serve, global: &Global, output: &Output) -> Result<(), Failure> {
    let mut config = store::config(global)?;
    if !arguments.bind.is_empty() {
        config.serve.bind.clone_from(&arguments.bind);
    }
    if let Some(proxy) = arguments.proxy {
        config.serve.proxy = proxy.into();
    }
    log(global);
    for warning in config.warnings() {
        tracing::warn!(%warning, "configuration");
    }
    serve_until_end(&config, |service| {
        let addresses: Vec<_> = service.addresses().iter().map(ToString::to_string).collect();
        output.result(&json!({ "listening": addresses }), || {
            format!("listening at {}\n", addresses.join(", "))
        });
    })?;
    Ok(())
}

fn log(global: &Global) {
    let level = if global.verbose { Level::DEBUG } else { Level::INFO };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A program that runs this command may log in its own way already.
    let _ = match global.json {
        true => lines.json().try_init(),
        false => lines.with_target(false).try_init(),
    };
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Config(errors) => Self::Config(errors),
            other => Self::Other(other.to_string()),
        }
    }
}
