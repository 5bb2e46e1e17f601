//! `ratelimit`: looks after what limiters keep. See docs/operations.md.

use std::process::ExitCode;

fn main() -> ExitCode {
    actix_smart_ratelimit::cli::run(std::env::args_os())
}
