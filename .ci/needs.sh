#!/usr/bin/env bash
# Makes sure that the machine has what the checks need: rustfmt, clippy, a C compiler, Python with venv, npm.
# Installs from the system's packages what is missing, and touches nothing that is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v git >/dev/null || missing+=(git)
command -v python3 >/dev/null || missing+=(python3)
command -v npm >/dev/null || missing+=(nodejs npm)
# Debian's Python comes without the part of venv that installs pip.
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy

rustc --version
cargo clippy --version
cc --version | head -n 1
python3 --version
echo "node $(node --version), npm $(npm --version)"
echo "$(nproc) cores, kernel $(uname -r)"
