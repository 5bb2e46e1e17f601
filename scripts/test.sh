#!/usr/bin/env bash
# Installs what the tests need on a Debian machine, then runs all of them.
# Heavier runs of the same tests in release mode: RELEASE=0 skips them.
set -euo pipefail
cd "$(dirname "$0")/.."

# The versions of the original limiter with which counters in Redis are shared, where the tests look for
# them.
prepare_originals() {
    local version place
    ORIGINALS="$(realpath -m "${CARGO_TARGET_DIR:-target}")/originals"
    for version in 0.7.2 4.12.1; do
        place="$ORIGINALS/$version"
        [ -e "$place/ready" ] && continue
        echo "== django-smart-ratelimit $version"
        python3 -m venv --clear "$place"
        "$place/bin/pip" install -q --disable-pip-version-check \
            -r tests/support/original/requirements.txt "django-smart-ratelimit[redis]==$version"
        touch "$place/ready"
    done
    export ORIGINALS REQUIRE_ORIGINAL=1
}

scripts/setup.sh
prepare_originals
# The programs of the compile tests are built by a manifest of their own.
export CARGO_PROFILE_DEV_DEBUG="${CARGO_PROFILE_DEV_DEBUG:-line-tables-only}"
echo "== tests"
cargo test --workspace --all-features --no-fail-fast
echo "== what is told of features that are not built in"
cargo test --no-default-features --features config --test config_features
cargo test --no-default-features --features config,redis,sqlite --test config_features
if [ "${RELEASE:-1}" = 1 ]; then
    echo "== generated cases against the oracles, in release mode"
    PROPTEST_CASES="${PROPTEST_CASES:-8000}" cargo test --release -p actix-smart-ratelimit-core \
        --test properties --test metamorphic --test clocks --test batches --test refunds
    echo "== concurrency and floods at full size, in release mode"
    cargo test --release --all-features --test memory_concurrency --test memory_flood \
        --test denial_cache_bounds --test lease_bounds --test redis_concurrency \
        --test database_concurrency
    echo "== a minute of processes whose stores fail at random"
    SOAK_SECONDS=60 scripts/soak.sh
    echo "== a cleanup of a million rows, half of them live, beside deciding tasks"
    CLEANUP_ROWS="${CLEANUP_ROWS:-1000000}" cargo test --release --all-features --test cli load -- \
        --nocapture --test-threads=1
    echo "== a million generated steps, scripts against core"
    STEPS="${STEPS:-1000000}" cargo test --release --all-features --test redis_differential
    echo "== generated steps, tables against core"
    STEPS="${DATABASE_STEPS:-200000}" cargo test --release --all-features --test database_differential
fi
