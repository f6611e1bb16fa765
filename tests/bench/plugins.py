#!/usr/bin/env python3
"""Measures the plugins in a daemon: what ten of them add to its memory, and how fast a daemon starts that has them all
compiled. See README.md beside this file; `cargo bench -p hostler-plugin-host` measures what needs no daemon."""

import json
import os
import sys
import time

sys.dont_write_bytecode = True
from harness import (  # noqa: E402, beside this file
    PATIENCE, Client, Mismatch, Report, World, load, parser_of, private_kib,
)  # fmt: skip

# With `multiline` and `level`, through which all lines go, these are ten.
PARSERS = ["json", "logfmt", "syslog", "access-log"]
CHECKS = {"process": {}, "tcp": {"address": "localhost:1"}, "redis": {"address": "localhost:1"}, "postgres": {"address": "localhost:1"}}  # fmt: skip
IN_USE = sorted([*PARSERS, *CHECKS, "multiline", "level"])


def wait(what, probe):
    deadline = time.monotonic() + PATIENCE
    while not probe():
        if time.monotonic() > deadline:
            raise Mismatch(f"waited in vain for {what}")
        time.sleep(0.005)


def at_work(world):
    """The plugins that were called."""
    plugins = json.loads(world.command("plugin", "list", "--json"))["plugins"]
    return sorted(plugin["name"] for plugin in plugins if plugin["calls"])


def start_served(world, client):
    """A process whose one line goes through all the parsers and that all the checks look at."""
    health = [{"plugin": name, "config": config, "interval_ms": 100} for name, config in CHECKS.items()]
    world.idle(client, "served", log={"parsers": PARSERS}, health=health)
    wait("ten plugins at work", lambda: at_work(world) == IN_USE)


def memory(world, report):
    report.section("1. Ten plugins at work in a daemon")
    with world.daemon("silent") as daemon:
        # A process that writes nothing needs no parser.
        fifo = os.open(world.fifo, os.O_RDWR | os.O_CLOEXEC)
        client = Client(world)
        client.call("start_process", name="silent", command=world.child[0], args=[*world.child[1:], str(world.fifo)])
        client.close()
        without = private_kib(daemon)[0]
        os.close(fifo)
    with world.daemon("served") as daemon:
        client = Client(world)
        start_served(world, client)
        client.close()
        compiling = private_kib(daemon)[0]
    with world.daemon("cached") as daemon:
        client = Client(world)
        start_served(world, client)
        client.close()
        cached = private_kib(daemon)[0]
    note = f"{cached / 1024:.1f} with, {without / 1024:.1f} without"
    report.row("ten plugins, loaded from the cache, private memory", (cached - without) / 1024, "MiB", 15, note=note)
    report.row("the same in the daemon that compiled them", (compiling - without) / 1024, "MiB")


def starts(world, report, count):
    report.section("2. Start of a daemon with a process that ten plugins serve, all of them compiled before")
    with world.daemon("starts"):
        client = Client(world)
        start_served(world, client)
        client.close()
        ready, serving = [], []
        for _ in range(count):
            world.command("daemon", "stop")
            begin = time.monotonic()
            world.command("daemon", "start")
            ready.append((time.monotonic() - begin) * 1e3)
            wait("the checks of the next daemon", lambda: set(CHECKS) <= set(at_work(world)))
            serving.append((time.monotonic() - begin) * 1e3)
        report.median("`hostler daemon start` to its end", ready, "ms", 60)
        report.median("until four checks of a process were made again", serving, "ms")


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--starts", type=int, default=20, help="starts of the daemon (default 20)")
    args = parser.parse_args()
    report, world = Report(), World(args.hostler)
    # One place for the machine code, so that only the first daemon compiles.
    world.variables["HOSTLER_PLUGIN_CODE"] = str(world.dir / "code")
    try:
        print(f"load average {load()}")
        memory(world, report)
        starts(world, report, args.starts)
    except Mismatch as mismatch:
        sys.exit(f"the measurement is void: {mismatch}")
    finally:
        world.remove()
    print(f"\nload average {load()}")
    return report.verdict(args)


if __name__ == "__main__":
    sys.exit(main())
