"""Eight clients by others at once, for a minute: no error, and the daemon grows neither in memory nor in descriptors.

    soak.py HOSTLER [SECONDS]

Half of them speak the older era of the protocol (PyPI `mcp`). Each starts, watches, restarts and removes processes of
its own, over and over.
"""

import argparse
import asyncio
import json
import pathlib
import random
import sys
import time

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

import scenario

CLIENTS = 8
# After a first quarter everything that is allocated once is allocated.
WARM = 0.25
GROWTH_BYTES = 48 << 20
# These clients never rest, which is what the default limits are there to stop.
LIMITS = """
[limits]
reads_per_minute = 1000000
changes_per_minute = 1000000
starts_per_minute = 1000000
"""


def daemon(stage):
    pid = json.loads(stage.cli("daemon", "status", "--json").stdout)["pid"]
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(resident.split()[1]) << 10, len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


async def work(stage, number, until, counts):
    server = StdioServerParameters(command=stage.hostler, args=["mcp"], env=stage.env, cwd=stage.project)
    mode = "legacy" if number % 2 else "auto"
    name = f"worker-{number}"
    async with Client(server, mode=mode, read_timeout_seconds=60) as client:
        async def call(tool, **arguments):
            result = await client.call_tool(tool, arguments)
            counts[tool] = counts.get(tool, 0) + 1
            if result.is_error:
                raise AssertionError(f"{name}: {tool} {arguments}: {result.content}")
            return result.structured_content

        while time.monotonic() < until:
            await call("start_process", name=name, command="seq 200", wait_for="exited")
            page = await call("get_logs", process=name, limit=200, format="records")
            assert page["lines"][-1]["message"] == "200", page["lines"][-1]
            await call("tail_logs", process=name, lines=20)
            await call("get_process_info", process=name)
            await call("list_processes", detail="full")
            await client.read_resource(f"logs://{name}")
            await call("restart_process", process=name, command="sleep 300", wait_for="started")
            await call("stop_process", process=name, remove=random.random() < 0.5)
            await call("start_process", name=name, command="sleep 300", wait_for="started")
            await call("kill_process", process=name)
            await call("stop_process", process=name, remove=True)


async def soak(stage, seconds):
    counts = {}
    began = time.monotonic()
    until = began + seconds
    working = [asyncio.create_task(work(stage, n, until, counts)) for n in range(CLIENTS)]
    await asyncio.sleep(seconds * WARM)
    before = await asyncio.to_thread(daemon, stage)
    await asyncio.gather(*working)
    # Connections end; the next look is at a daemon at rest.
    await asyncio.sleep(1)
    after = await asyncio.to_thread(daemon, stage)
    total = sum(counts.values())
    print(f"{total} calls of {CLIENTS} clients in {time.monotonic() - began:.0f} s: {counts}")
    print(f"resident: {before[0] >> 20} MiB, then {after[0] >> 20} MiB; descriptors: {before[1]}, then {after[1]}")
    assert after[0] < before[0] + GROWTH_BYTES, "the daemon has grown"
    assert after[1] <= before[1], "descriptors are left open"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hostler")
    parser.add_argument("seconds", nargs="?", type=float, default=60)
    args = parser.parse_args()
    stage = scenario.Stage(str(pathlib.Path(args.hostler).resolve()))
    stage.home.mkdir(mode=0o700)
    (stage.home / "config.toml").write_text(LIMITS)
    passed = 0
    try:
        asyncio.run(soak(stage, args.seconds))
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
