#!/usr/bin/env bash
# Checks dependencies against deny.toml: licences, bans, sources, and known vulnerabilities where the database of
# them can be fetched. Uses the cargo-deny that is there; with --install, else builds one, once, in target/tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.20.2
tools=$PWD/target/tools
export PATH=$tools/bin:$PATH

if ! cargo deny --version >/dev/null 2>&1; then
    if [ "${1:-}" != --install ]; then
        echo "cargo-deny is not installed: nothing checked (cargo install cargo-deny --locked)" >&2
        exit 1
    fi
    echo "building cargo-deny $version"
    # An unoptimized one does: it runs for a second.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=false CARGO_TARGET_DIR=$tools/build \
        cargo install --quiet --locked --root "$tools" --version "$version" cargo-deny
    rm -rf "$tools/build"
fi
cargo deny --version

cargo deny --log-level error check bans licenses sources
if timeout 120 cargo deny --log-level off fetch db >/dev/null 2>&1; then
    cargo deny check --disable-fetch advisories
else
    echo "advisories: NOT checked, the database of vulnerabilities cannot be fetched from here"
fi
