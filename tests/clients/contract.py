"""What the tools promise (`contract.toml`), kept through a client by others: every tool is called on real processes until
each parameter was passed and each field of the answers was seen. What is left over is printed, and fails.
"""

import asyncio
import pathlib
import socket
import time
import tomllib

from scenario import CALL_SECONDS, Unexpected, python

TABLE = pathlib.Path(__file__).with_name("contract.toml")
CONTRACT_SECONDS = 150
# They are about a directory or a file, and take no project.
OF_A_DIRECTORY = {"apply_config", "analyze_project"}
# The history of what a process uses begins with the first look, ten seconds apart.
STATS_SECONDS = 40

# Serves a port, writes JSON and two stack traces, and goes on when it is told to hang up.
SERVER = """
import json, signal, socket, sys, traceback
signal.signal(signal.SIGHUP, lambda *_: print("hung up"))
for text, kind in (("cannot parse order 17", ValueError), ("no such customer", LookupError)):
    try:
        raise kind(text)
    except Exception:
        traceback.print_exc()
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for n in range(5):
    print(json.dumps({"level": "info", "msg": "request %d served" % n, "user": "ann", "time": "2026-01-02T03:04:05Z"}))
print("ready")
while True:
    server.accept()[0].close()
"""

ECHO = """
import sys
for line in sys.stdin:
    print("got", line.strip())
"""


class Seen:
    """Paths of everything in a value, with the values themselves: {"a": …, "a.b": …, "c[]": …}."""

    def __init__(self):
        self.values = {}

    def add(self, value, path=""):
        self.values.setdefault(path, []).append(value)
        if isinstance(value, dict):
            for name, field in value.items():
                self.add(field, f"{path}.{name}" if path else name)
        elif isinstance(value, list):
            for item in value:
                self.add(item, f"{path}[]")

    def lacks(self, path, values=()):
        """What of a path was not seen."""
        if path not in self.values:
            return [path]
        return [f"{path}: {value!r}" for value in values if value not in self.values[path]]


def parameters(table):
    """A tool's parameters by their paths. TOML makes tables of dotted keys."""
    found = {}
    for name, values in table.items():
        if isinstance(values, dict):
            found |= {f"{name}.{inner}": v for inner, v in parameters(values).items()}
        else:
            found[name] = values
    return found


class Contract:
    """All tools, through one client."""

    def __init__(self, stage, checks, session, tools):
        self.stage = stage
        self.checks = checks
        self.session = session
        self.tools = tools
        self.passed = {}
        self.seen = {}

    async def call(self, tool, /, fails=False, **arguments):
        """Calls a tool of the project, and remembers what was passed and what came."""
        if tool not in OF_A_DIRECTORY:
            arguments.setdefault("project", self.stage.project.name)
        async with asyncio.timeout(CALL_SECONDS + 30):
            result = await self.session.call(tool, arguments)
        if result.is_error != fails:
            self.checks.that(False, f"{tool} {'fails' if fails else 'succeeds'}", (arguments, result.text))
            raise Unexpected(tool)
        self.passed.setdefault(tool, Seen()).add(arguments)
        if result.structured is not None:
            self.seen.setdefault(tool, Seen()).add(result.structured)
        return result.structured or {}

    async def run(self):
        async with asyncio.timeout(CONTRACT_SECONDS):
            await self.starts()
            await self.lists()
            await self.logs()
            await self.errors()
            await self.groups()
            await self.stack()
            await self.stats()
            await self.ends()
        self.compare()

    def compare(self):
        table = tomllib.loads(TABLE.read_text())
        shared = parameters(table.pop("shared")["parameters"])
        for tool, promise in table.items():
            wanted = parameters(promise.get("parameters", {}))
            if tool not in OF_A_DIRECTORY:
                wanted |= shared
            passed, seen = self.passed.get(tool, Seen()), self.seen.get(tool, Seen())
            left = [gap for path, values in wanted.items() for gap in passed.lacks(path, values)]
            left += [gap for path in promise.get("fields", []) for gap in seen.lacks(path)]
            self.checks.that(
                not left, f"{tool} keeps its contract: {len(wanted)} parameters, {len(promise.get('fields', []))} fields", left)

    def free_port(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            return server.getsockname()[1]

    async def starts(self):
        self.port = self.free_port()
        (self.stage.project / "vars.env").write_text("FROM_FILE=1\n")
        check = {
            "plugin": "tcp", "config": {"address": f"127.0.0.1:{self.port}"}, "interval_ms": 1_000, "timeout_ms": 1_000,
            "start_period_ms": 2_000, "failure_threshold": 3, "success_threshold": 1, "on_unhealthy": "none",
        }
        server = python(SERVER)
        self.server = server | {"args": server["args"] + [str(self.port)]}
        restart = {
            "policy": "on_failure", "max_restarts": 3, "window_ms": 60_000, "backoff_initial_ms": 100, "backoff_max_ms": 1_000}
        limits = {"memory_bytes": 1 << 30, "cpu_percent": 400, "open_files": 256, "processes": 8_192}
        await self.call(
            "start_process", name="server", **self.server, cwd=str(self.stage.project), env={"A": "b"}, env_files=["vars.env"],
            env_profile="dev", group="all", restart=restart, health=[check, check | {"on_unhealthy": "restart"}],
            log={"parsers": ["json"]}, limits=limits, stop={"signal": "TERM", "grace_ms": 2_000}, lifetime="persistent", pty=False,
            wait_for="healthy", timeout_ms=20_000)
        job = {"command": "echo", "args": ["done"], "restart": {"policy": "never"}}
        await self.call("start_process", name="job", **job, pty=True, lifetime="lease", lease_ms=600_000, wait_for="exited")
        echo = python(ECHO) | {"restart": {"policy": "always"}}
        await self.call("start_process", name="echo", **echo, lifetime="session", wait_for="started")
        other = self.server | {"args": self.server["args"][:-1] + [str(self.free_port())]}
        await self.call("start_process", name="other", **other, wait_for="ready")
        await self.call("start_process", name="broken", fails=True, **self.server, wait_for_log="^ready$")
        script = self.stage.project / "no-program"
        script.write_bytes(b"\x7fELF, and no more than that")
        script.chmod(0o755)
        await self.call("start_process", name="unstartable", fails=True, command=str(script))

    async def lists(self):
        for status in ("stopped", "starting", "running", "stopping", "backoff", "exited", "failed"):
            await self.call("list_processes", status=status, detail="concise")
        page = await self.call("list_processes", limit=1, all_projects=True, detail="full")
        await self.call("list_processes", limit=100, cursor=page["next_cursor"], all_projects=False, detail="full")
        await self.call("list_processes", group="all", name="ser*")
        await self.call("restart_process", process="job", wait_for="exited")
        await self.call("get_process_info", process="job", runs=5)
        await self.call("get_process_info", process="server", runs=2)
        await self.call("check_process_health", process="server", check="tcp")
        await self.call("get_system_stats", top=3)

    async def logs(self):
        server = {"process": "server", "since": "10m", "until": "0s", "run": 1}
        deadline = time.monotonic() + CALL_SECONDS
        while len((await self.call("get_logs", **server, min_level="info", format="records", raw=True))["lines"]) < 5:
            if time.monotonic() > deadline:
                raise Unexpected("the parser finds levels")
            await asyncio.sleep(0.2)
        for stream in ("stdout", "stderr", "both"):
            await self.call("get_logs", process="server", stream=stream, order="asc", limit=5)
        page = await self.call("get_logs", group="all", order="desc", limit=2, format="text")
        await self.call("get_logs", group="all", order="desc", limit=2, cursor=page["next_cursor"])
        tail = await self.call("tail_logs", process="server", lines=3, follow=False)
        await self.call("kill_process", process="server", signal="HUP")
        await self.call(
            "tail_logs", process="server", cursor=tail["cursor"], follow=True, wait_ms=20_000, until_pattern="hung up")
        await self.call("tail_logs", group="all", lines=3, format="records", raw=True)
        found = await self.call(
            "search_logs", query="request", mode="text", case_sensitive=False, **server, stream="both", min_level="info", limit=1,
            context=1, field_filters={"user": "ann"}, summarize=False, raw=True)
        await self.call(
            "search_logs", query="request", **server, stream="both", min_level="info", limit=1, cursor=found["next_cursor"])
        await self.call(
            "search_logs", query="[Rr]equest", mode="regex", case_sensitive=True, group="all", summarize=True)

    async def errors(self):
        deadline = time.monotonic() + CALL_SECONDS
        while len((listed := await self.call("get_errors", sort="last_seen"))["errors"]) < 3:
            if time.monotonic() > deadline:
                raise Unexpected("the stack traces become errors")
            await asyncio.sleep(0.2)
        page = await self.call("get_errors", sort="first_seen", limit=1)
        await self.call("get_errors", sort="first_seen", limit=1, cursor=page["next_cursor"])
        await self.call(
            "get_errors", process="server", category=listed["errors"][0]["category"], resolved=False, since="1h", sort="count")
        for error in listed["errors"]:
            await self.call("get_errors", error_id=error["id"])
        await self.call("get_latest_errors", limit=2, process="server", since_restart=True)
        await self.call("get_latest_errors", since_restart=False)
        first, *others = [error["id"] for error in listed["errors"]]
        await self.call("mark_error_resolved", error_id=first, resolution="orders are numbers now")
        await self.call("mark_error_resolved", error_id=others)
        await self.call("get_errors", resolved=True)

    async def groups(self):
        for condition, strategy in (
                ("started", "reverse"), ("ready", "parallel"), ("healthy", "sequential"), ("completed", "reverse")):
            members = [{"process": "server"}, {"process": "broken", "depends_on": ["server"], "condition": condition, "delay_ms": 10}]
            await self.call("create_group", name="stack", description="a stack", members=members, stop_strategy=strategy)
        await self.call("create_group", name="stack", members=[{"process": "server"}, {"process": "unstartable"}])
        await self.call(
            "add_to_group", group="stack", process="other", depends_on=["server"], condition="started", delay_ms=10)
        await self.call("start_group", group="stack", wait_for="started", timeout_ms=10_000)
        await self.call("start_group", group="stack", wait_for="ready", timeout_ms=10_000)
        for strategy in ("parallel", "sequential", "reverse"):
            await self.call("stop_group", group="stack", strategy=strategy, grace_ms=500, remove=strategy == "reverse")

    async def stack(self):
        (self.stage.project / "hostler.toml").write_text('[processes.sleeper]\ncommand = "sleep 600"\n')
        await self.call("apply_config", dry_run=True)
        # Beside the tools of the contract.
        if "analyze_project" in self.tools:
            await self.call("analyze_project")
        if "send_input" in self.tools:
            await self.call("send_input", process="echo", text="hello", until_pattern="got hello")

    async def stats(self):
        await self.call(
            "restart_process", process="server", args=self.server["args"], env={"A": "c"}, limits={"memory_bytes": 1 << 29},
            restart={"policy": "never"}, stop={"grace_ms": 1_000}, wait_for="ready", wait_for_log="^ready$", timeout_ms=20_000)
        deadline = time.monotonic() + STATS_SECONDS
        while not (await self.call("get_process_stats", process="server", window_ms=600_000, points=10))["series"]["times"]:
            if time.monotonic() > deadline:
                raise Unexpected("what a process uses is recorded")
            await asyncio.sleep(0.5)

    async def ends(self):
        await self.call("kill_process", process="other", signal="KILL")
        await self.call("start_process", name="other", wait_for="started")
        await self.call("kill_process", process="other", signal="KILL")
        await self.call("stop_process", process="server", grace_ms=1_000, remove=False)
        await self.call("clear_logs", process="server", before="1d", dry_run=True)
        await self.call("clear_logs", all=True, dry_run=False)
        for process in (await self.call("list_processes"))["processes"]:
            await self.call("stop_process", process=process["id"], remove=True)
