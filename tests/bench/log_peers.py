"""What others do with the same output: supervisors that copy it into files, and the bare `writer | cat > file`."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from harness import HERE, Mismatch

PEERS = HERE.parent / "peers"
sys.path.append(str(PEERS))
from supervisors import ALL  # noqa: E402, beside this directory
from supervisors.base import Job, Trouble  # noqa: E402

PATIENCE = 300.0  # seconds until all lines of a run must be there
PATIENCE_WITH_OTHERS = 120.0  # the same for who is measured beside: several times what the slowest of them needs
SUPERVISORS = ["supervisor", "pm2"]


class Pour:
    """One run of the program that writes: its command, and when it began."""

    def __init__(self, world, corpus, lines, how, number=0, last=None):
        self.stamp = world.dir / f"stamp-{number}"
        self.stamp.unlink(missing_ok=True)
        self.lines = lines
        self.size = corpus.stat().st_size * lines // count(corpus) + (len(last) + 1 if last else 0)
        self.command = [str(world.dir / "pour"), str(corpus), str(lines), how, str(self.stamp), *([last] if last else [])]

    def times(self):
        """When it began and ended, by the monotonic clock in seconds; None while it runs."""
        try:
            begin, end = self.stamp.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(begin) / 1e9, int(end) / 1e9


def count(corpus):
    """The lines of a corpus. What is poured is whole rounds of it, or lines of the same length, so that its bytes are known."""
    with open(corpus, "rb") as file:
        return sum(1 for _ in file)


def seconds(pours, size_of):
    """From the first line of the first to the last byte of all in the logs."""
    deadline = time.monotonic() + PATIENCE_WITH_OTHERS
    wanted = sum(pour.size for pour in pours)
    while size_of() < wanted:
        if time.monotonic() > deadline:
            raise Mismatch(f"{wanted - size_of()} of {wanted} bytes are missing in the logs")
        time.sleep(0.002)
    done = time.monotonic()
    while any(pour.times() is None for pour in pours):
        time.sleep(0.002)
    return done - min(pour.times()[0] for pour in pours)


def floor(world, pours):
    """Each writer has a `cat` of its own."""
    files = [world.dir / f"floor-{at}.log" for at in range(len(pours))]
    shells = [
        subprocess.Popen(["sh", "-c", '"$@" | cat >"$0"', str(file), *pour.command])
        for file, pour in zip(files, pours)
    ]
    taken = seconds(pours, lambda: sizes(files))
    for shell in shells:
        shell.wait()
    for file in files:
        file.unlink()
    return taken


def sizes(files):
    return sum(file.stat().st_size for file in files if file.exists())


def supervised(name, peers, world, pours):
    """One of the supervisors that tests/peers knows."""
    tools = SimpleNamespace(peers=peers, hostler=None)
    home = world.dir / f"home-{name}"
    supervisor = ALL[name](tools, home, world.dir)
    # supervisord and pm2 start what is to be kept, and that ends after it has written: it is not started again in time.
    jobs = [Job(f"pour-{at}", pour.command, False) for at, pour in enumerate(pours)]
    try:
        supervisor.declare(jobs)
        if name == "supervisor":
            supervisor.revive()
            # It calls an abnormal termination what ended before it looked; that all was written is seen in the logs.
            supervisor.control("start", "all", check=False)
        else:
            supervisor.start(jobs)
        return seconds(pours, lambda: sum(sizes(supervisor.log_files(job.name)) for job in jobs))
    finally:
        with contextlib.suppress(Exception):
            supervisor.end()
        shutil.rmtree(home, ignore_errors=True)


def others(peers):
    """By name, the version of each that can be measured here, and how; of the rest it says why they cannot."""
    tools = SimpleNamespace(peers=peers, hostler=None)
    found = {}
    for name in SUPERVISORS:
        if why := ALL[name].missing(tools):
            print(f"{name} is not measured: {why}")
            continue
        found[name] = ALL[name].version(tools), lambda *rest, name=name: supervised(name, *rest)
    if version := s6_version(peers):
        found["s6"] = version, s6
    else:
        print("s6 is not measured: install.sh has none where there is no apt")
    if program := shutil.which("pitchfork"):
        found["pitchfork"] = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip(), pitchfork
    else:
        print("pitchfork is not measured: there is none on the PATH (cargo install pitchfork-cli takes some minutes)")
    return found


S6_LOG_RUN = "#!/bin/sh\nexec s6-log n100000 s16777215 {directory}\n"


def s6_version(peers):
    wish = peers / "s6/wish"
    return f"s6 {wish.read_text().strip()}" if wish.is_file() else None


def s6(peers, world, pours):
    """An s6-supervise for each writer and one for its s6-log, with a pipe between them: what s6-svscan does, which in Debian's
    package finds its programs nowhere but in /usr/bin."""
    root = peers / "s6"
    libraries = ":".join(str(path) for path in sorted({file.parent for file in root.rglob("lib*.so*")}))
    env = os.environ | {"PATH": f"{root}/usr/bin:{root}/bin:{os.environ['PATH']}", "LD_LIBRARY_PATH": libraries}
    home = world.dir / "home-s6"
    logs = [home / f"logs-{at}" for at in range(len(pours))]
    supervising = []
    for at, (pour, log) in enumerate(zip(pours, logs)):
        service = home / "scan" / f"pour-{at}"
        (service / "log").mkdir(parents=True)
        script(service / "run", "#!/bin/sh\nexec " + " ".join(pour.command) + "\n")
        script(service / "finish", "#!/bin/sh\nexit 125\n")  # it is not to be started again
        script(service / "log/run", S6_LOG_RUN.format(directory=log))
    try:
        for at in range(len(pours)):
            service = home / "scan" / f"pour-{at}"
            reads, writes = os.pipe()
            for directory, end in ((service / "log", {"stdin": reads}), (service, {"stdout": writes})):
                supervising.append(subprocess.Popen(["s6-supervise", str(directory)], env=env, cwd=home, **end))
            os.close(reads)
            os.close(writes)
        return seconds(pours, lambda: sum(sizes(list(log.glob("[@c]*"))) for log in logs if log.exists()))
    finally:
        for process in supervising:
            process.send_signal(signal.SIGTERM)
        for process in supervising:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(home, ignore_errors=True)


def pitchfork(peers, world, pours):
    """Its supervisor with a daemon for each writer; it keeps each line as a row of SQLite, which are counted."""
    home = Path(tempfile.mkdtemp(prefix="pf-"))  # a socket has a short path
    project = home / "project"
    project.mkdir()
    commands = [f"[daemons.pour-{at}]\nrun = {json.dumps(' '.join(pour.command))}\n" for at, pour in enumerate(pours)]
    (project / "pitchfork.toml").write_text("\n".join(commands))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PITCHFORK_")}
    env = kept | {"HOME": str(home), "PITCHFORK_STATE_DIR": str(home / "state"), "PITCHFORK_LOGS_DIR": str(home / "logs")}
    quiet = {"env": env, "cwd": project, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    wanted, starting = sum(pour.lines for pour in pours), None
    try:
        subprocess.run(["pitchfork", "supervisor", "start"], check=True, timeout=30, **quiet)
        # It waits until all are ready, which is longer than they write.
        starting = subprocess.Popen(["pitchfork", "start", "--all"], **quiet)
        return seconds(pours, lambda: 0 if rows(home / "logs/logs.db") < wanted else sum(pour.size for pour in pours))
    except (OSError, subprocess.SubprocessError) as why:
        raise Trouble(f"pitchfork: {why}") from None
    finally:
        with contextlib.suppress(Exception):
            subprocess.run(["pitchfork", "supervisor", "stop"], timeout=30, **quiet)
        if starting:
            starting.kill()
            starting.wait()
        shutil.rmtree(home, ignore_errors=True)


def rows(database):
    """How many lines pitchfork has; only those of its daemons are there, and none is removed."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute("SELECT coalesce(max(id), 0) FROM log_entries").fetchone()[0]
    except sqlite3.Error:
        return 0  # there is none yet


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
