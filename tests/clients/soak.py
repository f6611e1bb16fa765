"""Eight clients by others at once, for a minute: no error, and the daemon grows neither in memory nor in descriptors.

    soak.py HOSTLER [SECONDS]

It is looked at all the time. What it has in the last third of that time is compared with the middle third, by the median
of each: a peak is no growth, and what is allocated once, or when something is first used, is there by then.

Half of them speak the older era of the protocol (PyPI `mcp`). Each starts, watches, restarts and removes processes of
its own, over and over.
"""

import argparse
import asyncio
import json
import pathlib
import random
import statistics
import sys
import time

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

import scenario

CLIENTS = 8
# So often the daemon is looked at.
LOOK_SECONDS = 0.5
# From the middle third to the last, the median may grow by a twentieth, or by this where that is less: pages of
# allocator, cache of the database. A leak of one answer for each call is some megabytes in a minute.
GROWTH = 0.05
GROWTH_BYTES = 4 << 20
# Descriptors are counted while clients come and go: each has one, and what it starts has some four.
GROWTH_DESCRIPTORS = 8
# These clients never rest, which is what the default limits are there to stop.
LIMITS = """
[limits]
reads_per_minute = 1000000
changes_per_minute = 1000000
starts_per_minute = 1000000
"""


def daemon_of(stage):
    return json.loads(stage.cli("daemon", "status", "--json").stdout)["pid"]


def look(pid):
    """Resident memory in bytes, and descriptors."""
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


async def watch(stage, began, looks):
    """Looks at the daemon until it is told to end: (when, memory, descriptors)."""
    while not (stage.home / "daemon.sock").exists():
        await asyncio.sleep(LOOK_SECONDS)
    pid = await asyncio.to_thread(daemon_of, stage)
    while True:
        looks.append((time.monotonic() - began, *look(pid)))
        await asyncio.sleep(LOOK_SECONDS)


def third(looks, seconds, which):
    """The medians of memory and descriptors in a third of the time."""
    of = [l for l in looks if seconds * which / 3 <= l[0] < seconds * (which + 1) / 3]
    return statistics.median(l[1] for l in of), statistics.median(l[2] for l in of)


def judge(looks, seconds):
    """Whether it has grown: what is wrong, or nothing."""
    first, middle, last = (third(looks, seconds, which) for which in range(3))
    mib = lambda b: f"{b / (1 << 20):.1f} MiB"
    print(f"resident in the thirds: {mib(first[0])}, {mib(middle[0])}, {mib(last[0])}; "
          f"descriptors: {first[1]:.0f}, {middle[1]:.0f}, {last[1]:.0f}; {len(looks)} looks")
    wrong = []
    if last[0] > middle[0] + max(middle[0] * GROWTH, GROWTH_BYTES):
        wrong.append(f"the daemon has grown from {mib(middle[0])} to {mib(last[0])}")
    if last[1] > middle[1] + GROWTH_DESCRIPTORS:
        wrong.append(f"descriptors have grown from {middle[1]:.0f} to {last[1]:.0f}")
    return wrong


async def soak(stage, seconds):
    counts, looks = {}, []
    began = time.monotonic()
    until = began + seconds
    watching = asyncio.create_task(watch(stage, began, looks))
    try:
        await asyncio.gather(*(work(stage, n, until, counts) for n in range(CLIENTS)))
    finally:
        watching.cancel()
    total = sum(counts.values())
    print(f"{total} calls of {CLIENTS} clients in {time.monotonic() - began:.0f} s: {counts}")
    wrong = judge(looks, seconds)
    # Connections end; then nothing of them is left.
    pid, least = await asyncio.to_thread(daemon_of, stage), min(l[2] for l in looks if l[0] > seconds / 3)
    deadline = time.monotonic() + 10
    while (left := look(pid)[1]) > least and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    print(f"descriptors at the end: {left}")
    if left > least:
        wrong.append(f"{left} descriptors are left open, of {least} at the least")
    assert not wrong, "; ".join(wrong)


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
