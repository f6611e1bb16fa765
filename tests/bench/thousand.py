#!/usr/bin/env python3
"""Measures hostler with a thousand processes: start, memory, rest with sampling, list. See README.md beside this file."""

import sys
import threading
import time

sys.dont_write_bytecode = True
from harness import (  # noqa: E402, beside this file
    Bare, Client, Mismatch, Report, Stamps, World, cpu_ns, load, parser_of, private_kib, result_of, tool_call,
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


def whole_list(client, detail):
    """Asks for all pages, one after the other: the time from each call to its answer in sum, ms; processes; pages."""
    taken, listed, pages, cursor = 0, 0, 0, None
    while pages == 0 or cursor:
        message = tool_call(pages + 1, "list_processes", detail=detail, limit=500, cursor=cursor)
        begin, end, line = client.exchange(message)
        page = result_of(line)
        taken, listed, pages = taken + (end - begin) / 1e6, listed + len(page["processes"]), pages + 1
        cursor = page.get("next_cursor")
    return taken, listed, pages


def list_latency(report, client, count, details, calls=30):
    for detail in details:
        lists = [whole_list(client, detail) for _ in range(calls)]
        if any(listed != count for _, listed, _ in lists):
            raise Mismatch("the list is not complete")
        what = f"list_processes, {detail}, all {count} in {lists[0][2]} pages"
        report.median(what, [taken for taken, _, _ in lists], "ms", 20 if detail == "concise" else None)


def main():
    parser = parser_of("Measures hostler with a thousand processes.")
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
            list_latency(report, client, args.count, ["concise", "full"])
            client.close()
            report.row("daemon at rest, sampling", at_rest(daemon, args.seconds), "% of a core", 2)
            report.row("daemon, private", private_kib(daemon)[0] / 1024, "MiB", 120)
    finally:
        world.remove()
    return report.verdict(args)


if __name__ == "__main__":
    sys.exit(main())
