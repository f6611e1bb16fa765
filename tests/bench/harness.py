"""What the benchmarks stand on: results, a private hostler with its programs, and what the kernel tells."""

import argparse
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTOCOL = "2026-07-28"
PATIENCE = 30.0  # seconds until something that should have happened has failed
RECORD = struct.Struct("=qq")  # time and pid, as the C programs write them

# The C programs of this directory in Python, for machines without a compiler. Slower by the start of an
# interpreter, in the same way on both sides of each comparison.
STAMP_PY = """
import time
now = time.monotonic_ns()
import os, signal, struct, sys
if sys.argv[1] == "-":
    os.write(1, b"at rest\\n")
else:
    fifo = os.open(sys.argv[1], os.O_WRONLY)
    os.write(fifo, struct.pack("=qq", now, os.getpid()))
while True:
    signal.pause()
"""
BARE_PY = """
import os, signal, struct, sys, time
command, pids = sys.argv[1:], []
def end_all():
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)
    pids.clear()
while order := os.read(0, 1):
    if order == b"k":
        end_all()
        os.write(1, b"k")
        continue
    count = struct.unpack("=I", os.read(0, 4))[0] if order == b"m" else 1
    now = time.monotonic_ns()
    if order == b"r":
        end_all()
    for _ in range(count):
        if order != b"f":
            pid = os.posix_spawn(command[0], command, os.environ)
        elif (pid := os.fork()) == 0:
            os.execv(command[0], command)
        pids.append(pid)
    os.write(1, struct.pack("=qq", now, pid))
end_all()
"""


# ---- results ----


def percentile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


class Report:
    """Rows of the table, printed as they come."""

    def __init__(self):
        self.rows = []

    def section(self, title):
        print(f"\n{title}  [load {load()}]")

    def row(self, what, measured, unit, target=None, samples=None, note=""):
        ok = None if target is None else measured <= target
        verdict = {None: "", True: "ok", False: "OVER"}[ok]
        wanted = "" if target is None else f"<= {target:g} {unit}"
        details = note
        if samples and len(samples) > 1:
            spread = f"p95 {percentile(samples, 0.95):.2f}, min {min(samples):.2f}, n {len(samples)}"
            details = f"{spread}; {note}" if note else spread
        print(f"  {what:<58} {wanted:>12}  {measured:>9.3f} {unit:<5} {verdict:<5} {details}", flush=True)
        self.rows.append(
            {"what": what, "target": target, "measured": round(measured, 4), "unit": unit, "ok": ok,
             "p95": round(percentile(samples, 0.95), 4) if samples else None,
             "min": round(min(samples), 4) if samples else None,
             "n": len(samples) if samples else None, "note": note}
        )  # fmt: skip

    def median(self, what, samples, unit, target=None, note=""):
        self.row(what, statistics.median(samples), unit, target, samples, note)

    def verdict(self, args):
        """Says which targets were missed; the status to end with, which is 0 unless `--strict` asks for more."""
        over = [row["what"] for row in self.rows if row["ok"] is False]
        print(f"\n{len(over)} over their targets" + (": " + "; ".join(over) if over else ""))
        return 1 if over and args.strict else 0


def parser_of(description):
    """A parser with what all programs here take."""
    parser = argparse.ArgumentParser(description=description)
    default = HERE.parents[1] / "target/release/hostler"
    parser.add_argument("--hostler", type=Path, default=default, help="the program (default: target/release/hostler)")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a target is missed")
    return parser


# ---- the daemon and its clients ----


class Mismatch(Exception):
    """Something was answered that makes the measurement void."""


def meta():
    return {
        "io.modelcontextprotocol/protocolVersion": PROTOCOL,
        "io.modelcontextprotocol/clientInfo": {"name": "hostler-bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }


def tool_call(number, tool, **arguments):
    params = {"name": tool, "arguments": arguments, "_meta": meta()}
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode() + b"\n"


def result_of(line):
    answer = json.loads(line)
    result = answer.get("result")
    if result is None or result.get("isError"):
        raise Mismatch(f"the daemon refused: {line[:500]!r}")
    return result["structuredContent"]


class Client:
    """A persistent connection to the daemon's socket."""

    def __init__(self, world):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(world.home / "daemon.sock"))
        preamble = {"hostler": 1, "cwd": str(world.project), "path": os.environ.get("PATH"), "client": "bench"}
        self.socket.sendall(json.dumps(preamble).encode() + b"\n")
        self.number = 0

    def exchange(self, message):
        """Sends a line; the times just before it was sent and after its answer was read, and the answer."""
        begin = time.monotonic_ns()
        self.socket.sendall(message)
        parts = []
        while not parts or not parts[-1].endswith(b"\n"):
            part = self.socket.recv(1 << 18)
            if not part:
                raise Mismatch("the daemon closed the connection")
            parts.append(part)
        return begin, time.monotonic_ns(), b"".join(parts)

    def timed(self, tool, **arguments):
        self.number += 1
        begin, end, line = self.exchange(tool_call(self.number, tool, **arguments))
        return begin, end, result_of(line)

    def call(self, tool, **arguments):
        return self.timed(tool, **arguments)[2]

    def close(self):
        self.socket.close()


class Stamps:
    """The FIFO into which the children write."""

    def __init__(self, path):
        # For both directions, so that it is never without a reader or a writer.
        self.fifo = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.poll = select.poll()
        self.poll.register(self.fifo, select.POLLIN)

    def next(self):
        """The next child that ran: when, and its pid."""
        if not self.poll.poll(PATIENCE * 1000):
            raise Mismatch("a started child did not run")
        return RECORD.unpack(os.read(self.fifo, RECORD.size))

    def read(self, pid):
        """The time at which the child of this pid ran."""
        at, stamped = self.next()
        if stamped != pid:
            raise Mismatch(f"waited for the stamp of {pid}, got that of {stamped}")
        return at

    def last_of(self, count):
        """The time at which the last of so many children ran."""
        return max(self.next()[0] for _ in range(count))


class Bare:
    """The loop without a supervisor."""

    def __init__(self, world):
        self.process = subprocess.Popen(
            [*world.bare, *world.child, str(world.fifo)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def order(self, order):
        """Gives an order; the time just before it was carried out, and the last pid."""
        self.process.stdin.write(order)
        return RECORD.unpack(self.process.stdout.read(RECORD.size))

    def end_all(self):
        self.process.stdin.write(b"k")
        self.process.stdout.read(1)

    def start(self, order, stamps):
        """From a start to the child's first act, ms; then the child ends."""
        begin, pid = self.order(order)
        latency = stamps.read(pid) - begin
        self.end_all()
        return latency / 1e6

    def replace(self, stamps):
        """From the SIGKILL of its child to the next one's first act, ms. The first one is started before."""
        begin, pid = self.order(b"r")
        return (stamps.read(pid) - begin) / 1e6

    def many(self, count, stamps):
        """From the first of so many starts to the last child's first act, ms."""
        begin, _ = self.order(b"m" + struct.pack("=I", count))
        latency = stamps.last_of(count) - begin
        self.end_all()
        return latency / 1e6

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(PATIENCE)


class World:
    """A temporary directory with the programs, and one home at a time with its daemon."""

    def __init__(self, hostler):
        # Links resolved: the policy compares real paths.
        self.dir = Path(tempfile.mkdtemp(prefix="hostler-bench-")).resolve()
        try:
            self.project = self.dir / "project"
            self.project.mkdir()
            # A copy: the original may be built anew meanwhile.
            self.hostler = Path(shutil.copy2(hostler, self.dir / "hostler"))
            self.compiled = self.compile("stamp") and self.compile("bare")
            self.fifo = self.dir / "fifo"
            os.mkfifo(self.fifo)
            if self.compiled:
                self.child, self.bare = [str(self.dir / "stamp")], [str(self.dir / "bare")]
            else:
                python = os.path.realpath(sys.executable)
                for name, text in (("stamp.py", STAMP_PY), ("bare.py", BARE_PY)):
                    (self.dir / name).write_text(text)
                self.child = [python, "-IS", str(self.dir / "stamp.py")]
                self.bare = [python, "-IS", str(self.dir / "bare.py")]
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise
        self.home = None
        self.variables = {}

    def compile(self, name):
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if not compiler:
            return False
        command = [compiler, "-O2", "-static", "-o", str(self.dir / name), str(HERE / f"{name}.c")]
        # A system without a static libc links as it can.
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return any(
            subprocess.run([a for a in command if a != dropped], **quiet).returncode == 0
            for dropped in (None, "-static")
        )

    def environment(self):
        env = {n: v for n, v in os.environ.items() if not n.startswith("HOSTLER_")}
        return env | {"HOSTLER_HOME": str(self.home)} | self.variables

    @contextlib.contextmanager
    def daemon(self, name):
        """A fresh home with a running daemon, which is ended with all its processes."""
        self.home = self.dir / name
        self.home.mkdir(mode=0o700)
        allow = json.dumps([self.child[0]])
        (self.home / "policy.toml").write_text(f"[commands]\nallow = {allow}\npath = false\nproject = false\n")
        try:
            self.command("daemon", "start")
            yield int(json.loads(self.command("daemon", "status", "--json"))["pid"])
        finally:
            self.end_home()

    def command(self, *args):
        done = subprocess.run(
            [self.hostler, *args], cwd=self.project, env=self.environment(), capture_output=True,
            text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            raise Mismatch(f"hostler {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def end_home(self):
        # In this order a normal end leaves nothing to be killed.
        with contextlib.suppress(Exception):
            client = Client(self)
            for process in client.call("list_processes", limit=500)["processes"]:
                if process["pid"]:
                    client.call("kill_process", process=process["id"])
            client.close()
        with contextlib.suppress(Exception):
            self.command("daemon", "stop")
        self.kill_rest()

    def kill_rest(self):
        """Kills whatever still runs a program of this directory. Nobody else has those."""
        deadline = time.monotonic() + 5
        while (rest := self.own_processes()) and time.monotonic() < deadline:
            # A shim that just wrote its last is about to end by itself.
            time.sleep(0.02)
        for pid in rest:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def own_processes(self):
        scripts = {f"{self.dir}/stamp.py", f"{self.dir}/bare.py"}
        return [
            pid for pid in all_pids() if is_below(executable(pid), self.dir) or scripts & set(command_line(pid))
        ]  # fmt: skip

    def shims(self):
        """The shims that have a process, and all of them: some are kept ready."""
        shims = [pid for pid in all_pids() if is_below(executable(pid), self.home / "bin")]
        return [pid for pid in shims if Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()], shims

    def idle(self, client, name, **wishes):
        """Starts a child that is at rest."""
        return client.call(
            "start_process", name=name, command=self.child[0], args=[*self.child[1:], "-"], wait_for="started", **wishes
        )

    def remove(self):
        self.kill_rest()
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- what the kernel tells ----


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def is_below(path, directory):
    return path.startswith(f"{directory}/")


def private_kib(pid):
    """What is private to a process, and how much of it is anonymous: the rest is its program file."""
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        fields[name] = int(value.split()[0])
    return fields["Private_Clean"] + fields["Private_Dirty"], fields["Anonymous"]


def cpu_ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def cpu_ns(pid):
    """CPU time of a process, ended threads included: its CPU clock, or the sum of its threads' schedstat."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return sum(int(p.read_text().split()[0]) for p in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def context_switches(pid):
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        total += sum(int(line.split()[1]) for line in status.read_text().splitlines() if "ctxt_switches" in line)
    return total


def filesystem(path):
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    fitting = [m for m in mounts if path == m[1] or path.startswith(m[1].rstrip("/") + "/")]
    return max(fitting, key=lambda m: len(m[1]))[2] if fitting else "unknown"


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())
