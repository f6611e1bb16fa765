#!/usr/bin/env bash
# Makes plugins as authors do, and loads them: plugins-examples.sh HOSTLER
# A new plugin of each world by the steps of plugins/README.md, up to a daemon whose process it serves, and what that guide
# shows as the whole of one; the examples in Rust, built by plain cargo and by cargo-component; the one in Python.
# What cannot be built here fails, unless EXAMPLES_MAY_MISS names it: "cargo-component python".
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

# Waits for that: eventually TEXT COMMAND…
eventually() {
    local _
    for _ in $(seq 100); do
        has "$@" >/dev/null && return 0
        sleep 0.1
    done
    has "$@"
}

missed=()
# Tells that an example was not built: not_built EXAMPLE WHY
not_built() {
    echo "NOT built: $1: $2"
    [[ " ${EXAMPLES_MAY_MISS:-} " == *" $1 "* ]] || missed+=("$1")
}

# The N-th whole plugin that the guide shows.
of_guide() {
    awk -v wanted="$1" '
        /^ *```rust$/ { code = ""; inside = 1; next }
        /^ *```$/ { if (inside && code ~ /hostler_plugin::export!/ && ++found == wanted) printf "%s", code; inside = 0 }
        inside { sub(/^   /, ""); code = code $0 "\n" }' "$root/plugins/README.md"
}

# Makes, tests, builds, checks, tries and declares one by the steps of the guide: follow WORLD NAME SAMPLE SHOWN
follow() {
    local world=$1 name=$2 sample=$3 shown=$4 component
    echo "== a new $world, by the steps of plugins/README.md"
    cd "$work"
    "$hostler" plugin new --world "$world" "$name" >/dev/null
    cd "$name"
    cargo test --quiet
    build
    component=$release/${name//-/_}.wasm
    has "$world of hostler:plugin@1.0.0" "$hostler" plugin check "$component"
    has "$shown" "$hostler" plugin run "$component" --input "$sample"
    has "[plugins.$name] declared" "$hostler" plugin add "$component"
}

# What the guide shows as the whole of a plugin: shown N WORLD NAME SAMPLE TEXT
shown() {
    local nth=$1 world=$2 name=$3 sample=$4 text=$5
    echo "== the $world that plugins/README.md shows"
    cd "$work"
    "$hostler" plugin new --world "$world" "$name" >/dev/null
    cd "$name"
    of_guide "$nth" >src/lib.rs
    build
    has "$world of hostler:plugin@1.0.0" "$hostler" plugin check "$release/${name//-/_}.wasm"
    printf '%s\n' "$sample" >sample
    has "$text" "$hostler" plugin run "$release/${name//-/_}.wasm" --input sample
    has "[plugins.$name] declared" "$hostler" plugin add "$release/${name//-/_}.wasm" --name "$name"
}

follow log-parser my-parser sample.log "no connection to the database"
has "running" "$hostler" start app --parser my-parser --wait-for started -- tail -n +1 -f sample.log
eventually "GET /orders failed: no connection to the database" "$hostler" logs app --level error
found=$("$hostler" logs app --level error)
[[ $found != *$'\n'* ]] || { echo "not the one line of level error: “$found”"; exit 1; }
"$hostler" kill app >/dev/null

follow health-check my-check sample.json "silent for 90 s"
has "running" "$hostler" start quiet --health my-check='{"silent_seconds": 3600}' --wait-for healthy -- sleep 600
has "wrote a line" "$hostler" health quiet
"$hostler" kill quiet >/dev/null

follow error-categorizer my-categorizer sample.txt "no stock for order 4711"
printf '\n[errors]\ncategorizers = ["my-categorizer", "generic"]\n' >>"$HOSTLER_HOME/config.toml"
"$hostler" start shop --wait-for started -- tail -n +1 -f sample.txt >/dev/null
eventually '"category":"stock"' "$hostler" errors --json
"$hostler" kill shop >/dev/null

for name in my-parser my-check my-categorizer; do
    has "$name" "$hostler" plugin list
done

shown 1 log-parser letters "E disk full" "disk full"
shown 2 health-check restarts '{"restarts": 5}' "5 restarts"
shown 3 error-categorizer locked "order 5 is locked" "Wait for the import to end."

echo "== plain cargo, without the SDK"
cd "$root/plugins/examples/plain-wit"
build
has "ok    calls" "$hostler" plugin check "$release/plain_wit.wasm"
printf 'E disk full\n' >"$work/sample.log"
has "disk full" "$hostler" plugin run "$release/plain_wit.wasm" --input "$work/sample.log"

echo "== cargo-component"
cd "$root/plugins/examples/cargo-component"
if ! cargo component --version; then
    not_built cargo-component "there is no cargo-component (.ci/cargo-component.sh installs it)"
elif ! WASM_TARGET=wasm32-wasip1 "$root/plugins/wasm-cargo.sh" component build --quiet --release; then
    not_built cargo-component "it cannot be built for wasm32-wasip1 here"
else
    component=$CARGO_TARGET_DIR/wasm32-wasip1/release/cargo_component_example.wasm
    has "health-check of hostler:plugin@1.0.0" "$hostler" plugin check "$component"
    echo '{"restarts": 5}' >"$work/facts.json"
    has "5 restarts" "$hostler" plugin run "$component" --input "$work/facts.json"
fi

echo "== Python"
cp "$root/plugins/examples/python/plugin.py" "$work"
cd "$work"
if ! { python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check componentize-py==0.25.1; }; then
    not_built python "componentize-py cannot be had here"
else
    venv/bin/componentize-py -d "$root/wit" -w log-parser componentize plugin -o plugin.wasm >/dev/null
    has "log-parser of hostler:plugin@1.0.0" "$hostler" plugin check plugin.wasm
    has "disk full" "$hostler" plugin run plugin.wasm --input sample.log
fi

[ ${#missed[@]} -eq 0 ] || {
    echo "not built: ${missed[*]}; EXAMPLES_MAY_MISS=\"${missed[*]}\" lets that pass" >&2
    exit 1
}
