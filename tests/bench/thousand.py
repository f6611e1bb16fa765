#!/usr/bin/env python3
"""Measures hostler with a thousand processes: start, memory, rest with sampling, list. See README.md beside this file."""

import argparse
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
from harness import (  # noqa: E402, beside this file
    HERE, Bare, Client, Mismatch, Report, Stamps, World, cpu_ns, load, private_kib, result_of, tool_call,
)  # fmt: skip


def floor(world, count):
    """What their starts cost without a supervisor, seconds."""
    bare = Bare(world)
    taken = bare.many(count, Stamps(world.fifo))
    bare.close()
    return taken / 1e3


def start_all(world, count, connections):
    """Starts them over several connections; seconds from the first call to the last answer."""
    clients = [Client(world) for _ in range(connections)]
    failed = []

    def work(at):
        try:
            for number in range(at, count, connections):
                world.idle(clients[at], f"idle-{number}")
        except Exception as error:  # noqa: BLE001, told below
            failed.append(error)

    begin = time.monotonic()
    threads = [threading.Thread(target=work, args=[at]) for at in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = time.monotonic()
    for client in clients:
        client.close()
    if failed:
        raise Mismatch(f"a start failed: {failed[0]}")
    return end - begin


def at_rest(daemon, seconds):
    time.sleep(15)  # the ticks after the start, which somebody may have asked for, are over
    begin, before = time.monotonic(), cpu_ns(daemon)
    time.sleep(seconds)
    return (cpu_ns(daemon) - before) / (time.monotonic() - begin) / 1e7


def list_latency(report, client, details, calls=30):
    for detail in details:
        taken = []
        for number in range(calls):
            begin, end, line = client.exchange(tool_call(number + 1, "list_processes", detail=detail, limit=500))
            taken.append((end - begin) / 1e6)
            if not result_of(line)["processes"]:
                raise Mismatch("the list is empty")
        report.median(f"list_processes, {detail}, a page of 500", taken, "ms", 20 if detail == "concise" else None)


def main():
    parser = argparse.ArgumentParser(description="Measures hostler with a thousand processes.")
    parser.add_argument("--hostler", type=Path, default=HERE.parents[1] / "target/release/hostler")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60, help="length of the measurement at rest")
    args = parser.parse_args()
    report, world = Report(), World(args.hostler)
    try:
        with world.daemon("thousand") as daemon:
            report.section(f"{args.count} processes, load {load()}")
            report.row("bare posix_spawn, until the last has begun", bare := floor(world, args.count), "s")
            report.row("started", started := start_all(world, args.count, args.connections), "s", 2)
            report.row("started / bare", started / bare, "x")
            client = Client(world)
            list_latency(report, client, ["concise", "full"])
            client.close()
            report.row("daemon at rest, sampling", at_rest(daemon, args.seconds), "% of a core", 2)
            report.row("daemon, private", private_kib(daemon)[0] / 1024, "MiB", 120)
    finally:
        world.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
