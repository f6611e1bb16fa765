"""An agent's day, scripted, through a client by others: it brings up a stack, meets five faults, finds each by what the
tools say, mends it through tools, resolves the errors, and stops everything. It touches the machine in no other way.

    day.py HOSTLER

Its transcript is `docs/agents.md`; with HOSTLER_TEST_WRITE in the environment that page is written anew. Otherwise it must
have the same words and calls, numbers apart. The client is PyPI `mcp`; tokens are estimated at four bytes each.
"""

import argparse
import asyncio
import json
import os
import pathlib
import re
import sys
import time

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

import scenario

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/agents.md"

# The faults are seeded in the order in which they show: an argument, a variable, a database that does not run, a port that
# another process has, and a limit that the cache does not fit into.
API = '''\
import http.server, os, socket, sys, time

def need(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"error: {name} is not set")
    return value

def workers(text):
    return int(text)

count = workers(sys.argv[1])
port, database = int(need("PORT")), need("DATABASE_URL")
host, db_port = database.removeprefix("db://").split(":")
try:
    socket.create_connection((host, int(db_port)), timeout=2).close()
except OSError as error:
    sys.exit(f"error: cannot reach the database at {host}:{db_port}: {error}")
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler)
print("warming the cache of 96 MiB", flush=True)
cache = []
for _ in range(96):
    cache.append(b"x" * (1 << 20))
    time.sleep(0.02)
print(f"listening on {port} with {count} workers", flush=True)
server.serve_forever()
'''

DB = '''\
import os, socket, sys
data = sys.argv[2]
if not os.path.isdir(data):
    here = ", ".join(name for name in os.listdir() if os.path.isdir(name))
    sys.exit(f"error: no directory {data} for the tables; there is {here}")
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("database accepts connections", flush=True)
while True:
    server.accept()[0].close()
'''

STACK = '''\
[processes.db]
command = "python3 db.py {db_port} data"

[processes.api]
command = "python3 api.py four"
env = {{ PORT = "{api_port}" }}
limits = {{ memory_bytes = 67108864 }}
'''

HEAD = """\
# For agents: a day with hostler

This is what an agent does that has nothing but the tools. Every call and every answer is from a real run of
`tests/clients/day.py` through a client by others (PyPI `mcp`); paths are shortened, and long answers cut at `…`. Five
faults were hidden in a stack of a database and an API. Each has a transcript: how it shows, how it is found, how it is
mended, and how its error is resolved.

"""

ANSWER_CHARS = 900


def tokens(size):
    """An estimate on the safe side."""
    return f"{round(size / 4):,}"


class Section:
    """A part of the day, with what it costs."""

    def __init__(self, title):
        self.title = title
        self.lines = [f"## {title}\n"]
        self.calls = 0
        self.asked = 0
        self.answered = 0

    def row(self):
        return f"| {self.title} | {self.calls} | {tokens(self.asked)} | {tokens(self.answered)} |"


class Day:
    def __init__(self, client, stage, writes):
        self.client = client
        self.stage = stage
        self.writes = writes
        self.sections = []

    def section(self, title, text):
        self.sections.append(Section(title))
        self.say(text)

    def say(self, text):
        self.sections[-1].lines.append(f"{text}\n")

    async def call(self, tool, **arguments):
        result = await self.ask(tool, arguments)
        request, text, section = json.dumps(arguments), self.neutral(result.text), self.sections[-1]
        section.calls += 1
        section.asked += len(tool) + len(request)
        section.answered += len(result.text)
        shown = text if len(text) <= ANSWER_CHARS else text[:ANSWER_CHARS] + " …"
        section.lines.append(f"```text\n> {tool} {self.neutral(request)}\n{shown}\n```\n")
        print(f"> {tool} {request[:150]}\n  {'ERROR ' if result.is_error else ''}{text[:300]!r}", flush=True)
        return result

    async def ask(self, tool, arguments):
        async with asyncio.timeout(scenario.CALL_SECONDS + 30):
            result = await self.client.call_tool(tool, arguments)
        text = "\n".join(c.text for c in result.content if c.type == "text")
        return scenario.Result(text, result.structured_content, bool(result.is_error))

    async def known(self, process, words):
        """The errors of a process that have these words. On a machine that is busy, or has just compiled its first
        plugins, what was written a moment ago may not be read yet; an agent thinks for longer than that."""
        deadline = time.monotonic() + scenario.CALL_SECONDS
        while True:
            listed = await self.ask("get_errors", {"process": process, "resolved": False})
            if found := [error["id"] for error in listed.structured["errors"] if words in json.dumps(error)]:
                return found
            check(time.monotonic() < deadline, f"an error of {process} says {words!r}: {listed.text}")
            await asyncio.sleep(0.1)

    async def resolve(self, process, words, resolution):
        """Marks the error of a process that has these words."""
        found = await self.known(process, words)
        await self.call("get_latest_errors", process=process)
        for error in found:
            await self.call("mark_error_resolved", error_id=error, resolution=resolution)

    def neutral(self, text):
        return text.replace(str(self.stage.root), "/srv")

    def page(self, listed):
        """The whole page; `listed` is the list of tools, in JSON."""
        table = ["| transcript | calls | tokens of calls | tokens of answers |", "|---|---|---|---|"]
        table += [section.row() for section in self.sections]
        total = Section("**all of it**")
        for section in self.sections:
            total.calls += section.calls
            total.asked += section.asked
            total.answered += section.answered
        words = (
            f"\nThe list of tools, which a client reads once, has {tokens(len(listed))} tokens. Tokens are estimated at four bytes "
            "each, which is on the safe side.\n")
        parts = [line for section in self.sections for line in section.lines]
        return HEAD + "\n".join(table + [total.row(), words]) + "\n" + "\n".join(parts)


def skeleton(page):
    """The words and calls of a page without their numbers. Answers are not among them: they differ from run to run."""
    lines, inside = [], False
    for line in page.splitlines():
        if line.startswith("```"):
            inside = not inside
        elif not inside or line.startswith("> "):
            lines.append(re.sub(r"\d[\d,]*", "#", line))
    return lines


def check(holds, what):
    if not holds:
        raise AssertionError(what)


async def morning(it):
    it.section("Morning: bring up the stack", "What is there, and does it come up?")
    await it.call("analyze_project")
    await it.call("list_processes")
    applied = await it.call("apply_config")
    check(not applied.structured["done"], "the stack does not come up")
    it.say("Neither of them runs. The API is the one that people wait for: begin with it.")


async def crash(it, api):
    it.section("1. A crash", "The answer above has the stack trace already; its error group says where.")
    await it.known("api", "ValueError")
    latest = await it.call("get_latest_errors", process="api")
    check("ValueError" in latest.text, "the crash is known")
    bad = re.search(r"invalid literal for int\(\) with base 10: '(\w+)'", latest.text).group(1)
    it.say(f"`{bad}` is no number of workers: the argument is wrong. `restart_process` changes it.")
    failed = await it.call("restart_process", process="api", args=["api.py", "4"], **api)
    check("ValueError" not in failed.text, "the crash is gone")
    await it.resolve("api", "ValueError", "the number of workers is 4, not four")
    return failed


async def variable(it, api, failed, env):
    it.section("2. A missing variable", "The next thing is in the way. The last line of the answer names it.")
    missing = re.search(r"error: (\w+) is not set", failed.text).group(1)
    check(missing == "DATABASE_URL", "the missing variable is named")
    listed = await it.call("list_processes", name="db")
    port = listed.structured["processes"][0]["args"][1]
    it.say(f"The database is declared to listen on {port}. `env` takes the place of what was declared, so `PORT` is given again.")
    env[missing] = f"db://127.0.0.1:{port}"
    failed = await it.call("restart_process", process="api", env=env, **api)
    await it.resolve("api", "DATABASE_URL is not set", "DATABASE_URL is set")
    return failed


async def dependency(it, api, failed):
    it.section("3. A dependency that is down", "Now it cannot reach its database. Why does that not run?")
    check("cannot reach the database" in failed.text, "the dependency is named")
    info = await it.call("get_logs", process="db", limit=5)
    wrong, right = re.search(r"no directory (\S+) for the tables; there is (\S+)", info.text).groups()
    it.say(f"It looks for its tables in `{wrong}`, and they are in `{right}`.")
    command = (await it.ask("list_processes", {"name": "db"})).structured["processes"][0]["args"]
    started = await it.call("restart_process", process="db", args=[*command[:-1], right], wait_for_log="accepts connections")
    check(started.structured["done"], "the database runs")
    failed = await it.call("restart_process", process="api", **api)
    await it.resolve("db", "no directory", f"the tables are in {right}")
    await it.resolve("api", "cannot reach the database", "the database runs")
    return failed


async def port(it, api, failed):
    it.section("4. A port that is taken", "The database answers, and the API cannot bind its port. The answer says who holds it.")
    holder = re.search(r"held by `(?:\w+/)?([\w-]+)`", failed.text)
    check(failed.is_error and holder, "the holder of the port is named")
    await it.call("get_process_info", process=holder.group(1), runs=1)
    it.say("It is an API of another day that nobody stopped.")
    await it.call("stop_process", process=holder.group(1), remove=True)
    failed = await it.call("restart_process", process="api", **api)
    await it.resolve("api", "already in use", "the old API is stopped")
    return failed


async def memory(it, api, failed):
    it.section("5. A limit of memory", "It binds its port, and is killed while it warms its cache.")
    check(failed.is_error and "memory" in failed.text, "memory is named")
    info = await it.call("get_process_info", process="api", runs=1)
    limit = next(limit["value"] for limit in info.structured["limits"] if limit["limit"] == "memory_bytes")
    it.say(f"A cache of 96 MiB does not fit into {limit >> 20} MiB. The limit is raised.")
    ready = await it.call("restart_process", process="api", limits={"memory_bytes": 256 << 20}, **api)
    check(not ready.is_error and ready.structured["done"], "the API listens with its cache")
    await it.resolve("api", "memory", "the limit is 256 MiB")


async def evening(it, api_port):
    it.section("Evening: keep an eye on it, and stop everything", "A health check is declared, and made at once.")
    health = [{"plugin": "http", "config": {"url": f"http://127.0.0.1:{api_port}/"}}]
    healthy = await it.call("restart_process", process="api", health=health, wait_for="healthy")
    check(not healthy.is_error and healthy.structured["done"], "the API is healthy")
    report = await it.call("check_process_health", process="api")
    check(report.structured["status"] == "healthy", "its check says so")
    it.say("Nothing is left unresolved, and both run. What was changed here belongs into `hostler.toml`: the user is told.")
    left = await it.call("get_latest_errors")
    check(left.structured["errors"] == [], "all errors are resolved")
    await it.call("list_processes")
    stopped = await it.call("apply_config", down=True)
    check(stopped.structured["done"], "the stack is down")
    listed = await it.call("list_processes")
    check(listed.structured["processes"] == [], "nothing is left")


async def day(it, ports):
    db_port, api_port = ports
    api, env = {"wait_for_log": "^listening"}, {"PORT": str(api_port)}
    await morning(it)
    failed = await crash(it, api)
    failed = await variable(it, api, failed, env)
    failed = await dependency(it, api, failed)
    failed = await port(it, api, failed)
    await memory(it, api, failed)
    await evening(it, api_port)


def seed(stage, ports):
    """What the user left behind: a project that is trusted, and the API of another day."""
    db_port, api_port = ports
    (stage.project / "api.py").write_text(API)
    (stage.project / "db.py").write_text(DB)
    (stage.project / "tables").mkdir()
    (stage.project / "hostler.toml").write_text(STACK.format(db_port=db_port, api_port=api_port))
    old = ("python3", "-m", "http.server", str(api_port), "--bind", "127.0.0.1")
    for command in (("trust",), ("start", "old-api", "--wait-for", "ready", "--", *old)):
        done = stage.cli(*command)
        check(done.returncode == 0, f"{command}: {done.stderr}")


async def run(stage, write):
    ports = scenario.free_ports(2)
    seed(stage, ports)
    server = StdioServerParameters(command=stage.hostler, args=["mcp"], env=stage.env, cwd=stage.project)
    async with Client(server, read_timeout_seconds=60) as client:
        listed = scenario.as_json(await client.list_tools())
        it = Day(client, stage, write)
        await day(it, ports)
        page = it.page(json.dumps(listed, separators=(",", ":")))
    if write:
        PAGE.write_text(page)
    differing = [(kept, made) for kept, made in zip(skeleton(PAGE.read_text()), skeleton(page)) if kept != made]
    check(len(skeleton(PAGE.read_text())) == len(skeleton(page)) and not differing,
          f"docs/agents.md is not of this run: make it anew with `just agents`: {differing[:3]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hostler")
    args = parser.parse_args()
    stage = scenario.Stage(str(pathlib.Path(args.hostler).resolve()))
    # What the transcript shows of the machine is what every machine has.
    stage.env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    passed = 0
    try:
        asyncio.run(run(stage, bool(os.environ.get("HOSTLER_TEST_WRITE"))))
        stage.cli("daemon", "stop")
        left = stage.processes_after(5)
        passed = int(not left)
        if left:
            print(f"left: {left}")
    except Exception as error:
        print("\n".join(scenario.causes(error)))
        print(f"the daemon's log: {(stage.home / 'daemon.log').read_text(errors='replace')[-2000:]}")
    finally:
        stage.clear()
    print(f"clients: {passed} passed, {1 - passed} failed")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
