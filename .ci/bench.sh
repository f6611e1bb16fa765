#!/usr/bin/env bash
# Runs what measures: the bench targets of the workspace, and the programs tests/bench/*.py and *.sh, each of
# which is given a release build by `--hostler PATH`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if cargo metadata --no-deps --format-version 1 | grep -q '"kind":\["bench"\]'; then
    cargo bench --workspace --benches
else
    echo "no bench target in the workspace"
fi

programs=()
for program in tests/bench/*.py tests/bench/*.sh; do
    # What is not executable is a part of one that is.
    [ -x "$program" ] && programs+=("$program")
done
[ ${#programs[@]} -gt 0 ] || { echo "no program in tests/bench"; exit 0; }
cargo build --release --bin hostler
for program in "${programs[@]}"; do
    echo "== $program"
    case $program in
        *.py) python3 "$program" --hostler "${CARGO_TARGET_DIR:-target}/release/hostler" ;;
        *.sh) bash "$program" --hostler "${CARGO_TARGET_DIR:-target}/release/hostler" ;;
    esac
done
