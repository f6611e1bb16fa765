#!/usr/bin/env bash
# The plugins: their code natively, and every component built again from its sources. What comes out is normally byte for
# byte what is committed, which the other tests run on. Where it is not (another compiler), this says so, and the tests
# of the plugins run on what was built here as well. Afterwards what is committed is back in its place.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash .ci/plugins-native.sh

built=plugins/built
committed=$(mktemp -d)
cp -p "$built"/* "$committed"
restore() {
    rm -f "$built"/*
    cp -p "$committed"/* "$built"
    rm -rf "$committed"
}
trap restore EXIT
plugins/build.sh build

differ=()
for component in "$built"/*.wasm; do
    cmp -s "$component" "$committed/${component##*/}" || differ+=("$(basename "$component" .wasm)")
done
if [ ${#differ[@]} -eq 0 ]; then
    echo "all components are byte for byte the committed ones"
    exit 0
fi
echo "built by $(rustc -V), these are not byte for byte the committed ones: ${differ[*]}"
echo "running the tests of the plugins on them"
cargo test -p hostler-plugin-host
cargo test -p hostler plugins errors
cargo build
cargo test -p e2e --test plugin_cli --test plugins --test annotate --test health --test errors
