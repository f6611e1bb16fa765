"""One scenario for every foreign MCP client: what an agent does with a process, through `hostler mcp`.

A client's script gives an adapter: `connect(stage)`, an asynchronous context manager whose value has

* `version`: the protocol version that was agreed on (None where the client does not tell);
* `await tools()`: the tools as the server lists them, in JSON's names;
* `await call(name, arguments)`: a `Result`;
* what `surface.py` asks for, where the client can do more than call tools.

The adapter leaves all validation of answers to the client, and lets its exceptions through.
Needs nothing but Python's standard library, so that each client has an environment of its own.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass

import surface

# Bounds: one call of a tool, and the whole scenario. The longest wait that a call asks for is 20 s.
CALL_SECONDS = 30
SCENARIO_SECONDS = 150

# The tools that the scenario uses; a server may have more.
USED_TOOLS = {
    "start_process", "stop_process", "restart_process", "kill_process",
    "list_processes", "get_process_info", "get_logs", "tail_logs",
}

# A server that leads a descendant into a session of its own, where a signal to the group misses it.
WEB = """
import subprocess, sys, time
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print("descendant", child.pid)
print("ready")
print("a warning", file=sys.stderr)
n = 0
while True:
    n += 1
    print("tick", n)
    time.sleep(0.1)
"""

BROKEN = """
import sys
print("reading configuration")
print("error: DATABASE_URL is not set", file=sys.stderr)
sys.exit(3)
"""


@dataclass
class Result:
    """Answer of a tool."""

    text: str
    structured: dict | None
    is_error: bool


class Unexpected(Exception):
    """A check failed and the rest of the scenario makes no sense."""


class Checks:
    """Counts and prints what was checked."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def that(self, holds, what, seen=None):
        """One check; `seen` is shown when it does not hold."""
        if holds:
            self.passed += 1
            print(f"  ok    {what}", flush=True)
            return True
        self.failed += 1
        print(f"  FAIL  {what}", flush=True)
        if seen is not None:
            print(f"        seen: {str(seen)[:2000]}", flush=True)
        return False

    def need(self, holds, what, seen=None):
        """A check without which there is no going on."""
        if not self.that(holds, what, seen):
            raise Unexpected(what)


class Stage:
    """A private home and project of one scenario."""

    def __init__(self, hostler):
        self.hostler = hostler
        # The resolved path is what the kernel shows of a process that lives in it.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="hostler-client-")).resolve()
        self.home = self.root / "home"
        self.project = self.root / "shop"
        self.project.mkdir()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("HOSTLER_")}
        # Clients that keep files of their own keep them here.
        self.env |= {"HOSTLER_HOME": str(self.home), "HOME": str(self.root)}

    def cli(self, *args, seconds=30):
        """Runs the command line of hostler."""
        return subprocess.run(
            [self.hostler, *args], cwd=self.project, env=self.env, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds,
        )

    def processes(self):
        """Every living process of this stage: {pid: command line}. A zombie has no memory left, and counts
        as ended."""
        found = {}
        marker = str(self.root).encode()
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                traces = [command, (entry / "environ").read_bytes(), os.fsencode(os.readlink(entry / "cwd"))]
            except OSError:
                continue
            if any(marker in trace for trace in traces):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        return found

    def processes_after(self, seconds):
        """Those that are left after at most so long."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def clear(self):
        """Ends everything of this stage, whatever state the scenario left it in. True if it had to be forced."""
        left = self.processes()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.processes_after(5)
        shutil.rmtree(self.root, ignore_errors=True)
        return bool(left)


def runs(pid):
    """Whether a process lives; a zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


async def ended(pid, seconds=5):
    """Whether a process has ended within so long."""
    deadline = time.monotonic() + seconds
    while runs(pid):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def free_ports(count):
    """So many ports of the loopback that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def python(program):
    """Parameters that start a program in Python, without a shell."""
    return {"command": "python3", "args": ["-u", "-c", program]}


class Tour:
    """The scenario, with one client."""

    def __init__(self, stage, checks, version):
        self.stage = stage
        self.checks = checks
        self.version = version

    async def call(self, session, tool, /, **arguments):
        """Calls a tool in bounded time."""
        async with asyncio.timeout(CALL_SECONDS):
            return await session.call(tool, arguments)

    async def good(self, session, tool, /, **arguments):
        """Calls a tool that must succeed; its structured result."""
        result = await self.call(session, tool, **arguments)
        if result.is_error or not isinstance(result.structured, dict):
            self.checks.need(False, f"{tool} succeeds with a structured result", result)
        return result.structured

    async def first_client(self, session):
        """All but what a second client does. Gives the tools and the process that stays."""
        check = self.checks
        if self.version and session.version:
            check.that(session.version.startswith(self.version), f"the protocol is {session.version}", self.version)
        tools = await self.tools(session)
        web = await self.start(session)
        await self.look(session, web)
        await self.logs(session)
        if surface.can(session):
            await surface.look(self, session)
        web = await self.restart(session, web)
        await self.failing_start(session)
        await self.refusals(session)
        await self.one_off(session)
        await self.stop(session)
        return tools, web

    async def tools(self, session):
        check = self.checks
        async with asyncio.timeout(CALL_SECONDS):
            tools = await session.tools()
        names = [t["name"] for t in tools]
        check.need(USED_TOOLS <= set(names), f"{len(names)} tools are listed, all that are needed among them", names)
        hints = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        bare = [t["name"] for t in tools if not hints <= {k for k, v in (t.get("annotations") or {}).items() if v is not None}]
        check.that(not bare, "every tool has its four hints", bare)
        bare = [t["name"] for t in tools if not t.get("description") or not t.get("title")]
        check.that(not bare, "every tool has a title and a description", bare)
        bare = [
            t["name"] for t in tools
            if any((t.get(schema) or {}).get("type") != "object" for schema in ("inputSchema", "outputSchema"))
        ]
        check.that(not bare, "every tool has an object as schema of its input and of its output", bare)
        return names

    async def start(self, session):
        check = self.checks
        started = await self.good(
            session, "start_process", name="web", **python(WEB), wait_for_log="^ready$", timeout_ms=20_000)
        web = started["process"]
        check.need(started["done"] is True and web["status"] == "running", "start_process waits for a line of the log", started)
        check.that(runs(web["pid"]), f"pid {web['pid']} is a living process")
        again = await self.good(session, "start_process", name="web")
        check.that(again["process"]["pid"] == web["pid"], "to start what runs is no error and starts nothing", again)
        return web

    async def look(self, session, web):
        check = self.checks
        listed = await self.good(session, "list_processes", detail="full")
        seen = [(p["name"], p["status"], p["pid"]) for p in listed["processes"]]
        check.that(seen == [("web", "running", web["pid"])], "list_processes shows it", listed)
        listed = await self.good(session, "list_processes", name="nothing*")
        check.that(listed["processes"] == [], "a glob that matches nothing lists nothing", listed)
        info = await self.good(session, "get_process_info", process="web")
        check.that(info["process"]["pid"] == web["pid"] and len(info["runs"]) == 1, "get_process_info shows its run", info)

    async def logs(self, session):
        check = self.checks
        page = await self.good(session, "get_logs", process="web", stream="stderr")
        check.that("a warning" in page["text"] and "ready" not in page["text"], "get_logs gives one stream as text", page)
        page = await self.good(session, "get_logs", process="web", format="records", order="asc", limit=2)
        messages = [line["message"] for line in page["lines"]]
        check.that(len(messages) == 2 and messages[0].startswith("descendant "), "get_logs gives records", page)
        page = await self.good(
            session, "get_logs", process="web", format="records", order="asc", limit=2, cursor=page["next_cursor"])
        check.that(len(page["lines"]) == 2 and page["lines"][0]["seq"] > 1, "its cursor gives the next page", page)
        tail = await self.good(session, "tail_logs", process="web", lines=1)
        last = int(tail["text"].split()[-1]) if tail["text"].split()[-1].isdigit() else 0
        tail = await self.good(
            session, "tail_logs", process="web", cursor=tail["cursor"], follow=True, wait_ms=20_000,
            until_pattern=f"tick {last + 3}$")
        check.that(tail["done"] is True and f"tick {last + 3}" in tail["text"], "tail_logs waits for a line to come", tail)

    async def restart(self, session, web):
        check = self.checks
        again = await self.good(session, "restart_process", process="web", wait_for_log="^ready$", timeout_ms=20_000)
        new = again["process"]
        check.need(again["done"] is True and new["status"] == "running", "restart_process waits likewise", again)
        check.that(new["pid"] != web["pid"] and runs(new["pid"]), f"it has a new pid, {new['pid']}")
        check.that(await ended(web["pid"]), f"and the old one, {web['pid']}, has ended")
        # A program that was executed this instant has no command line yet.
        deadline = time.monotonic() + 5
        while (count := list(self.stage.processes().values()).count("sleep 600")) != 1 and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        check.that(count == 1, "the old run's descendant has ended with it, the new one's lives", count)
        return new

    async def failing_start(self, session):
        check = self.checks
        failed = await self.call(
            session, "start_process", name="broken", **python(BROKEN), wait_for_log="^listening$", timeout_ms=20_000)
        check.that(failed.is_error, "a start that fails is an error", failed)
        check.that("DATABASE_URL" in failed.text, "its text tells the last lines", failed.text)
        # A client may keep the structured part of an error to itself; the text has it all the same.
        if failed.structured is not None:
            evidence = failed.structured.get("evidence") or {}
            check.that((evidence.get("exit") or {}).get("code") == 3, "the evidence has the exit code", failed)
            lines = [(line["stream"], line["message"]) for line in evidence.get("last_lines", [])]
            check.that(("stderr", "error: DATABASE_URL is not set") in lines, "and the last lines", failed)

    async def refusals(self, session):
        check = self.checks
        missing = await self.call(session, "get_logs", process="wbe")
        check.that(missing.is_error and "wbe" in missing.text, "an unknown process is an error that names it", missing)
        shell = await self.call(session, "start_process", name="shell", command="sh", args=["-c", "true"])
        check.that(shell.is_error and "shell" in shell.text, "a shell is forbidden by default", shell)
        operator = await self.call(session, "start_process", name="pipe", command="seq 3 | cat")
        check.that(operator.is_error and "|" in operator.text, "an operator of the shell is refused by name", operator)

    async def one_off(self, session):
        check = self.checks
        job = await self.good(session, "start_process", name="job", command="seq 3", wait_for="exited", timeout_ms=20_000)
        check.that(job["done"] is True and job["process"]["exit"]["code"] == 0, "a one-off job is waited for to its end", job)
        page = await self.good(session, "get_logs", process="job", format="records")
        check.that([line["message"] for line in page["lines"]] == ["1", "2", "3"], "and its output is complete", page)

    async def stop(self, session):
        check = self.checks
        started = await self.good(session, "start_process", name="sleeper", command="sleep 500")
        pid = started["process"]["pid"]
        stopped = await self.good(session, "stop_process", process="sleeper")
        check.that(stopped["process"]["status"] == "stopped" and not runs(pid), "stop_process ends a process", stopped)
        again = await self.good(session, "stop_process", process="sleeper")
        check.that(again["process"]["status"] == "stopped", "to stop it again is no error", again)

    async def second_client(self, session, tools, web):
        """What outlived the first client, and the end of everything."""
        check = self.checks
        async with asyncio.timeout(CALL_SECONDS):
            names = [t["name"] for t in await session.tools()]
        check.that(names == tools, "a second client sees the same tools in the same order", names)
        listed = await self.good(session, "list_processes", all_projects=True)
        seen = {p["name"]: (p["status"], p.get("pid")) for p in listed["processes"]}
        check.that(seen.get("web") == ("running", web["pid"]), f"and the process, still with pid {web['pid']}", listed)
        check.that(set(seen) == {"web", "broken", "job", "sleeper"}, "and all the others", listed)
        stopped = await self.good(session, "stop_process", process="web", remove=True)
        check.that(stopped["done"] and not runs(web["pid"]), "stop_process ends what another client started", stopped)
        for process in listed["processes"]:
            if process["name"] != "web":
                await self.good(session, "stop_process", process=process["id"], remove=True)
        listed = await self.good(session, "list_processes", all_projects=True)
        check.that(listed["processes"] == [], "all are removed", listed)

    def end_daemon(self):
        """The daemon ends too, and nothing stays behind."""
        check = self.checks
        stop = self.stage.cli("daemon", "stop")
        check.that(stop.returncode == 0, "hostler daemon stop", stop)
        status = self.stage.cli("daemon", "status")
        check.that(status.returncode != 0, "the daemon does not run any more", status)
        left = self.stage.processes_after(5)
        check.that(not left, "no process is left", left)


async def tour(stage, checks, connect, version):
    """The whole scenario with one client."""
    it = Tour(stage, checks, version)
    async with asyncio.timeout(SCENARIO_SECONDS):
        async with connect(stage) as session:
            tools, web = await it.first_client(session)
        checks.that(runs(web["pid"]), "the process outlives the client that started it")
        async with connect(stage) as session:
            await it.second_client(session, tools, web)
    it.end_daemon()


def causes(error):
    """What went wrong: SDKs wrap it in groups of groups."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    elif not isinstance(error, Unexpected):
        yield "".join(traceback.format_exception(error, limit=-3))


def told_to_end(*_):
    """Unwinds, so that what was started is ended."""
    sys.exit("told to end")


class Counted:
    """A session whose calls that succeed are counted, by tool."""

    def __init__(self, session, calls):
        self.session = session
        self.calls = calls

    def __getattr__(self, name):
        return getattr(self.session, name)

    def __setattr__(self, name, value):
        if name in ("session", "calls"):
            super().__setattr__(name, value)
        else:
            setattr(self.session, name, value)

    async def tools(self):
        tools = await self.session.tools()
        for tool in tools:
            self.calls[tool["name"]] += 0
        return tools

    async def call(self, name, arguments):
        result = await self.session.call(name, arguments)
        self.calls[name] += not result.is_error
        return result


def counted(connect, calls):
    """The sessions of a client, counted."""
    @contextlib.asynccontextmanager
    async def session(stage):
        async with connect(stage) as inner:
            yield Counted(inner, calls)

    return session


def write_calls(label, calls):
    """For `coverage.py`: one line for each client. What follows a comma in its label is the era."""
    if path := os.environ.get("HOSTLER_TEST_CALLS"):
        with open(path, "a") as file:
            print(json.dumps({"client": label.split(",")[0], "calls": calls}), file=file)


def one(label, hostler, play):
    """One client, in one scenario. Whether all its checks passed."""
    print(f"\n== {label}", flush=True)
    began = time.monotonic()
    checks = Checks()
    stage = Stage(hostler)
    try:
        asyncio.run(play(stage, checks))
    except Exception as error:
        # A failed check is counted already, and may come wrapped.
        if reasons := list(causes(error)):
            checks.that(False, "the scenario runs to its end", "\n".join(reasons))
        log = stage.home / "daemon.log"
        if log.exists():
            print(f"        the daemon's log: {log.read_text(errors='replace')[-2000:]}")
    finally:
        try:
            # Only a scenario that failed leaves something to do here.
            forced = stage.clear()
        except Exception as error:
            forced = error
    if forced:
        print(f"        cleaned up by force: {forced}")
    print(f"  {label}: {checks.passed} checks passed, {checks.failed} failed, {time.monotonic() - began:.1f} s", flush=True)
    return checks.failed == 0 and not forced


async def keep_contract(stage, checks, connect):
    """Every tool with all that is promised of it."""
    from contract import Contract
    async with connect(stage) as session:
        tools = {tool["name"] for tool in await session.tools()}
        if surface.can(session):
            # Somebody who says yes to all.
            session.says = {"action": "accept", "content": {"confirm": True}}
        await Contract(stage, checks, session, tools).run()
    stage.cli("daemon", "stop")
    left = stage.processes_after(5)
    checks.that(not left, "no process is left", left)


def main(clients, tour=tour, contract=False):
    """Entry point of a client's script. `clients`: (label, connect, version). With `contract` the first of them also
    calls every tool with all that is promised of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("hostler", help="path of the hostler binary")
    hostler = os.path.abspath(parser.parse_args().hostler)
    if not os.access(hostler, os.X_OK):
        sys.exit(f"{hostler} is no program")
    signal.signal(signal.SIGTERM, told_to_end)
    passed = []
    for at, (label, connect, version) in enumerate(clients):
        calls = collections.Counter()
        connect = counted(connect, calls)
        passed.append(one(label, hostler, lambda stage, checks: tour(stage, checks, connect, version)))
        if contract and at == 0:
            passed.append(one(f"{label}: the contract", hostler, lambda stage, checks: keep_contract(stage, checks, connect)))
        write_calls(label, calls)
    print(f"\nclients: {passed.count(True)} passed, {passed.count(False)} failed", flush=True)
    sys.exit(0 if all(passed) else 1)


def as_json(model):
    """A pydantic model as the JSON that came."""
    return json.loads(model.model_dump_json(by_alias=True))
