"""runit: runsvdir starts a runsv for each service; runsv is the parent of the service and of its svlogd.

Its log service gets standard output alone, so that the usual run script sends standard error there too: both
streams are in one log.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from processes import executable, parent, wait_until

from .base import PATIENCE, Supervisor, Trouble, log_lines

RUN = "#!/bin/sh\nexec 2>&1\nexec {command}\n"
LOG_RUN = "#!/bin/sh\nexec svlogd ./main\n"
# runsv keeps no exit codes, but gives each to this script.
FINISH = '#!/bin/sh\necho "$1 $2" >>exits\n'


class Runit(Supervisor):
    name = "runit"
    daemon = "runsvdir"
    helpers = ("runsv", "svlogd")

    @classmethod
    def missing(cls, tools):
        return None if cls.program(tools, "runsvdir") else "install it with install.sh"

    @staticmethod
    def program(tools, name):
        return shutil.which(name, path=f"{tools.peers / 'runit/usr/bin'}:{os.environ['PATH']}")

    @classmethod
    def version(cls, tools):
        own = tools.peers / "runit/wish"
        if own.is_file():
            return f"runit {own.read_text().strip()}"
        query = ["dpkg-query", "-W", "-f", "${Version}", "runit"]
        installed = shutil.which("dpkg-query") and subprocess.run(query, capture_output=True, text=True).stdout
        return f"runit {installed or '(version unknown)'}"

    def prepare(self):
        # Services are made beside the directory that runsvdir reads, and linked into it when they are whole.
        self.services, self.enabled = self.home / "sv", self.home / "service"
        self.services.mkdir()
        self.enabled.mkdir()
        self.process = None

    def environment(self, **more):
        path = f"{Path(self.program(self.tools, 'runsvdir')).parent}:{os.environ['PATH']}"
        return super().environment(**{"PATH": path, "SVDIR": str(self.enabled)} | more)

    def declare(self, jobs):
        for job in jobs:
            self.write(job)

    def start(self, jobs):
        self.declare(jobs)
        self.revive()
        for path in self.enabled.iterdir():
            if not wait_until(lambda p=path: self.status(p.name).startswith(("run:", "down:")), PATIENCE, 0.1):
                raise Trouble(f"runsvdir did not take {path.name} up")

    def write(self, job):
        service = self.services / job.name
        (service / "log/main").mkdir(parents=True)
        (service / "log/main/config").write_text("s0\nn0\n")  # no rotation: nothing is to be lost by that
        script(service / "run", RUN.format(command=shlex.join(map(str, job.command))))
        script(service / "log/run", LOG_RUN)
        if not job.keep:
            script(service / "finish", FINISH)
            (service / "down").touch()
        (self.enabled / job.name).symlink_to(service)

    def launch(self, job):
        self.sv("once", job.name)

    def sv(self, *arguments, check=True):
        return self.run(self.program(self.tools, "sv"), *arguments, check=check)

    def status(self, name):
        return self.sv("status", name, check=False)

    def daemon_pid(self):
        return self.process.pid

    def reap(self):
        self.process.wait(PATIENCE)

    def revive(self):
        self.process = subprocess.Popen(
            [self.program(self.tools, "runsvdir"), "-P", str(self.enabled)], cwd=self.home, env=self.environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self, *names):
        # -w: as long as other supervisors wait before they send SIGKILL.
        self.sv("-w", "10", "force-stop", *names, check=False)

    def pids(self):
        names = sorted(path.name for path in self.enabled.iterdir())
        found = {}
        for line in self.sv("status", *names, check=False).splitlines():
            if match := re.match(r"run: ([^:]+): \(pid (\d+)\)", line):
                found[Path(match[1]).name] = int(match[2])
        return found

    def exit_code(self, name):
        lines = log_lines(self.services / name / "exits")
        code, status = map(int, lines[-1].split()) if lines else (-1, 0)
        return code if code >= 0 and status == 0 else None

    def helper(self, kind, name):
        status = self.status(name)
        if kind == "svlogd":
            match = re.search(r"; run: log: \(pid (\d+)\)", status)
            return int(match[1]) if match else None
        # Others of its kind may stand in the service's directory for a moment and find it locked.
        pid = parent(self.pids().get(name) or 0)
        return pid if pid and executable(pid).endswith("/runsv") else None

    def logs(self, name):
        main = self.services / name / "log/main"
        lines = [line for old in sorted(main.glob("@*")) for line in log_lines(old)] + log_lines(main / "current")
        return [(None, line) for line in lines]

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.reap()


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
