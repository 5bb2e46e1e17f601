//! `config`: what is wrong with a configuration, and what applies.

use std::path::Path;

use serde_json::json;

use super::{
    args::Global,
    failure::{Failure, config_error},
    output::{Output, WELL, counted},
    store,
};
use crate::{RateLimiter, config::Config};

fn read(file: Option<&Path>, global: &Global) -> Result<Config, Failure> {
    match (file, &global.url, &global.config) {
        (Some(file), _, _) => Ok(Config::load(file)?),
        (None, Some(_), _) => store::config(global),
        (None, None, Some(file)) => Ok(Config::load(file)?),
        (None, None, None) => Ok(Config::discover()?),
    }
}

pub(super) fn check(file: Option<&Path>, global: &Global, output: &Output) -> Result<(), Failure> {
    let config = read(file, global)?;
    let _ = RateLimiter::from_config(&config)?.middleware_from(&config)?;
    let warnings: Vec<_> = config.warnings().map(config_error).collect();
    let (backends, rules) = (config.backends.len().max(1), config.middleware.rules.len());
    let json = json!({
        "valid": true,
        "backends": backends,
        "rules": rules,
        "warnings": warnings,
    });
    output.result(&json, || {
        let mut text: String = config.warnings().map(|of| format!("warning: {of}\n")).collect();
        let (backends, rules) =
            (counted(backends, "backend", "backends"), counted(rules, "rule", "rules"));
        text.push_str(&format!("{WELL} valid: {backends}, {rules}\n"));
        text
    });
    Ok(())
}

pub(super) fn show(file: Option<&Path>, global: &Global, output: &Output) -> Result<(), Failure> {
    let config = read(file, global)?;
    let other = |error: &dyn std::fmt::Display| Failure::Other(error.to_string());
    let json = serde_json::to_value(&config).map_err(|error| other(&error))?;
    let text = config.to_toml_string().map_err(|error| other(&error))?;
    output.result(&json, || text);
    Ok(())
}
