"""Processes as the kernel tells of them, and the certain end of all that belong to a world.

Everything that a comparison starts inherits MARK in its environment. Nothing is ever signalled by its name: a
process is opened as a pidfd, then looked at, then signalled through that.
"""

import os
import signal
import time
from pathlib import Path

MARK = "PEERS_WORLD"  # hostler passes no variable on whose name begins with its own


def started(pid):
    """When a process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_alive(pid, start):
    return pid > 0 and started(pid) == start


def parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def wait_until(condition, patience, pause=0.05):
    """What the condition came to: something true, or what it was in the end."""
    deadline = time.monotonic() + patience
    while not (result := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return result


def kill_hard(pid, patience=10):
    """SIGKILL, and waits until the process is gone (or a zombie that its parent may reap)."""
    start = started(pid)
    if start is None:
        return
    os.kill(pid, signal.SIGKILL)
    if not wait_until(lambda: not is_alive(pid, start), patience, 0.005):
        raise TimeoutError(f"{pid} does not end")


def belongs(pid, world):
    """Whether a process belongs to a world: by its environment, or because it is a program or stands in there."""
    mark = f"{MARK}={world}".encode()
    try:
        if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return True
        places = [os.readlink(f"/proc/{pid}/{link}") for link in ("exe", "cwd")]
    except OSError:
        return False
    return any(place == str(world) or place.startswith(f"{world}/") for place in places)


def members(world):
    own = os.getpid()
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid != own and belongs(pid, world)]


def kill_member(pid, world):
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        # Looked at again through a handle: in between, the pid may have become somebody else's.
        if belongs(pid, world):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    except OSError:
        pass
    finally:
        os.close(fd)


def end_all(world, patience=20):
    """Kills all of a world until twice in a row there is nobody; how many there were at first."""
    deadline = time.monotonic() + patience
    first, quiet = None, 0
    while quiet < 2 and time.monotonic() < deadline:
        here = members(world)
        first = len(here) if first is None else first
        quiet = 0 if here else quiet + 1
        for pid in here:
            kill_member(pid, world)
        time.sleep(0.1)
    if quiet < 2:
        raise TimeoutError(f"these processes do not end: {members(world)}")
    return first
