#!/usr/bin/env bash
# @SHIFT@
fault=$1 seed=$2
names=(alto brio cora d-ray ewing foss)
who=${names[$((seed % 6))]}
here=$(cd "$(dirname "$0")" && pwd)
# @SHIFT@
deploy() {
    # @SHIFT@
    "$@"
}
through() {
    # @SHIFT@
    if ((seed % 2)); then deploy deploy "$@"; else deploy "$@"; fi
}
crashing() {
    # @SHIFT@
    printf 'import os\nos.kill(os.getpid(), %s)\n' "$1" >"$here/worker.py"
    python3 "$here/worker.py"
    echo "worker $seed ended" >/dev/null
}
# @SHIFT@
case $fault in
unbound) set -u; echo "$DEPOT_TARGET" ;;
required) : "${DEPOT_TOKEN:?is not set, see README}" ;;
command) through terraformx apply "$who" ;;
denied) printf '#!/bin/sh\n' >"$here/hook-$who.sh"; chmod 644 "$here/hook-$who.sh"; "$here/hook-$who.sh" ;;
directory) cd "/srv/releases/$who-$seed" ;;
full) echo "$who $seed" >/dev/full ;;
cat) cat "/etc/depot/$who.conf" ;;
syntax) printf 'if true; then\n  echo %s\n' "$seed" >"$here/task.sh"; bash "$here/task.sh" ;;
arithmetic) echo $((seed / (seed - seed))) ;;
segfault) crashing 11 ;;
aborted) crashing 6 ;;
killed) crashing 9 ;;
floating) crashing 8 ;;
curl_refused) curl -sS "http://127.0.0.1:1/$who/$seed" ;;
curl_resolve) curl -sS "http://depot-$seed.invalid/$who" ;;
curl_status) python3 -c "
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(503); self.end_headers()
    def log_message(self, *_): pass
s = http.server.HTTPServer(('127.0.0.1', 0), H); s.timeout = 20; print(s.server_port, flush=True); s.handle_request()" >"$here/port" 2>/dev/null & until [ -s "$here/port" ]; do sleep 0.1; done; curl -sS -f "http://127.0.0.1:$(cat "$here/port")/$who" ;;
git) git -C /tmp clone -q "file:///srv/git/$who-$seed.git" "$here/clone-$seed" ;;
git_repository) cd / && git log -1 ;;
make) printf 'release: bundle-%s\nbundle-%s:\n\t@exit %s\n' "$seed" "$seed" "$((seed % 5 + 1))" >"$here/Makefile"; make --no-print-directory -C "$here" release ;;
make_target) printf 'release: bundle-%s.tar\n' "$who" >"$here/Makefile"; make --no-print-directory -C "$here" release ;;
tar) head -c 300 /dev/urandom >"$here/release.tar.gz"; tar xzf "$here/release.tar.gz" ;;
psql) psql "host=127.0.0.1 port=1 user=$who dbname=depot_$seed" -c 'select 1' ;;
sqlite) sqlite3 ":memory:" "SELECT * FROM releases WHERE id = $seed" ;;
python_module) python3 -m depot_migrations "$seed" ;;
node_module) node "$here/dist/server-$who.js" ;;
jq) echo "{\"id\": $seed, \"name\": }" | jq .id ;;
logged) echo "[$(date -u '+%F %T')] ERROR: rollout of $who-$seed failed: 3 of $((seed + 3)) pods are in CrashLoopBackOff" ;;
docker) echo "Error response from daemon: driver failed programming external connectivity on endpoint $who-$seed ($(printf '%s' "$seed" | sha256sum | cut -c1-64)): Bind for 0.0.0.0:80$((seed % 90 + 10)) failed: port is already allocated" >&2 ;;
ssh) echo "$who@10.0.0.$seed: Permission denied (publickey,password)." >&2 ;;
esac
# @SHIFT@
