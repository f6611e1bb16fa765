#!/usr/bin/env bash
# Fails when a process is left of a run that had the given directory as its TMPDIR:  leftovers.sh DIRECTORY
# Every process of such a run has that directory in its environment, in its command line or as working directory,
# which nobody else's has. What is found is shown, and then ended.
set -euo pipefail

mark=${1:?usage: leftovers.sh DIRECTORY}
# This script and whoever runs it.
declare -A own=()
pid=$$
while [ "${pid:-0}" -gt 1 ]; do
    own[$pid]=1
    pid=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status")
done

# Prints the ids of living processes with the mark.
left() {
    local dir pid state
    for dir in /proc/[0-9]*; do
        pid=${dir#/proc/}
        [ -z "${own[$pid]:-}" ] && [ "$pid" != "$BASHPID" ] || continue
        state=$(sed -n 's/^State:\t\(.\).*/\1/p' "$dir/status" 2>/dev/null) || continue
        [ -n "$state" ] && [ "$state" != Z ] && [ "$state" != X ] || continue
        if grep -aqF -- "$mark" "$dir/cmdline" "$dir/environ" 2>/dev/null ||
            [[ "$(readlink "$dir/cwd" 2>/dev/null)" == "$mark"* ]]; then
            echo "$pid"
        fi
    done
}

# What is on its way out has a moment.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(left)
    [ -n "$pids" ] || { echo "no process is left"; exit 0; }
    sleep 0.5
done
echo "processes are left:"
for pid in $pids; do
    echo "  $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-200)"
    kill -KILL "$pid" 2>/dev/null || true
done
exit 1
