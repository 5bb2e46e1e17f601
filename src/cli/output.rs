//! Text for people and JSON for scripts; colours only where somebody looks.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use comfy_table::{Table, presets::NOTHING};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::Value;

use super::{args::Global, failure::Failure};
use crate::{Clock, Timestamp};

pub(super) const WELL: &str = "✓";
pub(super) const NOT_WELL: &str = "✗";

#[derive(Debug)]
pub(super) struct Output {
    is_json: bool,
    pub(super) is_verbose: bool,
}

impl Output {
    pub(super) fn new(global: &Global) -> Self {
        Self { is_json: global.json, is_verbose: global.verbose }
    }

    /// Prints the result: `json` for scripts, or else what `text` makes for people.
    pub(super) fn result(&self, json: &Value, text: impl FnOnce() -> String) {
        if self.is_json {
            print(&format!("{json:#}\n"));
        } else {
            print(&painted(&text()));
        }
    }

    /// A remark that is no result.
    pub(super) fn remark(&self, text: &str) {
        if !self.is_json {
            // Nobody may be reading.
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    pub(super) fn failure(&self, failure: &Failure) {
        if self.is_json
            && let Some(json) = failure.to_json()
        {
            print(&format!("{json:#}\n"));
        }
        let red = AnsiColor::Red.on_default().bold();
        for line in failure.lines() {
            let _ = writeln!(anstream::stderr(), "{red}error:{red:#} {line}");
        }
    }

    /// How far something is, if somebody looks.
    pub(super) fn progress(&self, total: u64, what: &'static str) -> ProgressBar {
        if !self.shows_progress() {
            return ProgressBar::hidden();
        }
        let template =
            "{prefix} {wide_bar} {human_pos}/{human_len} rows, {speed} a second, {eta} to go";
        let speed = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A bar that cannot be written is no harm.
            let _ = write!(out, "{:.0}", state.per_sec());
        };
        let style = ProgressStyle::with_template(template).map(|of| of.with_key("speed", speed));
        let bar = ProgressBar::new(total).with_prefix(what);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    pub(super) fn shows_progress(&self) -> bool {
        !self.is_json && std::io::stderr().is_terminal()
    }
}

fn print(text: &str) {
    let mut out = anstream::stdout();
    // Nobody may be reading.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Marks in colour.
fn painted(text: &str) -> String {
    let paint = |style: Style, mark: &str| format!("{style}{mark}{style:#}");
    text.replace(WELL, &paint(AnsiColor::Green.on_default(), WELL))
        .replace(NOT_WELL, &paint(AnsiColor::Red.on_default(), NOT_WELL))
}

/// Aligned columns, without an end of line.
pub(super) fn table<const N: usize>(
    header: Option<[&str; N]>,
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
    if let Some(header) = header {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// `3 keys`, `1 key`.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A time in UTC, as RFC 3339 has it, in whole seconds.
pub(super) fn utc(time: Timestamp) -> String {
    let since = Duration::from_micros(time.as_micros());
    match std::time::UNIX_EPOCH.checked_add(since) {
        // Later years have more digits than the format.
        Some(time) if since.as_secs() < 253_402_300_800 => {
            humantime::format_rfc3339_seconds(time).to_string()
        }
        _ => "never".to_owned(),
    }
}

/// When something ends, as seen from now.
pub(super) fn until(time: Option<Timestamp>) -> String {
    let now = Clock::System.now();
    let spell = |micros: u64| {
        let rounded = Duration::from_secs(micros.div_ceil(1_000_000));
        humantime::format_duration(rounded).to_string()
    };
    match time {
        None => "never".to_owned(),
        Some(time) if time > now => format!("in {}", spell(time.since(now))),
        Some(time) => format!("{} ago", spell(now.since(time))),
    }
}

/// A point in time for scripts; `null` for never.
pub(super) fn json_time(time: Option<Timestamp>) -> Value {
    time.map_or(Value::Null, |time| Value::String(utc(time)))
}
