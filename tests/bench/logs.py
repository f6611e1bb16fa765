#!/usr/bin/env python3
"""Measures the log engine of hostler against its targets, and others beside it. See README.md beside this file.

Python 3.11 or later, nothing but the standard library, and a C compiler. Everything happens in a private HOSTLER_HOME
below the directory for temporary files; nothing is left behind.
"""

import json
import os
import random
import sqlite3
import statistics
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
import corpus  # noqa: E402, beside this file
import log_peers  # noqa: E402
from harness import (  # noqa: E402
    HERE, Client, Mismatch, Report, World, filesystem, load, parser_of, percentile, private_kib,
)  # fmt: skip
from log_peers import PATIENCE, Pour  # noqa: E402

ROUND = 100_000  # lines of a corpus, many times what is packed together; what is poured is a multiple of it
LAST = "ERROR the last line of this pour"
FLOOR = "writer | cat > file, the floor"
FOUND = "hostler, until all are durable and found"
PARSED = "hostler, until parsed: level, multi-line, errors"
CORPUS = 20_000  # lines, each of a hundred bytes, that are poured over and over
HUGE = 1 << 30  # bytes of a line
PIECE = 256 << 10  # of it in one row


class Memory:
    """The most private memory of the daemon while it works, looked at twenty times a second."""

    def __init__(self, daemon):
        self.daemon, self.most, self.over = daemon, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, private_kib(self.daemon)[0])

    def stop(self):
        self.over.set()
        self.thread.join()
        return self.most / 1024


class Engine:
    """A hostler, and what is asked of it."""

    def __init__(self, world):
        self.world = world
        self.client = Client(world)
        self.memory = 0

    def start(self, name, pour):
        self.client.call(
            "start_process", name=name, command=pour.command[0], args=pour.command[1:], wait_for="started"
        )

    def newest(self, name, enough):
        """Looks at the newest line fifty times a second until it is enough; when that was."""
        deadline = time.monotonic() + PATIENCE
        while True:
            tail = self.client.call("tail_logs", process=name, lines=1, format="records")
            if tail["lines"] and enough(tail["lines"][-1]):
                return time.monotonic()
            if time.monotonic() > deadline:
                raise Mismatch(f"the last line of {name} is not there after {PATIENCE:g} s")
            time.sleep(0.02)

    def searchable(self, name):
        """When the last line of a process was there, and a search found it."""
        self.newest(name, lambda line: LAST.endswith(line["message"]))
        found = self.client.call("search_logs", process=name, query=LAST, case_sensitive=True, limit=1)
        if not found["total"]:
            raise Mismatch(f"the last line of {name} is there, and no search finds it")
        return time.monotonic()

    def parsed(self, name):
        """When its parsers had seen all lines: the last one has a level."""
        return self.newest(name, lambda line: line.get("level") == "error")

    def lines(self, name):
        return self.client.call("get_process_info", process=name)["log_lines"]

    def pour(self, pours):
        """Seconds until all of it can be found, and until all of it is parsed."""
        for at, pour in enumerate(pours):
            self.start(f"pour-{at}", pour)
        names = [f"pour-{at}" for at in range(len(pours))]
        found = max(self.searchable(name) for name in names)
        parsed = max(self.parsed(name) for name in names)
        if wrong := [(name, self.lines(name)) for name, p in zip(names, pours) if self.lines(name) != p.lines + 1]:
            raise Mismatch(f"lines are missing or too many: {wrong}")
        begin = min(pour.times()[0] for pour in pours)
        return found - begin, parsed - begin


# ---- rates ----


def at_least(report, what, measured, unit, target=None, note=""):
    """Of what there cannot be too much: the target is the least."""
    ok = None if target is None else measured >= target
    verdict = {None: "", True: "ok", False: "BELOW"}[ok]
    wanted = "" if target is None else f">= {target:g} {unit}"
    print(f"  {what:<58} {wanted:>12}  {measured:>9.3f} {unit:<5} {verdict:<5} {note}", flush=True)
    report.rows.append({"what": what, "target": target, "measured": round(measured, 4), "unit": unit, "ok": ok, "note": note})


def rate(report, what, lines, taken, target=None, note=""):
    """Millions of lines a second; answers them."""
    millions = lines / taken / 1e6
    at_least(report, what, millions, "M/s", target, note)
    return millions


def rates(report, world, args, title, processes, lines):
    """The same output for everybody: hostler, the bare pipe, and the others. By writer, what each of them managed."""
    measured = {}
    for how in ("write", "block"):
        writer = "a write for each line" if how == "write" else "writes of 64 KiB"
        report.section(f"{title}, {writer}")
        total, of = processes * lines, measured.setdefault(how, {})

        def pours(last=None, how=how):
            return [Pour(world, args.corpus, lines, how, at, last) for at in range(processes)]

        of[FLOOR] = rate(report, FLOOR, total, log_peers.floor(world, pours()))
        with world.daemon(f"{how}-{processes}") as daemon:
            engine, memory = Engine(world), Memory(daemon)
            try:
                found, parsed = engine.pour(pours(LAST))
            finally:
                most = memory.stop()
            of[FOUND] = rate(report, FOUND, total, found, 2.0)
            of[PARSED] = rate(report, PARSED, total, parsed, 1.0)
            report.row("memory of the daemon, most", most, "MiB", 150)
            engine.client.close()
        for name, (version, measure) in args.others.items():
            try:
                of[name] = rate(report, version, total, measure(args.peers, world, pours()))
            except (Mismatch, log_peers.Trouble) as why:
                # Theirs is not ours to mend: what one of them does not do is told, and the others go on.
                print(f"  {version:<58} {'':>12}  not measured: {why}", flush=True)
    return measured


def beside_one(report, fifty, one):
    """What fifty writers cost: lines a second beside those of one, each with itself."""
    for how, writer in (("write", "a write for each line"), ("block", "writes of 64 KiB")):
        report.section(f"50 processes beside one process, lines a second, {writer}")
        for name, millions in fifty[how].items():
            if before := one[how].get(name):
                target = 1.0 if name == FOUND else None
                at_least(report, name, millions / before, "times", target, f"{millions:.2f} and {before:.2f} M/s")


# ---- what wants to be too much ----


def one_line(report, world, size):
    """A line of a gibibyte: how fast, and what memory it takes."""
    report.section(f"One line of {size:,} bytes")
    pieces = -(-size // PIECE)
    with world.daemon("huge") as daemon:
        engine, memory = Engine(world), Memory(daemon)
        try:
            begin = time.monotonic()
            engine.client.call(
                "start_process", name="huge", command=world.child[0], args=["-", str(size)], wait_for="started"
            )
            done = engine.newest("huge", lambda line: line["message"] == "after")
        finally:
            most = memory.stop()
        if engine.lines("huge") != pieces + 1:
            raise Mismatch(f"{engine.lines('huge')} of {pieces + 1} pieces of the line are there")
        at_least(report, "until all of it is durable", size / (done - begin) / 1e9, "GB/s")
        report.row("memory of the daemon, most", most, "MiB", 150)
        engine.client.close()


# ---- latency ----


def latency(report, world, count, pause_us):
    report.section(f"A single line: written -> read by a client that waits with tail_logs, {count} lines")
    with world.daemon("latency"):
        client = Client(world)
        client.call(
            "start_process", name="drip", command=world.child[0], args=["-", str(count), str(pause_us)],
            wait_for="started",
        )  # fmt: skip
        taken, cursor, live = [], "0.0", True
        while live or taken == []:
            _, now, tail = client.timed("tail_logs", process="drip", follow=True, cursor=cursor, format="records")
            cursor, live = tail["cursor"], tail["live"]
            taken += [(now - int(line["message"])) / 1e6 for line in tail["lines"]]
        if len(taken) != count:
            raise Mismatch(f"{len(taken)} of {count} lines came")
        client.close()
    report.row("median", statistics.median(taken), "ms", 5, taken)
    report.row("99th percentile", percentile(taken, 0.99), "ms", 25)


# ---- ten million lines ----


def fill(report, world, engine, lines):
    """Lines of four typical kinds, one process each, at the same time."""
    report.section(f"{lines:,} typical lines of four kinds, four processes")
    pours = []
    for at, (kind, make) in enumerate(corpus.TYPICAL.items()):
        path = world.dir / f"corpus-{at}"
        corpus.write(path, make, ROUND)
        pours.append(Pour(world, path, lines // 4, "block", at, LAST))
    found, parsed = engine.pour(pours)
    rate(report, "until all are durable and found", lines, found)
    rate(report, "until all are parsed", lines, parsed)
    return sum(pour.size for pour in pours)


def sealed(world):
    """Waits until all is sealed; by process what it takes, of which text, in blocks, filters and events."""
    deadline = time.monotonic() + PATIENCE
    database = sqlite3.connect(f"file:{world.home}/hostler.db?mode=ro", uri=True)
    try:
        while database.execute("SELECT count(*) FROM log_chunks WHERE sealed = 0").fetchone()[0]:
            if time.monotonic() > deadline:
                raise Mismatch("the store is not sealed in time")
            time.sleep(0.2)
        sizes = """
            SELECT p.name, sum(c.text_bytes), sum(c.stored_bytes),
                   (SELECT coalesce(sum(length(data)), 0) FROM log_events e WHERE e.run_id = r.id)
            FROM log_chunks c JOIN runs r ON r.id = c.run_id JOIN processes p ON p.id = r.process_id GROUP BY p.name
        """
        return {name: rest for name, *rest in database.execute(sizes)}
    finally:
        database.close()


def disk(report, world, raw):
    report.section("Disk, share of the text")
    stored = sealed(world)
    for kind, (text, lines, events) in zip(corpus.TYPICAL, (stored[f"pour-{at}"] for at in range(4))):
        note = f"lines with their filters {100 * lines / text:.1f}, what parsers found {100 * events / text:.1f}"
        report.row(kind, 100 * (lines + events) / text, "%", note=note)
    files = sum((world.home / f"hostler.db{more}").stat().st_size for more in ("", "-wal"))
    typical = 100 * sum(lines + events for _, lines, events in stored.values()) / raw
    report.row("all four", typical, "%", 15)
    report.row("the files of the database, room for new lines included", 100 * files / raw, "%")


def queries(report, client, lines, raw):
    report.section(f"Questions to {lines:,} lines, {raw / 1e9:.2f} GB")
    each = lines // 4
    chance = random.Random(1)

    def ask(count, tool, **arguments):
        taken = []
        for _ in range(count):
            begin, end, answer = client.timed(tool, **arguments)
            taken.append((end - begin) / 1e6)
        return taken, answer

    needle, answer = ask(20, "search_logs", query=LAST, limit=10, case_sensitive=True)
    if answer["total"] != 4:
        raise Mismatch(f"the rare term is there four times, {answer['total']} were found")
    report.median("a rare term, all four of it", needle, "ms", 50)
    absent, answer = ask(20, "search_logs", query="xyzzy never written", limit=10)
    report.median("a term that is nowhere", absent, "ms", 50, f"{answer['scanned_bytes'] / 1e6:.0f} MB looked at")
    common, answer = ask(20, "search_logs", query="GET", limit=100, max_line_chars=20)
    report.median("a common term, the newest 100", common, "ms", 10, f"{len(answer['matches'])} in the answer")
    ask(1, "search_logs", query="[x-z]{4}[0-9]q", mode="regex")
    regex, answer = ask(3, "search_logs", query="[x-z]{4}[0-9]q", mode="regex", case_sensitive=True)
    speed = answer["scanned_bytes"] / (statistics.median(regex) / 1e3) / 1e9
    ok = "ok" if speed >= 0.5 else "BELOW"
    print(f"  {'an expression over everything, nothing skipped':<58} {'>= 0.5 GB/s':>12}  {speed:>9.3f} GB/s  {ok}  "
          f"{answer['scanned_bytes'] / 1e9:.2f} GB, total exact: {answer['total_exact']}")  # fmt: skip
    report.rows.append({"what": "regex", "target": 0.5, "measured": round(speed, 3), "unit": "GB/s", "ok": speed >= 0.5})
    pages = []
    for number in range(200):
        cursor = f"1.{chance.randrange(each)}"
        taken, answer = ask(1, "get_logs", process=f"pour-{number % 4}", cursor=cursor, order="asc", limit=100, max_line_chars=80)
        pages += taken
        if answer["count"] < 80:
            raise Mismatch(f"a page of {answer['count']} lines")
    report.median("get_logs of 100 lines, anywhere", pages, "ms", 5)
    summary, answer = ask(3, "search_logs", query="", process="pour-1", summarize=True)
    told = sum(template["count"] for template in answer["templates"])
    report.median("summarize", summary, "ms", note=f"{told:,} lines in {len(answer['templates'])} templates")


def large(report, world, args):
    with world.daemon("large") as daemon:
        engine, memory = Engine(world), Memory(daemon)
        try:
            raw = fill(report, world, engine, args.lines)
            disk(report, world, raw)
            queries(report, engine.client, args.lines, raw)
        finally:
            most = memory.stop()
        report.section("Memory of the daemon in all of this")
        report.row("private, most", most, "MiB", 150)
        engine.client.close()


def chance_only(report, world, lines):
    """Lines that cannot be packed well, shown apart: 72 hexadecimal digits are 36 bytes, whatever packs them."""
    with world.daemon("chance"):
        engine = Engine(world)
        path = world.dir / "corpus-chance"
        corpus.write(path, corpus.hashes, ROUND)
        pour = Pour(world, path, lines, "block", 0, LAST)
        engine.pour([pour])
        text, stored, events = sealed(world)["pour-0"]
        report.row("not typical: lines that are mostly digests", 100 * (stored + events) / text, "%")
        engine.client.close()


def arguments():
    parser = parser_of("Measures the log engine of hostler, and others beside it.")
    parser.add_argument("--peers", type=Path, default=HERE.parents[1] / "target/peers", help="where install.sh put them")
    parser.add_argument("--lines", type=int, default=10_000_000, help="of the large store (default ten millions)")
    parser.add_argument("--pour", type=int, default=2_000_000, help="of one process at full speed (default two millions)")
    parser.add_argument("--only", choices=["one", "fifty", "line", "latency", "large"], action="append", help="parts of it")
    parser.add_argument("--each", type=int, default=20_000, help="of each of fifty processes (default 20,000)")
    parser.add_argument("--line", type=int, default=HUGE, help="bytes of the longest line (default a gibibyte)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to a file")
    args = parser.parse_args()
    if args.lines % (4 * ROUND):
        parser.error(f"--lines is a multiple of {4 * ROUND}")
    args.peers = args.peers.absolute()
    return args


def main():
    args, begun = arguments(), time.monotonic()
    report, world = Report(), World(args.hostler)
    try:
        if not world.compile("pour"):
            raise Mismatch("pour.c cannot be compiled")
        world.child = [str(world.dir / "pour")]
        print(f"{os.cpu_count()} CPUs, {filesystem(str(world.dir))} at {world.dir.parent}, load {load()}")
        args.corpus = world.dir / "hundred"
        corpus.write(args.corpus, corpus.hundred, CORPUS)
        parts = args.only or ["one", "fifty", "line", "latency", "large"]
        args.others = log_peers.others(args.peers) if {"one", "fifty"} & set(parts) else {}
        one = fifty = None
        if "one" in parts:
            one = rates(report, world, args, f"One process, {args.pour:,} lines of 100 bytes", 1, args.pour)
        if "fifty" in parts:
            fifty = rates(report, world, args, f"50 processes, {args.each:,} lines each", 50, args.each)
        if one and fifty:
            beside_one(report, fifty, one)
        if "line" in parts:
            one_line(report, world, args.line)
        if "latency" in parts:
            latency(report, world, 1000, 3000)
        if "large" in parts:
            large(report, world, args)
            chance_only(report, world, min(args.lines // 10, 1_000_000))
        print(f"load at the end {load()}, {(time.monotonic() - begun) / 60:.1f} minutes")
        if args.json:
            args.json.write_text(json.dumps(report.rows, indent=1) + "\n")
    finally:
        world.remove()
    return report.verdict(args)


if __name__ == "__main__":
    sys.exit(main())
