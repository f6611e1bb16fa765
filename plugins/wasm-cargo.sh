#!/usr/bin/env bash
# cargo with a Rust library for wasm32-wasip2, or for WASM_TARGET: `wasm-cargo.sh build --release …`.
# Takes rustup's own library where there is one or where rustup can add it, and otherwise Debian's compiler with a
# library built from Debian's sources, once per machine.
set -euo pipefail

target=${WASM_TARGET:-wasm32-wasip2}
sysroot=$(rustc --print sysroot)

# Debian has the compiler and the sources of its library, but no library for this target.
make_debian_library() {
    local lib=/usr/lib/rustlib/$target/lib empty
    [ ! -e "$lib/self-contained/libc.a" ] || return 0
    echo "building Debian's Rust library for $target, once" >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        rustc-web cargo-web rust-web-src libstd-rust-web-dev wasi-libc >&2
    empty=$(mktemp -d)
    printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n' >"$empty/Cargo.toml"
    : >"$empty/lib.rs"
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR=$empty/target \
        /usr/bin/cargo build -q -Zbuild-std=std,panic_abort --release --target "$target" \
        --manifest-path "$empty/Cargo.toml" >&2
    rm -f "$empty/target/$target/release/deps/"libempty*
    # Libraries of two builds side by side are ambiguous to the compiler.
    rm -rf "$lib"
    mkdir -p "$lib/self-contained"
    cp "$empty/target/$target/release/deps/"*.rlib "$lib/"
    cp /usr/lib/wasm32-wasi/{crt1-command.o,crt1-reactor.o,libc.a} "$lib/self-contained/"
    rm -rf "$empty"
}

has_own() { [ -d "$sysroot/lib/rustlib/$target/lib" ]; }

if has_own || { timeout 300 rustup target add "$target" >&2 && has_own; }; then
    exec cargo "$@"
fi
make_debian_library
rustup toolchain list | grep -q '^debian-wasm\b' || rustup toolchain link debian-wasm /usr
# Debian's compiler has no linkers for wasm; rustup's has.
bin=$sysroot/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
PATH=$bin:$bin/gcc-ld:$PATH exec cargo +debian-wasm "$@"
