#!/usr/bin/env bash
# Ten minutes of random load from several processes on stores that fail at random, in release mode; then
# an independent checker judges everything that happened. SOAK_SECONDS makes it longer or shorter.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
SOAK_SECONDS="${SOAK_SECONDS:-600}" cargo test --release --all-features --test soak -- --nocapture
