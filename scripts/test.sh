#!/usr/bin/env bash
# Installs what the tests need on a Debian machine, then runs all of them.
# Heavier runs of the same tests in release mode: RELEASE=0 skips them.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_tools() {
    local missing=()
    have cc || missing+=(build-essential)
    have cargo || missing+=(cargo)
    # Tests start Redis servers of their own; redis-tools has redis-cli and redis-benchmark.
    have redis-server || missing+=(redis-server)
    have redis-benchmark || missing+=(redis-tools)
    # So they do with PostgreSQL and MariaDB, whose client libraries the backends link with.
    have initdb || [ -d /usr/lib/postgresql ] || missing+=(postgresql)
    have mariadbd || [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
    have pg_config || missing+=(libpq-dev)
    have mariadb_config || have mysql_config || missing+=(libmariadb-dev pkg-config)
    # The original limiter runs in virtual environments.
    have python3 || missing+=(python3)
    have python3 && python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    [ ${#missing[@]} -eq 0 ] && return
    have apt-get || { echo "install ${missing[*]} first" >&2; exit 1; }
    as_root apt-get update -q
    as_root apt-get install -y -q "${missing[@]}"
}

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

install_tools
prepare_originals
# The programs of the compile tests are built by a manifest of their own.
export CARGO_PROFILE_DEV_DEBUG="${CARGO_PROFILE_DEV_DEBUG:-line-tables-only}"
echo "== tests"
cargo test --workspace --all-features --no-fail-fast
if [ "${RELEASE:-1}" = 1 ]; then
    echo "== generated cases against the oracles, in release mode"
    PROPTEST_CASES="${PROPTEST_CASES:-8000}" cargo test --release -p actix-smart-ratelimit-core \
        --test properties --test metamorphic --test clocks --test batches --test refunds
    echo "== concurrency and floods at full size, in release mode"
    cargo test --release --all-features --test memory_concurrency --test memory_flood \
        --test denial_cache_bounds --test lease_bounds --test redis_concurrency
    echo "== a million generated steps, scripts against core"
    STEPS="${STEPS:-1000000}" cargo test --release --all-features --test redis_differential
fi
