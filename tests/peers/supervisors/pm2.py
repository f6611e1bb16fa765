"""pm2: the "God daemon" is the parent of all processes and copies their output into files.

After its death the documentation's way is `pm2 resurrect`, which starts what `pm2 save` wrote down.
"""

import json
import shutil

from .base import Supervisor, Trouble, log_lines


class Pm2(Supervisor):
    name = "pm2"
    daemon = "God daemon"

    @classmethod
    def missing(cls, tools):
        if not shutil.which("node"):
            return "there is no node"
        return None if cls.program(tools).is_file() else "install it with install.sh"

    @staticmethod
    def program(tools):
        return tools.peers / "pm2/node_modules/pm2/bin/pm2"

    @classmethod
    def version(cls, tools):
        package = json.loads((cls.program(tools).parents[1] / "package.json").read_text())
        return f"pm2 {package['version']}"

    def prepare(self):
        self.state = self.home / "state"

    def pm2(self, *arguments, check=True):
        # Otherwise a new daemon asks the makers' server for newer versions.
        quiet = {"PM2_DISABLE_VERSION_CHECK": "true", "PM2_DISCRETE_MODE": "true"}
        return self.run("node", self.program(self.tools), *arguments, check=check, PM2_HOME=str(self.state), **quiet)

    def start(self, jobs):
        self.start_apps(jobs)

    def launch(self, job):
        self.start_apps([job])

    def start_apps(self, jobs):
        apps = [
            {
                "name": job.name, "script": job.command[0], "args": job.command[1:], "interpreter": "none",
                "exec_mode": "fork", "autorestart": job.keep, "merge_logs": True, "cwd": str(self.home),
                "out_file": str(self.log(job.name, "stdout")), "error_file": str(self.log(job.name, "stderr")),
                "pmx": False, "vizion": False,
            }
            for job in jobs
        ]  # fmt: skip
        file = self.home / f"{jobs[0].name}.config.json"
        file.write_text(json.dumps({"apps": apps}))
        self.pm2("start", file)
        self.pm2("save", "--force")

    def log(self, name, stream):
        return self.home / f"{name}.{stream}.log"

    def daemon_pid(self):
        return int((self.state / "pm2.pid").read_text())

    def revive(self):
        self.pm2("resurrect")

    def stop(self, *names):
        self.pm2("stop", *names)

    def discard(self, name):
        self.pm2("delete", name)
        self.pm2("save", "--force")

    def listed(self):
        # A new daemon may say a word about itself before the list.
        text = self.pm2("jlist")
        for line in text.splitlines():
            if line.startswith("["):
                try:
                    return json.loads(line)
                except ValueError:
                    continue
        raise Trouble(f"pm2 jlist answered {text[:300]!r}")

    def pids(self):
        return {app["name"]: app["pid"] for app in self.listed() if app.get("pid")}

    def exit_code(self, name):
        for app in self.listed():
            if app["name"] == name and not app.get("pid"):
                return app["pm2_env"].get("exit_code")
        return None

    def log_files(self, name):
        return [self.log(name, stream) for stream in ("stdout", "stderr")]

    def logs(self, name):
        return [(stream, line) for stream in ("stdout", "stderr") for line in log_lines(self.log(name, stream))]

    def end(self):
        self.pm2("kill", check=False)
