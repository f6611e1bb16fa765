#!/usr/bin/env bash
# The components that hostler ships with.
#   build.sh build   builds every one from source into built/NAME.wasm and writes down what it was made of
#   build.sh check   fails when the sources of one changed, or its component did, since it was built; needs no compiler
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export LC_ALL=C

target=wasm32-wasip2

components() { find builtin -mindepth 2 -maxdepth 2 -name Cargo.toml -printf '%h\n' | sed 's|.*/||' | sort; }

# What a component is made of: its crate, the SDK, the interfaces, the profile and the versions of its dependencies.
# Tests are no part of it.
digest_of_sources() {
    {
        find "builtin/$1" sdk ../wit -type f \( -name '*.rs' -o -name '*.wit' -o -name Cargo.toml -o -name schema.json \) \
            ! -name tests.rs ! -path '*/tests/*' ! -path '*/benches/*'
        printf '%s\n' Cargo.toml Cargo.lock build.sh
    } | sort | xargs sha256sum | sha256sum | cut -d ' ' -f 1
}

digest_of_component() { sha256sum "built/$1.wasm" 2>/dev/null | cut -d ' ' -f 1; }

write_sources() {
    local name
    echo "# component  digest of its sources  digest of the component; written by build.sh"
    for name in $(components); do
        echo "$name $(digest_of_sources "$name") $(digest_of_component "$name")"
    done
}

build() {
    local out=${CARGO_TARGET_DIR:-$PWD/target} name packages=()
    for name in $(components); do packages+=(-p "hostler-$name"); done
    # Vector instructions find bytes several at a time. The messages of panics name files: not those of this machine.
    RUSTFLAGS="-Ctarget-feature=+simd128 --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo --remap-path-prefix=$PWD=/plugins" \
        CARGO_TARGET_DIR=$out ./wasm-cargo.sh build --locked --release --target "$target" "${packages[@]}"
    mkdir -p built
    rm -f built/*.wasm
    for name in $(components); do
        cp "$out/$target/release/hostler_${name//-/_}.wasm" "built/$name.wasm"
    done
    write_sources >built/SOURCES
    find built -name '*.wasm' -printf '%s bytes  %f\n' | sort -k 3
}

check() {
    if ! diff <(write_sources) built/SOURCES; then
        echo "components that are not what their sources say: run plugins/build.sh build" >&2
        exit 1
    fi
}

case ${1:-} in
    build) build ;;
    check) check ;;
    *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
esac
