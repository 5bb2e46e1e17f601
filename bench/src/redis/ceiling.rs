//! `redis-benchmark`: what the server does when the client costs next to nothing.
//!
//! It repeats a script that takes plain arguments: in ours are bytes that it
//! cannot repeat.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::drive::Slice;

/// What it puts a random number in place of, with as many digits.
pub(super) const KEY: &str = "__rand_int__";

/// Most requests that it sends at once on one connection.
const PIPELINE: usize = 32;

/// One run of the program.
pub(super) struct Run<'a> {
    pub(super) server: SocketAddr,
    pub(super) database: u32,
    pub(super) keys: usize,
    pub(super) in_flight: usize,
    pub(super) requests: u64,
    pub(super) command: &'a [String],
}

impl Run<'_> {
    /// Runs the program on this thread's core.
    pub(super) fn slice(&self) -> Result<Slice> {
        let pipeline = self.in_flight.min(PIPELINE);
        let output = Command::new("redis-benchmark")
            .args(["-h", &self.server.ip().to_string(), "-p", &self.server.port().to_string()])
            .args(["--dbnum", &self.database.to_string(), "-r", &self.keys.to_string()])
            .args(["-P", &pipeline.to_string(), "-c", &(self.in_flight / pipeline).to_string()])
            .args(["-n", &self.requests.to_string(), "--precision", "3", "--csv"])
            .args(self.command)
            .output()
            .context("starting redis-benchmark")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (per_second, median, p99) = figures(&String::from_utf8(output.stdout)?)?;
        Ok(Slice {
            checks: self.requests,
            admitted: self.requests,
            elapsed: Duration::from_secs_f64(self.requests as f64 / per_second),
            median: median * 1e3,
            p99: p99 * 1e3,
            longest: f64::NAN,
            server: f64::NAN,
        })
    }
}

/// Requests per second and two latencies in ms, out of a head and one line of values.
fn figures(csv: &str) -> Result<(f64, f64, f64)> {
    let mut lines = csv.lines().skip_while(|line| !line.starts_with("\"test\""));
    let (names, values) = lines.next().zip(lines.next()).context("redis-benchmark told nothing")?;
    // The command stands first and may hold whatever it likes, so columns count from the end.
    let column = |name: &str| {
        let back = names.split(',').rev().position(|other| other.trim_matches('"') == name);
        let value = back.and_then(|back| values.split(',').rev().nth(back));
        let value = value.with_context(|| format!("redis-benchmark tells no {name}"))?;
        value.trim_matches('"').parse::<f64>().with_context(|| format!("reading {name}"))
    };
    Ok((column("rps")?, column("p50_latency_ms")?, column("p99_latency_ms")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_whatever_the_command_is() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\",\"p50_latency_ms\",\"p99_latency_ms\"\n\
                   \"EVALSHA 1,\"\"2\",\"255319.16\",\"0.121\",\"0.119\",\"0.207\"\n";
        assert_eq!(figures(csv).unwrap(), (255_319.16, 0.119, 0.207));
    }

    #[test]
    fn an_error_of_the_server_is_an_error() {
        assert!(figures("ERR unknown command\n").is_err());
    }
}
