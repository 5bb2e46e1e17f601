//! `migrate` and `migrations export`: the tables of databases.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    args::DialectName,
    failure::Failure,
    output::{NOT_WELL, Output, WELL, counted, table},
    store::{Store, Stores},
};
use crate::backend::database::{Dialect, Migration};

pub(super) async fn migrate(
    only_status: bool,
    stores: &Stores,
    output: &Output,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    for (store, database) in stores.databases()? {
        // It tells soon if the database does not answer; migrations of large tables may take long.
        let before = stores.answer(store, database.migrations()).await?;
        let run = match before.iter().all(|migration| migration.is_run) || only_status {
            true => Vec::new(),
            false => database.migrate().await.map_err(Failure::of(&store.name))?,
        };
        let told: Vec<_> = before.into_iter().map(|migration| Told::new(migration, &run)).collect();
        all.push((store, told));
    }
    let is_current = all.iter().all(|(_, told)| told.iter().all(|told| told.is_run));
    let backends: Vec<_> = all.iter().map(|(store, told)| to_json(store, told)).collect();
    output.result(&json!({ "current": is_current, "backends": backends }), || text(&all));
    if is_current { Ok(()) } else { Err(Failure::NotWell) }
}

struct Told {
    name: String,
    is_run: bool,
    /// By this command.
    is_new: bool,
}

impl Told {
    fn new(migration: Migration, run: &[String]) -> Self {
        // The account of migrations has their versions, with which names begin.
        let version: String = migration.name.split('_').next().unwrap_or_default().replace('-', "");
        let is_new = run.iter().any(|run| *run == version || *run == migration.name);
        Self { name: migration.name, is_run: migration.is_run || is_new, is_new }
    }
}

fn to_json(store: &Store, told: &[Told]) -> Value {
    let migrations: Vec<_> = told
        .iter()
        .map(|told| json!({ "name": told.name, "run": told.is_run, "now": told.is_new }))
        .collect();
    json!({ "name": store.name, "migrations": migrations })
}

fn text(all: &[(&Store, Vec<Told>)]) -> String {
    let rows = all.iter().flat_map(|(store, told)| {
        told.iter().map(|told| {
            let (mark, state) = match (told.is_run, told.is_new) {
                (true, true) => (WELL, "run now"),
                (true, false) => (WELL, "run"),
                (false, _) => (NOT_WELL, "not run"),
            };
            [format!("{mark} {}", store.name), told.name.clone(), state.to_owned()]
        })
    });
    format!("{}\n", table(None, rows))
}

pub(super) fn export(dialect: DialectName, into: &Path, output: &Output) -> Result<(), Failure> {
    let place = into.display();
    let written = Dialect::from(dialect)
        .export(into)
        .map_err(|error| Failure::Other(format!("{place}: {error}")))?;
    let files: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
    output.result(&json!({ "written": files }), || {
        let lines: String = files.iter().map(|file| format!("{file}\n")).collect();
        match files.len() {
            0 => format!("{place} has them already\n"),
            count => format!("{lines}{} written\n", counted(count, "file", "files")),
        }
    });
    Ok(())
}
