#!/usr/bin/env bash
# The plugins' code, as far as that needs no WASM toolchain: that the components are those of their sources, format,
# lints and the native tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../plugins"

./build.sh check
cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
cargo test --workspace
