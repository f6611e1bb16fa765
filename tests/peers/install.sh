#!/usr/bin/env bash
# Installs the peers that compare.py measures, each apart from the system:  tests/peers/install.sh [DIR]
# DIR is target/peers unless given. pm2 comes from npm into a prefix of its own, supervisor from PyPI into a venv,
# runit from Debian's archive: unpacked, not installed, so that it starts nothing and needs no root.
# Needs Python 3.11, npm with Node 18 or later, apt-get and dpkg-deb. Remove DIR to be rid of everything.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kept=${1:-$here/../../target/peers}
pm2_version=${PM2_VERSION:-7.0.4}
supervisor_version=${SUPERVISOR_VERSION:-4.3.0}
limit=600 # seconds for each installation

# Whether what a directory holds was installed for this very wish; otherwise it is emptied.
fresh() {
    [ "$(cat "$kept/$1/wish" 2>/dev/null)" = "$2" ] && return 0
    echo "installing $1 $2"
    rm -rf "${kept:?}/$1"
    mkdir -p "$kept/$1"
    return 1
}

done_with() { echo "$2" >"$kept/$1/wish"; }

mkdir -p "$kept"
kept=$(cd "$kept" && pwd)

if ! fresh pm2 "$pm2_version"; then
    (cd "$kept/pm2" && timeout "$limit" npm install --prefix "$kept/pm2" --no-audit --no-fund --ignore-scripts \
        --loglevel=error "pm2@$pm2_version")
    done_with pm2 "$pm2_version"
fi

if ! fresh supervisor "$supervisor_version"; then
    timeout "$limit" python3 -m venv "$kept/supervisor"
    timeout "$limit" "$kept/supervisor/bin/pip" install --quiet --disable-pip-version-check \
        "supervisor==$supervisor_version"
    done_with supervisor "$supervisor_version"
fi

# The newest that the distribution has; an installed runit of another distribution serves as well (on the PATH).
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    runit_version=$(apt-cache policy runit | sed -n 's/^ *Candidate: //p')
    [ -n "$runit_version" ] || { echo "no runit in the package lists; run apt-get update first" >&2; exit 1; }
    if ! fresh runit "$runit_version"; then
        (cd "$kept/runit" && timeout "$limit" apt-get download "runit=$runit_version" && dpkg-deb -x runit_*.deb .)
        rm -f "$kept"/runit/runit_*.deb
        done_with runit "$runit_version"
    fi
fi

# For the benchmark of the logs alone: s6 with the libraries that it needs.
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    s6_version=$(apt-cache policy s6 | sed -n 's/^ *Candidate: //p')
    if [ -n "$s6_version" ] && ! fresh s6 "$s6_version"; then
        libraries=$(apt-cache depends s6 | sed -n 's/^ *Depends: \(lib\(s6\|skarnet\|execline\).*\)/\1/p')
        # shellcheck disable=SC2086 # several names
        (cd "$kept/s6" && timeout "$limit" apt-get download s6 $libraries && for deb in *.deb; do dpkg-deb -x "$deb" .; done)
        rm -f "$kept"/s6/*.deb
        done_with s6 "$s6_version"
    fi
fi
echo "the peers are in $kept"
