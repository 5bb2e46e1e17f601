#!/usr/bin/env bash
# Installs what building and testing everything needs on a Debian machine, where it is missing.
set -euo pipefail

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
    [ -e /usr/include/postgresql/libpq-fe.h ] || missing+=(libpq-dev)
    have mariadb_config || have mysql_config || missing+=(libmariadb-dev)
    have pkg-config || missing+=(pkg-config)
    # The service for proxies is tested behind one.
    have nginx || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
    # The original limiter runs in virtual environments.
    have python3 || missing+=(python3)
    have python3 && python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    [ ${#missing[@]} -eq 0 ] && return
    have apt-get || { echo "install ${missing[*]} first" >&2; exit 1; }
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "${missing[@]}"
}

install_tools
