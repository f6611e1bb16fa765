#!/usr/bin/env python3
"""Measures what finding and grouping errors costs on top of parsing. See README.md beside this file."""

import contextlib
import os
import random
import shutil
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
from harness import PATIENCE, Client, Mismatch, Report, World, load, parser_of  # noqa: E402, beside this file

TRACE = [
    "Traceback (most recent call last):", '  File "/srv/shop/main.py", line {n}, in handle', "    load(order)",
    '  File "/srv/shop/orders.py", line {n}, in load', "    return orders[key]", "KeyError: 'order_{n}'",
]  # fmt: skip
FAULTS = [
    "payment {n} was declined by the bank after {n} ms", "GET https://bank.example.com/v1/accounts/{n} returned 503",
    "connection to 10.0.{d}.7:5432 refused", "cannot read /srv/shop/{n}.json: no such file or directory",
    "job {n} timed out after 30 s", "user u{n} may not read order {n}",
]  # fmt: skip


def write_log(path, lines, one_in):
    """Lines of a server; of which one in so many is an error, and a tenth of these are stack traces."""
    rng = random.Random(7)
    with open(path, "w", encoding="utf-8") as out:
        number = 0
        while number < lines:
            stamp = f"2026-05-01 12:{number // 6000 % 60:02}:{number // 100 % 60:02},{number % 1000:03}"
            if one_in and rng.randrange(one_in) == 0:
                if rng.randrange(10) == 0:
                    out.write(f"{stamp} ERROR [worker-{number % 8}] shop.web: request {number} failed\n")
                    out.writelines(line.format(n=number) + "\n" for line in TRACE)
                    number += len(TRACE)
                else:
                    said = rng.choice(FAULTS).format(n=number, d=number % 250)
                    out.write(f"{stamp} ERROR [worker-{number % 8}] shop.web: {said}\n")
            else:
                out.write(f"{stamp} INFO [worker-{number % 8}] shop.web: GET /orders/{number} 200 in {number % 90} ms\n")
            number += 1
        out.write("2026-05-01 13:00:00,000 WARN [main] shop.web: that was all\n")


def thread_ns(pid, name=None):
    """The CPU time of the threads of this name, or of all."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if name in (None, (task / "comm").read_text().strip()):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def keep_to_one_processor(pid):
    """Two processors are often one core, on which a thread costs more time while its neighbour works."""
    one = {min(os.sched_getaffinity(0))}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), one)


def until_parsed(client, process, lines):
    deadline = time.monotonic() + 10 * PATIENCE
    while time.monotonic() < deadline:
        found = client.call("get_logs", process=process, min_level="warn", order="desc", limit=1, format="records")
        if any("that was all" in line["message"] for line in found["lines"]):
            return
        time.sleep(0.05)
    raise Mismatch(f"{lines} lines were not parsed in time")


def cost(world, client, daemon, name, file, lines):
    """CPU time of the parsing thread and of the whole daemon, nanoseconds a line."""
    before = thread_ns(daemon, "annotate"), thread_ns(daemon)
    client.call("start_process", name=name, command=world.child[0], args=[str(file)], wait_for="started")
    until_parsed(client, name, lines)
    return (thread_ns(daemon, "annotate") - before[0]) / lines, (thread_ns(daemon) - before[1]) / lines


def main():
    parser = parser_of("Measures what finding and grouping errors costs.")
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    report, world = Report(), World(args.hostler)
    world.child = [os.path.realpath(shutil.which("cat"))]
    files = {"plain": 0, "errors": 100}
    try:
        for name, one_in in files.items():
            write_log(world.dir / f"{name}.log", args.lines, one_in)
        with world.daemon("errors") as daemon:
            keep_to_one_processor(daemon)
            client = Client(world)
            report.section(f"{args.lines} lines without errors, and with 1 % of them, in turn; load {load()}")
            taken = {name: [] for name in files}
            for round_ in range(args.rounds + 1):
                # In turn first and second: neither has the quieter half of each round.
                for name in sorted(files, reverse=round_ % 2):
                    found = cost(world, client, daemon, f"{name}-{round_}", world.dir / f"{name}.log", args.lines)
                    if round_:  # the first one warms up
                        taken[name].append(found)
            for at, what in enumerate(("parsing thread", "daemon")):
                plain, errors = (sorted(found[at] for found in taken[name]) for name in files)
                middle = len(plain) // 2
                report.row(f"{what}, no errors", plain[middle], "ns/line", samples=plain)
                report.row(f"{what}, 1 % errors", errors[middle], "ns/line", samples=errors)
                pairs = zip(taken["errors"], taken["plain"], strict=True)
                ratios = sorted(100 * (with_errors[at] / without[at] - 1) for with_errors, without in pairs)
                report.row(f"{what}, on top, by round", ratios[middle], "%", None if at else 15, samples=ratios)
            groups = client.call("get_errors", limit=100)["errors"]
            print(f"  {len(groups)} groups, {sum(group['count'] for group in groups)} errors")
            client.close()
    finally:
        world.remove()
    return report.verdict(args)


if __name__ == "__main__":
    sys.exit(main())
