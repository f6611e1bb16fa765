#!/usr/bin/env bash
# Runs what measures: the bench targets of the workspace, and the programs tests/bench/*.py and *.sh, each of
# which is given a release build by `--hostler PATH`, and the arguments of this one: with `--strict` who misses a target
# ends with 1. All are run; the whole fails with any of them.
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
failed=()
for program in "${programs[@]}"; do
    echo "== $program"
    case $program in
        *.py) run=python3 ;;
        *.sh) run=bash ;;
    esac
    "$run" "$program" --hostler "${CARGO_TARGET_DIR:-target}/release/hostler" "$@" || failed+=("$program")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
