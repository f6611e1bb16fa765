#!/usr/bin/env bash
# The repository names no path of a machine on which it was made: such a path works nowhere else and tells of
# things that are nobody's business. Binary files are looked at too: compilers leave paths in them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# People of examples may have a home directory.
patterns=(
    '(?<![\w.~-])/roo[t]/'
    '(?<![\w.~-])/wor[k]/'
    '(?<![\w.~-])/User[s]/\w'
    '(?<![\w.~-])/hom[e]/(?!(me|you|user|USER|alice|bob)\b)\w'
    '\.pyen[v]/'
    '\.cargo/registr[y]/src/'
)
expression=$(IFS='|'; echo "${patterns[*]}")

# What is committed, and what could be next.
found=$(git ls-files -z --cached --others --exclude-standard |
    xargs -0 -r grep -aHnoP --devices=skip --no-messages -- ".{0,40}($expression).{0,40}" |
    LC_ALL=C tr -c '[:print:]\n' '.' || true)
if [ -n "$found" ]; then
    printf '%s\n' "$found" | head -n 50
    echo "paths of a machine: $(wc -l <<<"$found") places"
    exit 1
fi
echo "$(git ls-files --cached --others --exclude-standard | wc -l) files name no path of a machine"
