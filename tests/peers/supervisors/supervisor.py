"""supervisor: supervisord is the parent of all processes and copies their output into files.

After its death it is started again, and starts its programs.
"""

import http.client
import socket
import subprocess
import xmlrpc.client

from processes import wait_until

from .base import PATIENCE, Supervisor, Trouble, log_lines

MAIN = """\
[unix_http_server]
file={home}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
logfile={home}/supervisord.log
pidfile={home}/supervisord.pid
directory={home}
[supervisorctl]
serverurl=unix://{home}/supervisor.sock
[include]
files={home}/programs/*.conf
"""

# Both "asgroup" options: the most that it offers for ending descendants. No rotation: nothing is to be lost by that.
PROGRAM = """\
[program:{name}]
command={command}
autostart={keep}
autorestart={keep}
startsecs={startsecs}
stopasgroup=true
killasgroup=true
stdout_logfile={home}/{name}.stdout.log
stderr_logfile={home}/{name}.stderr.log
stdout_logfile_maxbytes=0
stderr_logfile_maxbytes=0
"""


class UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over its socket: exit codes are there and not in the output of supervisorctl."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def make_connection(self, host):
        connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(self.path)
        return connection


class Supervisord(Supervisor):
    name = "supervisor"
    daemon = "supervisord"

    @classmethod
    def missing(cls, tools):
        return None if cls.program(tools, "supervisord").is_file() else "install it with install.sh"

    @staticmethod
    def program(tools, name):
        return tools.peers / "supervisor/bin" / name

    @classmethod
    def version(cls, tools):
        done = subprocess.run([cls.program(tools, "supervisord"), "--version"], capture_output=True, text=True)
        return f"supervisor {done.stdout.strip()}"

    def prepare(self):
        self.programs = self.home / "programs"
        self.programs.mkdir()
        self.settings = self.home / "supervisord.conf"
        self.settings.write_text(MAIN.format(home=self.home))

    def control(self, *arguments, check=True):
        return self.run(self.program(self.tools, "supervisorctl"), "-c", self.settings, *arguments, check=check)

    def write(self, job):
        text = PROGRAM.format(
            name=job.name, command=" ".join(map(str, job.command)), home=self.home,
            keep=str(job.keep).lower(), startsecs=1 if job.keep else 0,
        )  # fmt: skip
        (self.programs / f"{job.name}.conf").write_text(text)

    def declare(self, jobs):
        for job in jobs:
            self.write(job)

    def start(self, jobs):
        self.declare(jobs)
        self.revive()

    def launch(self, job):
        self.control("start", job.name)

    def daemon_pid(self):
        return int((self.home / "supervisord.pid").read_text())

    def revive(self):
        self.run(self.program(self.tools, "supervisord"), "-c", self.settings)
        if not wait_until(self.answers, PATIENCE, 0.2):
            raise Trouble("supervisord does not answer")

    def answers(self):
        try:
            return self.ask(lambda api: api.getState()["statename"] == "RUNNING")
        except OSError:
            return False

    def ask(self, question):
        transport = UnixTransport(str(self.home / "supervisor.sock"))
        with xmlrpc.client.ServerProxy("http://localhost", transport) as server:
            return question(server.supervisor)

    def stop(self, *names):
        self.control("stop", *names)

    def pids(self):
        return {p["name"]: p["pid"] for p in self.ask(lambda api: api.getAllProcessInfo()) if p["pid"]}

    def exit_code(self, name):
        info = self.ask(lambda api: api.getProcessInfo(name))
        # Its exit status is 0 also for what it has never seen end.
        return info["exitstatus"] if info["statename"] == "EXITED" else None

    def log_files(self, name):
        return [self.home / f"{name}.{stream}.log" for stream in ("stdout", "stderr")]

    def logs(self, name):
        return [
            (stream, line)
            for stream in ("stdout", "stderr")
            for line in log_lines(self.home / f"{name}.{stream}.log")
        ]

    def end(self):
        self.control("shutdown", check=False)
