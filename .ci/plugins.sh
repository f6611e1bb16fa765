#!/usr/bin/env bash
# Builds every plugin: the crates of the workspace in plugins/, as components for wasm32-wasip2.
# Where there is no such workspace there is nothing to build, and it says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=wasm32-wasip2
if [ ! -e plugins/Cargo.toml ]; then
    echo "plugins/ has no Cargo.toml: there is no plugin to build"
    exit 0
fi
build=(build --workspace --release --target "$target" --manifest-path plugins/Cargo.toml)

if [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    cargo "${build[@]}"
elif rustup toolchain list 2>/dev/null | grep -q '^debian-wasm\b'; then
    # Debian's compiler with a library built for the target, and the linkers of rustup's.
    bin=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
    PATH=$bin:$bin/gcc-ld:$PATH cargo +debian-wasm "${build[@]}"
else
    echo "no Rust library for $target here: rustup target add $target" >&2
    exit 1
fi

find "${CARGO_TARGET_DIR:-plugins/target}/$target/release" -maxdepth 1 -name '*.wasm' -printf '%s bytes  %f\n' | sort -k 3
