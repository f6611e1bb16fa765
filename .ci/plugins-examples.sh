#!/usr/bin/env bash
# Makes plugins as authors do, and loads them: plugins-examples.sh HOSTLER
# A new plugin by the steps of plugins/README.md, up to a daemon whose process it serves; the examples in Rust, built
# by plain cargo and by cargo-component; the one in Python where its tools can be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
hostler=$(realpath "${1:?usage: plugins-examples.sh HOSTLER}")
export PATH=$root/target/tools/bin:$PATH

# One place for all builds: what they have in common is built once.
export CARGO_TARGET_DIR=$root/plugins/target
release=$CARGO_TARGET_DIR/wasm32-wasip2/release
build() { "$root/plugins/wasm-cargo.sh" build --quiet --release --target wasm32-wasip2; }

work=$(mktemp -d)
export HOSTLER_HOME=$work/home
trap '"$hostler" daemon stop >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

# Fails unless the output of a command has a text: has TEXT COMMAND…
has() {
    local text=$1 output
    shift
    output=$("$@" 2>&1) || { printf '%s\n' "$output"; return 1; }
    grep -qF -- "$text" <<<"$output" || { printf 'expected “%s” from: %s\n%s\n' "$text" "$*" "$output"; return 1; }
}

echo "== a new plugin, by the steps of plugins/README.md"
cd "$work"
"$hostler" plugin new --world log-parser my-parser >/dev/null
cd my-parser
cargo test --quiet
build
component=$release/my_parser.wasm
has "log-parser of hostler:plugin@1.0.0" "$hostler" plugin check "$component"
has "no connection to the database" "$hostler" plugin run "$component" --input sample.log
has "[plugins.my-parser] declared" "$hostler" plugin add "$component"
has "running" "$hostler" start app --parser my-parser --wait-for started -- tail -n +1 -f sample.log
for _ in $(seq 100); do
    found=$("$hostler" logs app --level error)
    [ -z "$found" ] || break
    sleep 0.1
done
[[ $found == *"GET /orders failed: no connection to the database" && $found != *$'\n'* ]] ||
    { echo "not the one line of level error: “$found”"; exit 1; }
has "my-parser" "$hostler" plugin list
"$hostler" kill app >/dev/null

echo "== plain cargo, without the SDK"
cd "$root/plugins/examples/plain-wit"
build
has "ok    calls" "$hostler" plugin check "$release/plain_wit.wasm"
printf 'E disk full\n' >"$work/sample.log"
has "disk full" "$hostler" plugin run "$release/plain_wit.wasm" --input "$work/sample.log"

echo "== cargo-component"
cd "$root/plugins/examples/cargo-component"
if ! cargo component --version; then
    echo "NOT built: there is no cargo-component (.ci/cargo-component.sh installs it)"
elif ! rustup target add wasm32-wasip1 >/dev/null 2>&1; then
    echo "NOT built: rustup has no library for wasm32-wasip1 here"
else
    cargo component build --quiet --release
    component=$CARGO_TARGET_DIR/wasm32-wasip1/release/cargo_component_example.wasm
    has "health-check of hostler:plugin@1.0.0" "$hostler" plugin check "$component"
    echo '{"restarts": 5}' >"$work/facts.json"
    has "5 restarts" "$hostler" plugin run "$component" --input "$work/facts.json"
fi

echo "== Python"
cp "$root/plugins/examples/python/plugin.py" "$work"
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check componentize-py==0.25.1
venv/bin/componentize-py -d "$root/wit" -w log-parser componentize plugin -o plugin.wasm >/dev/null
has "log-parser of hostler:plugin@1.0.0" "$hostler" plugin check plugin.wasm
has "disk full" "$hostler" plugin run plugin.wasm --input sample.log
