#!/usr/bin/env python3
"""What happens to processes, output and exit codes when a supervisor is killed with -9. See README.md beside this file.

Python 3.11 or later, nothing but the standard library, and a C compiler. Everything happens in private directories for
temporary files; nothing is left behind.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

sys.dont_write_bytecode = True
import processes  # noqa: E402, beside this file
from scenario import Scenario  # noqa: E402
from supervisors import ALL  # noqa: E402

HERE = Path(__file__).resolve().parent
NONE = "–"


# ---- the table ----


def share(few, of):
    return f"{few}/{of}" if of else NONE


def left(kinds):
    return " + ".join(share(*kinds.get(kind, (0, 0))) for kind in ("child", "daemon"))


COLUMNS = {
    "kept pid": lambda f: share(f.kept, f.kept_of),
    "doubled workers": lambda f: share(len(f.doubled), f.workers),
    "orphans": lambda f: len(f.orphans),
    "not back": lambda f: share(len(f.down), f.workers),
    "lines written": lambda f: f.lines.written,
    "lost": lambda f: f.lines.lost,
    "doubled": lambda f: f.lines.doubled,
    "out of order": lambda f: f.lines.disordered,
    "damaged": lambda f: f.lines.damaged,
    "refused": lambda f: f.lines.refused,
    "longest write, ms": lambda f: f"{f.longest_write_ms:.0f}",
    "codes, calm": lambda f: share(f.codes_calm, f.codes_of),
    "codes, dead": lambda f: share(f.codes_dead, f.codes_of),
    "ended, run again": lambda f: share(f.run_again, f.codes_of),
    "stopped, run again": lambda f: share(int(f.stopped_again), 1),
    "left by stop, calm": lambda f: left(f.left_calm),
    "left by stop, after": lambda f: left(f.left_after),
}


def row(cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def table(results):
    head = ["supervisor", "killed", *COLUMNS]
    lines = [row(head), row(["---"] * 2 + ["---:"] * len(COLUMNS))]
    for version, killed, figures in results:
        cells = [NONE] * len(COLUMNS) if figures is None else [cell(figures) for cell in COLUMNS.values()]
        lines.append(row([version, killed, *cells]))
    return "\n".join(lines)


# ---- worlds ----


@contextmanager
def world():
    """A private directory, and in the end nobody who lives in it."""
    directory = Path(tempfile.mkdtemp(prefix="hostler-peers-")).resolve()
    try:
        yield directory
    finally:
        # A second interruption must not leave processes behind.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            processes.end_all(directory)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            for number, handler in before.items():
                signal.signal(number, handler)


def compile_worker(directory):
    program = directory / "worker"
    compiler = os.environ.get("CC", "cc")
    for link in (["-static"], []):  # a system without a static libc links as it can
        command = [compiler, "-O2", *link, "-o", str(program), str(HERE / "worker.c")]
        if subprocess.run(command, capture_output=bool(link)).returncode == 0:
            return program
    sys.exit("the worker cannot be compiled")


def ways_to_die(kind):
    """The daemon, each kind of helper, and daemon and helpers in one go."""
    return [("daemon",), *((helper,) for helper in kind.helpers), *(("daemon", h) for h in kind.helpers[:1])]


def title(kind, targets):
    return " and ".join(kind.daemon if target == "daemon" else target for target in targets)


def measure(kind, targets, args):
    def say(text):
        print(f"  {kind.name}, {title(kind, targets)}: {text}", file=sys.stderr, flush=True)

    with world() as directory:
        truths = directory / "truth"
        truths.mkdir()
        supervisor = kind(args, directory / "home", directory)
        scenario = Scenario(
            supervisor, compile_worker(directory), truths, targets, args.seed, args.rounds, args.workers, say
        )
        begin = time.monotonic()
        figures = scenario.play()
        for example in figures.lines.examples:
            say(example)
        say(f"took {time.monotonic() - begin:.0f} s")
        return figures


# ---- all of it ----


def arguments():
    parser = argparse.ArgumentParser(description="Compares what supervisors do when they are killed with -9.")
    parser.add_argument("--hostler", type=Path, help="the program of hostler")
    default = HERE.parents[1] / "target/peers"
    parser.add_argument("--peers", type=Path, default=default, help="where install.sh put the peers (target/peers)")
    parser.add_argument("--only", help=f"some of them, with commas between: {','.join(ALL)}")
    parser.add_argument("--seed", default="1", help="for victims, moments and codes (default 1)")
    parser.add_argument("--rounds", type=int, default=4, help="kills in each scenario (default 4, at most 20)")
    parser.add_argument("--workers", type=int, default=10, help="default 10, from 3 to 50")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to a file")
    args = parser.parse_args()
    chosen = args.only.split(",") if args.only else list(ALL)
    if unknown := set(chosen) - set(ALL):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if not (1 <= args.rounds <= 20 and 3 <= args.workers <= 50):
        parser.error("--rounds is from 1 to 20, --workers from 3 to 50")
    args.kinds = [ALL[name] for name in chosen]
    args.peers = args.peers.absolute()
    return args


def main():
    args = arguments()
    # A termination cleans up as an interruption does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results, records, failed = [], [], False
    for kind in args.kinds:
        if why := kind.missing(args):
            print(f"  {kind.name} is left out: {why}", file=sys.stderr)
            continue
        version = kind.version(args)
        for targets in ways_to_die(kind):
            record = {"supervisor": kind.name, "version": version, "killed": title(kind, targets)}
            try:
                figures = measure(kind, targets, args)
            except Exception as error:  # the others are measured all the same
                failed = True
                print(f"  {kind.name}, {record['killed']}: void: {error!r}", file=sys.stderr)
                records.append(record | {"void": repr(error)})
                continue
            results.append((version, record["killed"], figures))
            records.append(record | figures.plain())
        if not kind.helpers:
            results.append((version, "(it has no helpers)", None))
    machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    print(f"seed {args.seed}, {args.rounds} rounds, {args.workers} workers and one with descendants")
    print(f"{machine['cpus']} CPUs, Linux {machine['kernel']}, load {os.getloadavg()[0]:.2f}\n")
    print(table(results))
    if args.json:
        settings = {"seed": args.seed, "rounds": args.rounds, "workers": args.workers}
        whole = {"settings": settings, "machine": machine, "results": records}
        args.json.write_text(json.dumps(whole, indent=1) + "\n")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
