"""hostler: a daemon, and one small parent ("shim") for each process."""

import json
import shutil
import subprocess

from processes import executable, parent

from .base import Supervisor, Trouble


class Hostler(Supervisor):
    name = "hostler"
    helpers = ("shim",)

    @classmethod
    def missing(cls, tools):
        return None if tools.hostler and tools.hostler.is_file() else "give its program with --hostler"

    @classmethod
    def version(cls, tools):
        done = subprocess.run([tools.hostler, "--version"], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def prepare(self):
        # A copy: the original may be built anew meanwhile.
        self.program = shutil.copy2(self.tools.hostler, self.home / "hostler")
        self.state = self.home / "state"
        self.state.mkdir(mode=0o700)
        allowed = json.dumps([str(self.world)])
        (self.state / "policy.toml").write_text(f"[commands]\nallow = {allowed}\npath = false\nproject = false\n")

    def hostler(self, *arguments, **more):
        return self.run(self.program, *arguments, HOSTLER_HOME=str(self.state), **more)

    def start(self, jobs):
        self.hostler("daemon", "start")
        for job in jobs:
            self.launch(job)

    def launch(self, job):
        # Its limit against crash loops is as high as other supervisors', whose default counts only short lives.
        restart = ("always", "--max-restarts", "1000") if job.keep else ("never",)
        self.hostler("start", job.name, "--wait-for", "started", "--restart", *restart, "--", *job.command)

    def daemon_pid(self):
        return json.loads(self.hostler("daemon", "status", "--json"))["pid"]

    def revive(self):
        self.hostler("daemon", "start")

    def stop(self, *names):
        self.hostler("stop", *names)

    def pids(self):
        processes = json.loads(self.hostler("ps", "--json"))["processes"]
        return {p["name"]: p["pid"] for p in processes if p.get("pid")}

    def exit_code(self, name):
        runs = json.loads(self.hostler("info", name, "--json"))["runs"]
        last = max(runs, key=lambda run: run["run"], default={})
        return (last.get("exit") or {}).get("code")

    def helper(self, kind, name):
        pid = parent(self.pids().get(name) or 0)
        return pid if pid and executable(pid).startswith(f"{self.state}/bin/") else None

    def logs(self, name):
        text = self.hostler("logs", name, "--lines", "100000000", "--json")
        # Either the tool's result, or, before that, one record on each line.
        answers = [json.loads(line) for line in text.splitlines()]
        if any(answer.get("truncated") for answer in answers):
            raise Trouble(f"the logs of {name} are not whole")
        records = [record for answer in answers for record in answer.get("lines", [answer])]
        if any(record.get("continued") for record in records):
            raise Trouble("a line of a worker was split")
        return [(record["stream"], record["message"]) for record in records]

    def end(self):
        self.hostler("daemon", "stop", check=False)
