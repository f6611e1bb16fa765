#!/usr/bin/env python3
"""Measures what health checks cost the daemon beside their own I/O. See README.md beside this file."""

import json
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import PATIENCE, Client, Mismatch, Report, World, cpu_ns, parser_of  # noqa: E402, beside this file


class Server:
    """Answers health checks, and makes the same requests bare."""

    def __init__(self, world):
        if not world.compile("http"):
            raise Mismatch("this needs a C compiler (`cc`, or what CC names)")
        self.program = str(world.dir / "http")

    def __enter__(self):
        self.process = subprocess.Popen([self.program, "serve"], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def bare(self, rate, seconds):
        """CPU of one request made bare, nanoseconds."""
        command = [self.program, "ask", str(self.port), str(rate), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + PATIENCE, check=True)
        answered, cpu = map(int, done.stdout.split())
        if answered != rate * seconds:
            raise Mismatch(f"{answered} of {rate * seconds} bare requests were answered")
        return cpu / answered


def start_all(world, client, count, interval_ms, url):
    check = {"plugin": "http", "config": {"url": url}, "interval_ms": interval_ms}
    for number in range(count):
        world.idle(client, f"idle-{number}", health=[check])


def pause_all(client, count, paused):
    for number in range(count):
        client.call("check_process_health", process=f"idle-{number}", pause=paused)


def checks_made(world):
    plugins = json.loads(world.command("plugin", "list", "--json"))["plugins"]
    return sum(plugin["items"] for plugin in plugins if plugin["name"] == "http")


def measure(world, daemon, seconds):
    """CPU of the daemon in percent of a core, and checks a second."""
    before = checks_made(world)
    begin, cpu = time.monotonic(), cpu_ns(daemon)
    time.sleep(seconds)
    cpu, passed = cpu_ns(daemon) - cpu, time.monotonic() - begin
    return cpu / passed / 1e7, (checks_made(world) - before) / passed


def all_healthy(client, count):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        page = client.call("list_processes", limit=500)["processes"]
        if sum(process.get("health") == "healthy" for process in page) == count:
            return
        time.sleep(0.2)
    raise Mismatch("not all are healthy")


def main():
    parser = parser_of("Measures what health checks cost the daemon.")
    parser.add_argument("--count", type=int, default=200, help="processes with a check each")
    parser.add_argument("--interval-ms", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20, help="length of each of the three measurements")
    args = parser.parse_args()
    report, world = Report(), World(args.hostler)
    try:
        with Server(world) as server, world.daemon("checks") as daemon:
            client = Client(world)
            start_all(world, client, args.count, args.interval_ms, f"http://127.0.0.1:{server.port}/health")
            all_healthy(client, args.count)
            report.section(f"{args.count} processes, an HTTP check of each every {args.interval_ms} ms")
            pause_all(client, args.count, True)
            time.sleep(10)  # what the starts brought about is over, parsers compiled
            idle, late = measure(world, daemon, args.seconds)
            if late > 0:
                raise Mismatch(f"{late} checks a second while all are paused")
            pause_all(client, args.count, False)
            time.sleep(2)
            busy, rate = measure(world, daemon, args.seconds)
            bare_ns = server.bare(max(1, round(rate)), args.seconds)
            bare = bare_ns * rate / 1e7
            report.row("checks made", rate, "/s")
            report.row("daemon, while they are made", busy, "% of a core")
            report.row("daemon, while they are paused", idle, "% of a core")
            report.row("the same requests made bare", bare, "% of a core", note=f"{bare_ns / 1000:.0f} us each")
            over = busy - idle - bare
            # The target is for 200 a second.
            report.row("beside their own I/O", over, "% of a core", 10 * rate / 200, note=f"{over / rate * 1e4:.0f} us each")
            client.close()
    finally:
        world.remove()
    return report.verdict(args)


if __name__ == "__main__":
    sys.exit(main())
