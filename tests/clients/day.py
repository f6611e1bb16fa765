"""An agent's day, scripted, through a client by others: it starts a stack, meets five faults, finds each by what the
tools say, mends it through tools, and stops everything. It touches the machine in no other way.

    day.py HOSTLER [--write docs/agents.md]

With `--write`, the transcript becomes that page. The client is PyPI `mcp`; tokens are estimated at four bytes each.
"""

import argparse
import asyncio
import json
import pathlib
import re
import sys

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

import scenario

API = '''
import http.server, json, os, socket, sys
def need(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"error: {name} is not set")
    return value
workers = int(sys.argv[1])
port, database = int(need("PORT")), need("DATABASE_URL")
host, db_port = database.removeprefix("db://").split(":")
cache = bytearray(int(os.environ.get("CACHE_MB", "16")) << 20)
try:
    socket.create_connection((host, int(db_port)), timeout=2).close()
except OSError as error:
    sys.exit(f"error: cannot reach the database at {host}:{db_port}: {error}")
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler)
print(f"listening on {port} with {workers} workers and a cache of {len(cache) >> 20} MiB", flush=True)
server.serve_forever()
'''

DB = '''
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("database accepts connections", flush=True)
while True:
    server.accept()[0].close()
'''

HEAD = """\
# For agents: a day with hostler

This is what an agent does that has nothing but the tools. Every call and every answer is from a real run of
`tests/clients/day.py` through a client by others (PyPI `mcp`); paths are shortened, and long answers cut at `…`. Five
faults were hidden in a stack of a database and an API. Each section is one of them: how it shows, how it is found, and
how it is mended.

"""

ANSWER_CHARS = 900


class Day:
    def __init__(self, client, stage):
        self.client = client
        self.stage = stage
        self.page = [HEAD]
        self.asked = 0
        self.answered = 0
        self.calls = 0

    def section(self, title, text):
        self.page.append(f"## {title}\n\n{text}\n")

    def say(self, text):
        self.page.append(f"{text}\n")

    async def call(self, tool, **arguments):
        async with asyncio.timeout(scenario.CALL_SECONDS + 30):
            result = await self.client.call_tool(tool, arguments)
        text = "\n".join(c.text for c in result.content if c.type == "text")
        request = json.dumps(arguments)
        self.calls += 1
        self.asked += len(tool) + len(request)
        self.answered += len(text)
        shown = text if len(text) <= ANSWER_CHARS else text[:ANSWER_CHARS] + " …"
        self.page.append(self.neutral(f"```text\n> {tool} {request}\n{shown}\n```\n"))
        print(f"> {tool} {request[:150]}\n  {'ERROR ' if result.is_error else ''}{text[:300]!r}", flush=True)
        return scenario.Result(text, result.structured_content, bool(result.is_error))

    def neutral(self, text):
        return text.replace(str(self.stage.root), "/srv")


def check(holds, what):
    if not holds:
        raise AssertionError(what)


async def day(it, ports):
    db_port, api_port = ports
    environment = {"PORT": str(api_port)}
    command = {"command": "python3", "args": ["api.py", "four"], "restart": {"policy": "never"}}

    it.section("The project", "First, what is there: nothing runs in this project yet.")
    listed = await it.call("list_processes")
    check(listed.structured["processes"] == [], "nothing runs at first")
    await it.call("start_process", name="old-api", command="python3", args=["-m", "http.server", str(api_port), "--bind", "127.0.0.1"], wait_for="started")

    it.section("1. A crash", "The API is started, and ends at once. The answer of the start itself has the traceback.")
    failed = await it.call("start_process", name="api", **command, env=environment, wait_for_log="^listening")
    check(failed.is_error and "ValueError" in failed.text, "the crash is seen in the answer")
    bad = re.search(r"invalid literal for int\(\) with base 10: '(\w+)'", failed.text).group(1)
    it.say(f"`{bad}` is no number of workers: the argument was wrong. It is corrected with `restart_process`.")

    failed = await it.call("restart_process", process="api", args=["api.py", "4"], wait_for_log="^listening")
    it.section("2. A missing variable", "The crash is gone, and the next thing is in the way. Its last line names it.")
    missing = re.search(r"error: (\w+) is not set", failed.text).group(1)
    check(missing == "DATABASE_URL", "the missing variable is named")
    environment[missing] = f"db://127.0.0.1:{db_port}"
    failed = await it.call("restart_process", process="api", env=environment, wait_for_log="^listening")

    it.section("3. A dependency that is down", "Now it cannot reach its database. Which processes are there?")
    check("cannot reach the database" in failed.text, "the dependency is named")
    listed = await it.call("list_processes", detail="full")
    check(all(db_port not in p.get("ports", []) for p in listed.structured["processes"]), "nobody listens there")
    it.say("Nobody listens on that port: the database does not run. It is started first, and waited for.")
    started = await it.call("start_process", name="db", command="python3", args=["db.py", str(db_port)], wait_for_log="accepts connections")
    check(started.structured["done"], "the database runs")
    failed = await it.call("restart_process", process="api", wait_for_log="^listening")

    it.section("4. A port that is taken", "The database answers, and the API cannot bind its port. The evidence says who holds it.")
    check(failed.is_error and "port" in failed.text, "the holder of the port is named")
    holder = re.search(r"held by `(?:\w+/)?([\w-]+)`", failed.text).group(1)
    await it.call("stop_process", process=holder, remove=True)
    ready = await it.call("restart_process", process="api", wait_for_log="^listening")
    check(not ready.is_error and ready.structured["done"], "the API listens")

    it.section("5. A limit of memory", "The API is given a larger cache, and a limit that is too small for it.")
    environment["CACHE_MB"] = "400"
    failed = await it.call("restart_process", process="api", env=environment, limits={"memory_bytes": 200 << 20}, wait_for_log="^listening")
    check(failed.is_error, "it does not start within its limit")
    await it.call("get_logs", process="api", stream="stderr", limit=5)
    info = await it.call("get_process_info", process="api", runs=1)
    limit = next(limit["value"] for limit in info.structured["limits"] if limit["limit"] == "memory_bytes")
    check("MemoryError" in failed.text or "memory" in failed.text.lower(), "memory is named")
    it.say(f"The cache of 400 MiB does not fit into {limit >> 20} MiB. The limit is raised.")
    ready = await it.call("restart_process", process="api", limits={"memory_bytes": 800 << 20}, wait_for_log="^listening")
    check(not ready.is_error and ready.structured["done"], "the API listens with its cache")

    it.section("In the evening", "Everything runs. What was found is marked as resolved, and all is stopped.")
    tools = {tool.name for tool in (await it.client.list_tools()).tools}
    if "get_latest_errors" in tools:
        errors = await it.call("get_latest_errors")
        ids = [error["id"] for error in errors.structured["errors"]]
        check(ids, "errors were found")
        await it.call("mark_error_resolved", error_id=ids[0], resolution="arguments, environment, port and limit were corrected")
        for error in ids[1:]:
            await it.client.call_tool("mark_error_resolved", {"error_id": error, "resolution": "corrected"})
        left = await it.call("get_latest_errors")
        check(left.structured["errors"] == [], "all are resolved")
    await it.call("list_processes")
    for name in ("api", "db"):
        stopped = await it.call("stop_process", process=name, remove=True)
        check(stopped.structured["done"], f"{name} is stopped")
    listed = await it.call("list_processes")
    check(listed.structured["processes"] == [], "nothing is left")
    whole = json.dumps(scenario.as_json(await it.client.list_tools()))
    tokens = lambda size: round(size / 4)
    it.say(
        f"In all: {it.calls} calls with {tokens(it.asked):,} tokens, their answers {tokens(it.answered):,} tokens; the list of tools, "
        f"once, {tokens(len(whole)):,} (at four bytes each, an estimate on the safe side).")


async def run(stage, write):
    (stage.project / "api.py").write_text(API)
    (stage.project / "db.py").write_text(DB)
    server = StdioServerParameters(command=stage.hostler, args=["mcp"], env=stage.env, cwd=stage.project)
    async with Client(server, read_timeout_seconds=60) as client:
        it = Day(client, stage)
        await day(it, scenario.free_ports(2))
    if write:
        pathlib.Path(write).write_text("\n".join(it.page))
    print(it.page[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hostler")
    parser.add_argument("--write")
    args = parser.parse_args()
    stage = scenario.Stage(str(pathlib.Path(args.hostler).resolve()))
    # What the transcript shows of the machine is what every machine has.
    stage.env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    passed = 0
    try:
        asyncio.run(run(stage, args.write))
        stage.cli("daemon", "stop")
        left = stage.processes_after(5)
        passed = int(not left)
        if left:
            print(f"left: {left}")
    except Exception as error:
        print("\n".join(scenario.causes(error)))
    finally:
        stage.clear()
    print(f"clients: {passed} passed, {1 - passed} failed")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
