#!/usr/bin/env bash
# The plugins: checks and tests their code, then builds every component again from its sources.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../plugins"

./build.sh check
cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
cargo test --workspace
./build.sh build
