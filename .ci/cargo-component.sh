#!/usr/bin/env bash
# cargo-component, with which one of the example plugins is built: takes the one that is there, else builds one, once, in
# target/tools. That takes some six minutes of one core.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.21.1
tools=$PWD/target/tools
export PATH=$tools/bin:$PATH

# Who comes second waits, and finds it.
mkdir -p "$tools"
exec 9>"$tools/component.lock"
flock 9
if ! cargo component --version >/dev/null 2>&1; then
    # An unoptimized one does: it runs for a second.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$tools/component \
        cargo install --quiet --debug --locked --root "$tools" --version "$version" cargo-component
    rm -rf "$tools/component"
fi
cargo component --version
