#!/usr/bin/env python3
"""Measures the foundation of hostler against its targets, in one run. See README.md beside this file.

Python 3.11 or later, nothing but the standard library; a C compiler if there is one. Everything happens in a
private HOSTLER_HOME below the directory for temporary files; nothing is left behind.
"""

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
from harness import (  # noqa: E402, beside this file
    PATIENCE, Bare, Client, Mismatch, Report, Stamps, World, context_switches, cpu_ns, cpu_ticks, filesystem, load,
    parser_of, private_kib, result_of, tool_call,
)  # fmt: skip


# ---- 1: start latency ----


def start_latency(world, report, count, warm_up, pause):
    report.section(
        "1. Start: the call is written to the socket -> the child's first instruction"
        + ("" if world.compiled else " (no C compiler: Python children; the targets do not apply)")
    )
    client, stamps, bare = Client(world), Stamps(world.fifo), Bare(world)
    arguments = {"command": world.child[0], "args": [*world.child[1:], str(world.fifo)]}
    latencies = {"new": [], "known": [], "fork": [], "spawn": []}
    answers = {"new": [], "known": []}

    def supervised(case, number):
        name, more = (f"new-{number}", arguments) if case == "new" else ("known", {})
        begin, end, result = client.timed("start_process", name=name, wait_for="started", **more)
        latency = stamps.read(result["process"]["pid"]) - begin
        client.call("stop_process", process=name, remove=case == "new")
        answers[case].append((end - begin) / 1e6)
        return latency / 1e6

    cases = {
        "new": lambda number: supervised("new", number),
        "known": lambda number: supervised("known", number),
        "fork": lambda _: bare.start(b"f", stamps),
        "spawn": lambda _: bare.start(b"s", stamps),
    }
    result = client.call("start_process", name="known", wait_for="started", **arguments)
    stamps.read(result["process"]["pid"])
    client.call("stop_process", process="known")
    order = list(cases)
    for number in range(warm_up + count):
        for case in order:
            time.sleep(pause)
            latencies[case].append(cases[case](number))
        order.append(order.pop(0))
    bare.close()
    client.close()
    latencies, answers = ({c: s[warm_up:] for c, s in d.items()} for d in (latencies, answers))

    limit = (lambda target: target) if world.compiled else (lambda _: None)
    titles = {"new": "new name", "known": "known name"}
    report.median("bare fork + execve", latencies["fork"], "ms")
    report.median("bare posix_spawn", latencies["spawn"], "ms")
    for case, title in titles.items():
        report.median(f"start_process, {title}", latencies[case], "ms", limit(4))
    for case, title in titles.items():
        middle = statistics.median(latencies[case])
        for way, loop in (("fork", "fork + execve"), ("spawn", "posix_spawn")):
            ratio = middle / statistics.median(latencies[way])
            report.row(f"start_process, {title}: p50 / p50 of bare {loop}", ratio, "x", limit(3))
    for case, title in titles.items():
        report.median(f"start_process, {title}, until the answer", answers[case], "ms")


# ---- 8: replacement ----


def replacement(world, report, count, warm_up, pause):
    report.section("8. Replacement, zero backoff: SIGKILL is sent -> the next child's first instruction")
    client, stamps, bare = Client(world), Stamps(world.fifo), Bare(world)
    # Never a crash loop: the window is shorter than a pause.
    policy = {"policy": "always", "backoff_initial_ms": 0, "window_ms": 1, "max_restarts": 1000}
    result = client.call(
        "start_process", name="web", command=world.child[0], args=[*world.child[1:], str(world.fifo)],
        restart=policy, wait_for="started",
    )  # fmt: skip
    pid, taken = result["process"]["pid"], {"hostler": [], "bare": []}
    stamps.read(pid)
    bare.replace(stamps)
    for _ in range(warm_up + count):
        time.sleep(pause)
        taken["bare"].append(bare.replace(stamps))
        time.sleep(pause)
        begin = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        at, pid = stamps.next()
        taken["hostler"].append((at - begin) / 1e6)
    bare.close()
    info = client.call("get_process_info", process="web", runs=1)["process"]
    if info["pid"] != pid or info["restarts"] != warm_up + count:
        raise Mismatch(f"after {warm_up + count} kills: {info}")
    client.call("kill_process", process="web")
    client.close()
    hostler, floor = (taken[who][warm_up:] for who in ("hostler", "bare"))
    report.median("bare kill + wait + posix_spawn", floor, "ms")
    report.median("hostler", hostler, "ms", 1.5 if world.compiled else None)
    report.row("hostler: p50 / p50 of bare", statistics.median(hostler) / statistics.median(floor), "x")


# ---- 2, 3, 6: many processes ----


def in_parallel(world, connections, count, work):
    """Does `work(client, number)` for each number over some connections; when it began, and how long it took, ms."""
    clients = [Client(world) for _ in range(connections)]
    for client in clients:
        client.call("list_processes", limit=1)
    failures, gate = [], threading.Barrier(connections + 1)

    def serve(at):
        gate.wait()
        try:
            for number in range(at, count, connections):
                work(clients[at], number)
        except Exception as error:  # told by the caller, in its thread
            failures.append(error)

    threads = [threading.Thread(target=serve, args=(at,)) for at in range(connections)]
    for thread in threads:
        thread.start()
    gate.wait()
    begin = time.monotonic_ns()
    for thread in threads:
        thread.join()
    elapsed = (time.monotonic_ns() - begin) / 1e6
    for client in clients:
        client.close()
    if failures:
        raise failures[0]
    return begin, elapsed


def start_many(world, stamps, count, connections):
    """From the first call to the last child's first act, and to the last answer, ms."""
    child = {"command": world.child[0], "args": [*world.child[1:], str(world.fifo)]}
    start = lambda client, n: client.call("start_process", name=f"many-{n}", wait_for="started", **child)
    begin, answered = in_parallel(world, connections, count, start)
    return (stamps.last_of(count) - begin) / 1e6, answered


def many_processes(world, report, daemon, count, connections=8):
    report.section(f"6. {count} processes over {connections} connections")
    stamps, bare = Stamps(world.fifo), Bare(world)
    report.row("bare posix_spawn, until the last has begun", floor := bare.many(count, stamps), "ms")
    bare.close()
    begun, started = start_many(world, stamps, count, connections)
    client = Client(world)
    running = client.call("list_processes", status="running", limit=500)["processes"]
    if len(running) != count:
        raise Mismatch(f"{len(running)} of {count} processes run")
    limit = 250 if world.compiled and count == 200 else None
    report.row("start all, until the last has begun", begun, "ms", limit, note=f"{begun / count:.2f} ms each")
    report.row("the same / bare", begun / floor, "x")
    report.row("start all, until all is answered", started, "ms")
    # Lists are measured once the daemon has taken in what the processes wrote.
    time.sleep(1)
    report.section(f"2. list_processes with {count} processes, over the socket")
    list_latency(report, client, count)
    client.close()
    report.section(f"3. hostler ps, a whole process, with {count} processes")
    ps_latency(world, report, count)
    whole, anonymous = private_kib(daemon)
    report.section(f"6. {count} processes over {connections} connections, continued")
    note = f"{anonymous / 1024:.1f} anonymous"
    report.row(f"daemon with {count} idle children, private", whole / 1024, "MiB", note=note)
    _, stopped = in_parallel(world, connections, count, lambda c, n: c.call("stop_process", process=f"many-{n}"))
    report.row("stop all, until all have ended", stopped, "ms", note=f"{stopped / count:.2f} ms each")


def list_latency(report, client, count, calls=100, warm_up=10):
    samples, sizes = {"concise": [], "full": []}, {}
    for number in range(warm_up + calls):
        for detail in samples:
            begin, end, line = client.exchange(tool_call(number + 1, "list_processes", detail=detail, limit=500))
            samples[detail].append((end - begin) / 1e6)
            sizes[detail] = len(line)
    if len(result_of(line)["processes"]) != count:
        raise Mismatch("the list is not complete")
    for detail, taken in samples.items():
        report.median(f"list_processes, {detail}", taken[warm_up:], "ms", 5, f"answer {sizes[detail] / 1024:.0f} KiB")


def ps_latency(world, report, count, runs=30, warm_up=3):
    if len(world.command("ps").splitlines()) < count:
        raise Mismatch("ps does not show all processes")
    samples = {"ps": [], "--version": []}
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    env = world.environment()
    before = os.getcwd()
    os.chdir(world.project)
    for _ in range(warm_up + runs):
        for argument, taken in samples.items():
            begin = time.monotonic_ns()
            redirect = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in range(3)]
            pid = os.posix_spawn(world.hostler, [str(world.hostler), argument], env, file_actions=redirect)
            _, status = os.waitpid(pid, 0)
            taken.append((time.monotonic_ns() - begin) / 1e6)
            if status != 0:
                raise Mismatch(f"hostler {argument} failed")
    os.chdir(before)
    os.close(null)
    report.median(f"hostler ps with {count}", samples["ps"][warm_up:], "ms", 30)
    report.median(f"hostler --version meanwhile, with {count}", samples["--version"][warm_up:], "ms")


# ---- 4, 5: at rest ----


def at_rest(world, report, daemon, count, seconds):
    report.section(f"4. Memory with {count} idle children (Private_Clean + Private_Dirty)")
    client = Client(world)
    fresh, fresh_anonymous = private_kib(daemon)
    for number in range(count):
        world.idle(client, f"idle-{number}")
    client.close()
    time.sleep(3)  # what is only needed around a start is given back by then
    whole, anonymous = private_kib(daemon)
    busy, every = world.shims()
    if len(busy) != count:
        raise Mismatch(f"{len(busy)} shims for {count} processes")
    shims = [private_kib(pid)[0] / 1024 for pid in busy]
    report.row("daemon, private", whole / 1024, "MiB", 30, note=f"{anonymous / 1024:.1f} anonymous")
    report.row("daemon before the first start", fresh / 1024, "MiB", note=f"{fresh_anonymous / 1024:.1f} anonymous")
    report.median("a shim, private", shims, "MiB", 0.25)
    report.row("daemon and all shims, private", whole / 1024 + sum(shims), "MiB")

    report.section(f"5. At rest: CPU over {seconds:g} s with {count} idle children, percent of one core")

    def look():
        pids = [daemon, *every]
        return time.monotonic(), [(cpu_ns(p), cpu_ticks(p), context_switches(p)) for p in pids]

    begin, before = look()
    time.sleep(seconds)
    end, after = look()
    spent = [[a - b for a, b in zip(late, early)] for late, early in zip(after, before)]
    hertz = os.sysconf("SC_CLK_TCK")
    share = [ns / (end - begin) / 1e7 for ns, _, _ in spent]
    ticks = sum(t for _, t, _ in spent)
    wakes = [c / (end - begin) for _, _, c in spent]
    by_ticks = 100 * ticks / hertz / (end - begin)
    report.row("daemon and shims, by their CPU clocks", sum(share), "%", 0.2, note=f"by clock ticks {by_ticks:.2f} %")
    report.row("of it the daemon", share[0], "%", note=f"{wakes[0]:.2f} context switches/s")
    report.row("of it all shims", sum(share[1:]), "%", note=f"{sum(wakes[1:]):.2f} context switches/s")


# ---- 7: hostler mcp ----


def mcp(world, report, runs=30, warm_up=3):
    report.section("7. hostler mcp with a running daemon")
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    initialize = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode() + b"\n"
    follow = tool_call(2, "tail_logs", process="one", follow=True, wait_ms=30_000)
    first = {"initialize": initialize, "a tool call without handshake": tool_call(1, "list_processes")}
    answered, ended = {name: [] for name in first}, {False: [], True: []}
    for number in range(warm_up + runs):
        for name, request in first.items():
            waiting = name != "initialize"
            answer, end = mcp_session(world, request, follow if waiting else None)
            answered[name].append(answer)
            ended[waiting].append(end)
    for name, samples in answered.items():
        report.median(f"exec -> answer to {name}", samples[warm_up:], "ms")
    report.median("end of stdin -> exit", ended[False][warm_up:], "ms", 200)
    report.median("the same while a call waits, which is answered", ended[True][warm_up:], "ms", 200)


def mcp_session(world, request, waiting):
    begin = time.monotonic_ns()
    process = subprocess.Popen(
        [world.hostler, "mcp"], cwd=world.project, env=world.environment(), bufsize=0,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        process.stdin.write(request)
        line = read_line(process.stdout)
        answered = (time.monotonic_ns() - begin) / 1e6
        if "result" not in json.loads(line):
            raise Mismatch(f"hostler mcp answered {line[:300]!r}")
        if waiting:
            process.stdin.write(waiting)
            time.sleep(0.05)
        # An answer may be large: somebody has to read it while the end is waited for.
        rest = []
        reader = threading.Thread(target=lambda: rest.append(process.stdout.read()))
        reader.start()
        begin = time.monotonic_ns()
        process.stdin.close()
        process.wait(PATIENCE)
        ended = (time.monotonic_ns() - begin) / 1e6
        reader.join()
        if process.returncode != 0 or (waiting and b'"id":2' not in rest[0]):
            raise Mismatch(f"hostler mcp ended with {process.returncode} and {rest[0][:300]!r}")
        return answered, ended
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def read_line(pipe):
    parts = []
    while not parts or not parts[-1].endswith(b"\n"):
        part = os.read(pipe.fileno(), 1 << 16)
        if not part:
            raise Mismatch("hostler mcp ended without an answer")
        parts.append(part)
    return b"".join(parts)


# ---- all of it ----


def main():
    parser = parser_of("Measures the foundation of hostler against its targets.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to a file")
    parser.add_argument("--starts", type=int, default=200, help="samples of each kind of start (default 200)")
    parser.add_argument("--pause-ms", type=float, default=20, help="pause before each start (default 20)")
    parser.add_argument("--seconds", type=float, default=20, help="length of the measurement at rest (default 20)")
    parser.add_argument("--idle", type=int, default=50, help="idle children for memory and rest (default 50)")
    parser.add_argument("--many", type=int, default=200, help="for lists and mass starts (default 200, at most 500)")
    args = parser.parse_args()
    if not args.hostler.is_file():
        parser.error(f"{args.hostler} does not exist; build it with: cargo build --release")
    if not (args.starts > 0 and args.seconds > 0 and 0 < args.idle <= 500 and 0 < args.many <= 500):
        parser.error("numbers must be positive, and processes at most 500")
    # A termination cleans up as an interruption does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    report, world = Report(), World(args.hostler)
    machine = {
        "cpus": os.cpu_count(), "kernel": platform.release(), "filesystem": filesystem(str(world.dir)),
        "child": "C, static" if world.compiled else "Python", "load_before": load(),
    }  # fmt: skip
    try:
        print(f"{world_version(world)}; " + ", ".join(f"{name} {value}" for name, value in machine.items()))
        with world.daemon("one") as daemon:
            start_latency(world, report, args.starts, min(20, args.starts), args.pause_ms / 1000)
            whole, anonymous = private_kib(daemon)
            starts, note = 2 * (args.starts + min(20, args.starts)), f"{anonymous / 1024:.1f} anonymous"
            report.row(f"daemon after {starts} starts, private", whole / 1024, "MiB", note=note)
        with world.daemon("two"):
            client = Client(world)
            world.idle(client, "one")
            client.close()
            report.section("3. hostler ps, a whole process, with 1 process")
            ps_latency(world, report, 1)
            mcp(world, report)
        with world.daemon("three") as daemon:
            at_rest(world, report, daemon, args.idle, args.seconds)
        with world.daemon("four") as daemon:
            many_processes(world, report, daemon, args.many)
        with world.daemon("five"):
            replacement(world, report, args.starts, min(20, args.starts), args.pause_ms / 1000)
    except Mismatch as mismatch:
        sys.exit(f"the measurement is void: {mismatch}")
    finally:
        world.remove()
    machine["load_after"] = load()
    print(f"\nload average before {machine['load_before']}, after {machine['load_after']}")
    if args.json:
        args.json.write_text(json.dumps({"machine": machine, "rows": report.rows}, indent=1) + "\n")
    return report.verdict(args)


def world_version(world):
    return subprocess.run([world.hostler, "--version"], capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
