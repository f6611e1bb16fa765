#!/usr/bin/env bash
# Runs what measures: the bench targets of the workspace, that of the plugins with the arguments of this one, and the
# programs tests/bench/*.py and *.sh, each of which is given a release build by `--hostler PATH` and those arguments too:
# with `--strict` who misses a target ends with 1. All are run; the whole fails with any of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=()
if cargo metadata --no-deps --format-version 1 | grep -q '"kind":\["bench"\]'; then
    cargo bench --workspace --benches
    # It compares components with the same code natively, and so needs that code, which nothing else does.
    cargo bench -p hostler-plugin-host --features native --bench targets -- "$@" || failed+=("targets of the plugins")
else
    echo "no bench target in the workspace"
fi

programs=()
for program in tests/bench/*.py tests/bench/*.sh; do
    # What is not executable is a part of one that is.
    [ -x "$program" ] && programs+=("$program")
done
[ ${#programs[@]} -gt 0 ] || { echo "no program in tests/bench"; exit ${#failed[@]}; }
cargo build --release --bin hostler
for program in "${programs[@]}"; do
    echo "== $program"
    case $program in
        *.py) run=python3 ;;
        *.sh) run=bash ;;
    esac
    "$run" "$program" --hostler "${CARGO_TARGET_DIR:-target}/release/hostler" "$@" || failed+=("$program")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
