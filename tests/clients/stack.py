"""Six real processes, declared in a `hostler.toml` and driven through a client by others (PyPI `mcp`):

PostgreSQL, Redis, a migration that completes, an API, a worker and a web front. They come up in the order of what needs
what, outlive a daemon that is killed, come back when one is killed, an edit touches what it is about, and `down` leaves
nothing. The two servers are Debian's where they are installed (`postgresql`, `redis-server`); without both, those of
`examples/shop` play their parts, and the script says so.

    stack.py HOSTLER
"""

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

import scenario

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "shop"
MEMBERS = {"db", "cache", "migrate", "api", "worker", "web"}
LIMIT_SECONDS = 240

SERVICES = '''
import http.server, os, socket, subprocess, sys, time, urllib.request

def redis(*words):
    with socket.create_connection(("127.0.0.1", int(os.environ["CACHE_PORT"])), timeout=5) as connection:
        connection.sendall(" ".join(words).encode() + b"\\r\\n")
        answer = connection.makefile()
        head = answer.readline().strip()
        return answer.readline().strip() if head.startswith("$") and head != "$-1" else head

def query(sql):
    run = subprocess.run(["psql", "-tAc", sql], capture_output=True, text=True)
    if run.returncode:
        raise OSError(run.stderr.strip())
    return run.stdout.strip()

def serve(name, answer):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                status, body = 200, answer()
            except OSError as error:
                status, body = 503, f"unavailable: {error}"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ[f"{name}_PORT"])), Handler)
    print(name.lower(), "listens", flush=True)
    server.serve_forever()

def api():
    schema = query("SELECT version FROM schema")  # ends at once without the migration
    serve("API", lambda: f"schema {schema}, orders: {redis('GET', 'orders')}")

def worker():
    while True:
        print("order", redis("INCR", "orders"), flush=True)
        time.sleep(0.2)

def web():
    url = f"http://127.0.0.1:{os.environ['API_PORT']}/"
    serve("WEB", lambda: "shop, " + urllib.request.urlopen(url, timeout=5).read().decode())

{"api": api, "worker": worker, "web": web}[sys.argv[1]]()
'''

MIGRATION = """
CREATE TABLE schema (version int);
INSERT INTO schema VALUES (1);
CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS customer FROM generate_series(1, 20000) n;
"""

STACK = """
name = "shop-stack"
[env]
DB_PORT = "{db}"
CACHE_PORT = "{cache}"
API_PORT = "{api}"
WEB_PORT = "{web}"
PGHOST = "127.0.0.1"
PGPORT = "{db}"
PGUSER = "postgres"
PGDATABASE = "postgres"
[templates.service]
restart = {{ policy = "on_failure", backoff_initial_ms = 100 }}
stop = {{ grace_ms = 15000 }}
[processes.db]
command = {postgres}
extends = ["service"]
stop = {{ signal = "INT" }}
[[processes.db.health]]
plugin = "postgres"
interval_ms = 500
config = {{ address = "127.0.0.1:{db}" }}
[processes.cache]
command = "redis-server --port {cache} --bind 127.0.0.1 --save '' --appendonly no"
extends = ["service"]
[[processes.cache.health]]
plugin = "redis"
interval_ms = 500
config = {{ address = "127.0.0.1:{cache}" }}
[processes.migrate]
command = "psql -v ON_ERROR_STOP=1 -f schema.sql"
depends_on = {{ db = "healthy" }}
[processes.api]
command = "python3 services.py api"
extends = ["service"]
depends_on = {{ migrate = "completed", cache = "healthy" }}
[[processes.api.health]]
plugin = "http"
interval_ms = 500
config = {{ url = "http://127.0.0.1:{api}/" }}
[processes.worker]
command = "python3 services.py worker"
extends = ["service"]
depends_on = {{ cache = "healthy" }}
[processes.web]
command = "python3 services.py web"
extends = ["service"]
depends_on = {{ api = "healthy" }}
"""


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [s.getsockname()[1] for s in sockets]


def as_user(stage):
    """PostgreSQL does not run as root: then it runs as the user that its package makes; None when that user cannot come
    to where the project is."""
    if os.getuid() != 0:
        return []
    # That user may pass through, and sees nothing but its own directory.
    stage.root.chmod(0o711)
    stage.project.chmod(0o711)
    # Unlike runuser, setpriv becomes the program, which gets the signals then.
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return user if subprocess.run([*user, "test", "-x", stage.project]).returncode == 0 else None


def with_real_servers(stage, ports):
    """The stack with PostgreSQL and Redis; None where they are not installed or cannot run."""
    tools = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    postgres = shutil.which("postgres") or next((str(p / "postgres") for p in reversed(tools)), None)
    if not (postgres and shutil.which("redis-server") and shutil.which("psql")):
        return None
    bin_dir = pathlib.Path(postgres).resolve().parent
    user, data = as_user(stage), stage.project / "data"
    if user is None:
        return None
    data.mkdir()
    if user:
        shutil.chown(data, "postgres")
    made = subprocess.run(
        [*user, bin_dir / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"],
        capture_output=True, text=True, cwd=stage.project)
    if made.returncode:
        raise RuntimeError(f"initdb failed: {made.stdout}{made.stderr}")
    command = [*user, str(bin_dir / "postgres"), "-D", str(data), "-p", str(ports["db"]), "-h", "127.0.0.1", "-k", ""]
    quoted = " ".join(f"'{word}'" if not word or " " in word else word for word in command)
    (stage.project / "services.py").write_text(SERVICES)
    (stage.project / "schema.sql").write_text(MIGRATION)
    # Not on every PATH, and outside the project.
    stage.home.mkdir(exist_ok=True)
    (stage.home / "policy.toml").write_text(f"[commands]\nallow = [{json.dumps(str(bin_dir))}]\n")
    return STACK.format(**ports, postgres=json.dumps(quoted))


def with_the_example(stage, ports):
    shutil.copy(EXAMPLE / "shop.py", stage.project)
    lines = [f"SHOP_{name.upper()}_PORT={port}\n" for name, port in ports.items()]
    (stage.project / ".env").write_text("".join(lines))
    return (EXAMPLE / "hostler.toml").read_text()


class Shop:
    def __init__(self, stage, checks, client, ports):
        self.stage, self.checks, self.client, self.ports = stage, checks, client, ports

    async def call(self, tool, **arguments):
        async with asyncio.timeout(90):
            result = await self.client.call_tool(tool, arguments)
        text = "\n".join(c.text for c in result.content if c.type == "text")
        return scenario.Result(text, result.structured_content, bool(result.is_error))

    async def good(self, tool, **arguments):
        result = await self.call(tool, **arguments)
        self.checks.need(not result.is_error and result.structured, f"{tool} succeeds", result)
        return result.structured

    async def pids(self):
        listed = await self.good("list_processes")
        return {p["name"]: p.get("pid") for p in listed["processes"]}

    async def web(self, wanted, seconds=30):
        """What the web front answers, once that is as wanted."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                url = f"http://127.0.0.1:{self.ports['web']}/"
                answer = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read().decode())
            except OSError as error:
                answer = str(error)
            if wanted(answer) or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.1)

    async def orders(self, more_than):
        count = lambda answer: int(tail) if (tail := answer.rpartition(" ")[2]).isdigit() else -1
        answer = await self.web(lambda answer: count(answer) > more_than)
        return count(answer)

    async def apply(self, text=None):
        if text is not None:
            (self.stage.project / "hostler.toml").write_text(text)
        trusted = self.stage.cli("trust")
        self.checks.need(trusted.returncode == 0, "the file is trusted", trusted)
        # What does not answer within one call goes on, and the next one waits on.
        for _ in range(3):
            applied = await self.good("apply_config", timeout_ms=55_000)
            if applied["done"]:
                break
        return applied


def actions(applied):
    return {c["process"]: c["action"] for c in applied["changes"] if c["action"] != "unchanged"}


async def comes_up(shop, text):
    check = shop.checks
    (shop.stage.project / "hostler.toml").write_text(text)
    refused = await shop.call("apply_config")
    check.that(refused.is_error and "hostler trust" in refused.text, "what the user does not trust is not run", refused)
    planned = await shop.good("apply_config", dry_run=True)
    check.that(set(actions(planned)) == MEMBERS, "a dry run shows six processes to be made", planned)
    applied = await shop.apply()
    check.need(applied["done"] is True, "the stack comes up", applied)
    status = {m["process"]: m["status"] for m in applied["members"]}
    wanted = {name: "exited" if name == "migrate" else "running" for name in MEMBERS}
    check.that(status == wanted, "five run, and the migration has completed", applied)
    runs = {name: (await shop.good("get_process_info", process=name))["runs"][0] for name in MEMBERS}
    began = {name: run["started_at"] for name, run in runs.items()}
    check.that(
        began["db"] < began["migrate"] and runs["migrate"]["ended_at"] < began["api"] < began["web"]
        and began["cache"] < min(began["worker"], began["api"]),
        "each began after what it needs", began)
    orders = await shop.orders(more_than=0)
    check.that(orders > 0, f"the web front answers through API and cache: {orders} orders")
    again = await shop.apply()
    check.that(actions(again) == {} and again["done"], "a second time there is nothing to do", again)


async def goes_on(shop):
    check = shop.checks
    before = await shop.pids()
    daemon = json.loads(shop.stage.cli("daemon", "status", "--json").stdout)["pid"]
    os.kill(daemon, 9)
    check.that(await scenario.ended(daemon), "the daemon is killed")
    orders = await shop.orders(more_than=await shop.orders(more_than=0))
    after = await shop.pids()
    check.that(after == before, f"all six go on under the next one ({orders} orders)", (before, after))
    os.kill(before["cache"], 9)
    deadline = time.monotonic() + 30
    while (back := (await shop.pids())["cache"]) in (None, before["cache"]) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    check.that(back not in (None, before["cache"]), "a cache that is killed comes back", back)
    orders = await shop.orders(more_than=0)
    check.that(orders > 0, f"and the shop with it: {orders} orders")


async def changes(shop, text):
    check = shop.checks
    before = await shop.pids()
    marker = "[processes.worker]\n"
    changed = await shop.apply(text.replace(marker, marker + 'env = { PACE = "2" }\n'))
    check.that(actions(changed) == {"worker": "restart"}, "an edit is about the one that it touches", changed)
    after = await shop.pids()
    same = {name for name in MEMBERS if before[name] == after[name]}
    check.that(same == MEMBERS - {"worker"}, "the others run on with their pids", (before, after))


async def goes_down(shop):
    check = shop.checks
    stopped = await shop.good("stop_group", group="shop-stack")
    check.that(stopped["done"] is True, "the group stops", stopped)
    runs = {name: (await shop.good("get_process_info", process=name))["runs"][0] for name in MEMBERS}
    ended = {name: run["ended_at"] for name, run in runs.items()}
    check.that(
        ended["web"] <= ended["api"] <= min(ended["db"], ended["cache"]) and ended["worker"] <= ended["cache"],
        "each after those that need it", ended)
    check.that(runs["db"]["exit"].get("code") is not None or "SIGTERM" in str(runs["db"]["exit"]), "the database ends in order", runs["db"])
    down = await shop.good("apply_config", down=True)
    check.that(down["done"] is True, "down", down)
    listed = await shop.good("list_processes")
    check.that(listed["processes"] == [], "nothing is left of it", listed)


async def play(stage, checks):
    ports = dict(zip(("db", "cache", "api", "web"), free_ports(4)))
    text = with_real_servers(stage, ports)
    print("with PostgreSQL and Redis" if text else "PostgreSQL or Redis is missing, or cannot come to the project: their parts are played", flush=True)
    text = text or with_the_example(stage, ports)
    server = StdioServerParameters(command=stage.hostler, args=["mcp"], env=stage.env, cwd=stage.project)
    async with asyncio.timeout(LIMIT_SECONDS):
        async with Client(server, read_timeout_seconds=80) as client:
            shop = Shop(stage, checks, client, ports)
            await comes_up(shop, text)
            await goes_on(shop)
            await changes(shop, text)
            await goes_down(shop)
    stage.cli("daemon", "stop")
    left = stage.processes_after(5)
    checks.that(not left, "no process is left", left)


def main():
    checks = scenario.Checks()
    stage = scenario.Stage(os.path.abspath(sys.argv[1]))
    try:
        asyncio.run(play(stage, checks))
    except Exception as error:
        checks.that(False, "it runs to its end", "\n".join(scenario.causes(error)))
        log = stage.home / "daemon.log"
        if log.exists():
            print(f"        the daemon's log: {log.read_text(errors='replace')[-2000:]}")
    finally:
        stage.clear()
    print(f"clients: {int(checks.failed == 0)} passed, {int(checks.failed > 0)} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
