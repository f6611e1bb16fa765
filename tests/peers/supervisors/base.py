"""What the scenario asks of a supervisor."""

import os
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass

from processes import MARK

PATIENCE = 30.0  # seconds until a command that should have been done has failed


class Trouble(Exception):
    """A supervisor did not do what a comparison needs, so that its figures would mean nothing."""


@dataclass(frozen=True)
class Job:
    """A worker: to be kept running whatever happens, or to be run once."""

    name: str
    command: list
    keep: bool


class Supervisor(ABC):
    """A private instance below `home`. The commands are those that its documentation gives a user."""

    name = ""  # as on the command line
    daemon = "daemon"  # what its documentation calls the daemon
    helpers = ()  # kinds of process that it has for each worker

    def __init__(self, tools, home, world):
        self.tools, self.home, self.world = tools, home, world
        home.mkdir(mode=0o700, parents=True)
        self.prepare()

    def prepare(self):
        """Files that must be there before the first start."""

    @classmethod
    @abstractmethod
    def missing(cls, tools):
        """Why it cannot be measured here, or None."""

    @classmethod
    @abstractmethod
    def version(cls, tools): ...

    def declare(self, jobs):
        """Jobs that will be launched: for supervisors that read them from a configuration."""

    @abstractmethod
    def start(self, jobs):
        """Starts the daemon and these jobs."""

    @abstractmethod
    def launch(self, job):
        """Starts a declared job that is to run once."""

    @abstractmethod
    def daemon_pid(self): ...

    def reap(self):
        """After the daemon was killed: its zombie, when it is a child of ours."""

    @abstractmethod
    def revive(self):
        """Starts the daemon again after its death, as the documentation says."""

    @abstractmethod
    def stop(self, *names):
        """Stops workers and answers when the supervisor says that they are."""

    def discard(self, name):
        """Stops a job that was to run once, and sees that it is not started again."""
        self.stop(name)

    @abstractmethod
    def pids(self):
        """By worker, the pid that the supervisor takes it to have."""

    @abstractmethod
    def exit_code(self, name):
        """The exit code of the last end that the supervisor knows of; None when it knows none."""

    def helper(self, kind, name):
        """The pid of a helper of a worker, or None."""
        return None

    @abstractmethod
    def logs(self, name):
        """Pairs of stream (None where both are in one log) and line, in the order of the log."""

    def log_files(self, name):
        """The files that have the output of a worker; none where it is in no files."""
        return []

    @abstractmethod
    def end(self):
        """Ends the daemon and what it runs, as far as it does. What is left is killed afterwards."""

    def environment(self, **more):
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("HOSTLER_", "PM2_", "SUPERVISOR_", "SVDIR"))}
        return kept | {MARK: str(self.world)} | more

    def run(self, *command, check=True, **more):
        try:
            done = subprocess.run(
                [str(part) for part in command], cwd=self.home, env=self.environment(**more), capture_output=True,
                text=True, errors="replace", timeout=PATIENCE, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise Trouble(f"{late.cmd} took longer than {late.timeout:g} s") from None
        if check and done.returncode != 0:
            raise Trouble(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}"[:2000])
        return done.stdout


def log_lines(path):
    """The lines of a log file. Bytes that are no UTF-8 show as damage."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return []
    return text.removesuffix("\n").split("\n") if text else []
