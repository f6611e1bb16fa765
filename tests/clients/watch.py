"""What hostler sees of processes, through a client by others (PyPI `mcp`), in both eras of the protocol: health and what
follows from it, a crash loop and the way out, a limit, logs in JSON, errors in three languages, use over time, and what
Prometheus reads.
"""

import asyncio
import time
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

import python_mcp
import scenario

# How long something may take to become so.
PATIENCE = 20

# Once it was asked for /break, it answers 503 until it is restarted.
WEB = """
import http.server
broken = False
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global broken
        self.send_response(503 if broken else 200)
        self.end_headers()
        broken |= self.path == "/break"
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
"""

MAILER = """
print("reading mail.conf")
open("mail.conf").close()
print("ready")
import signal; signal.pause()
"""

HOG = """
import time
pieces = []
while True:
    pieces.append(bytearray(b"x" * (4 << 20)))
    time.sleep(0.02)
"""

PAYMENTS = """
import json, time
order = 0
while True:
    order += 1
    declined = {"reason": "card expired"} if order % 3 == 0 else {}
    print(json.dumps({"level": "warn" if declined else "info", "msg": "payment", "order": order, **declined}))
    time.sleep(0.05)
"""

# File, interpreter, source, the function of the fault.
FAULTS = [
    ("orders.py", "python3", "def find_order(orders, id):\n    return orders[id]\n\nfind_order({}, 'A-17')\n", "find_order"),
    ("checkout.js", "node", "function total(cart) {\n  return cart.items.length;\n}\n\ntotal({ id: 17 });\n", "total"),
    (
        "stock.pl", "perl",
        "use Carp qw(confess);\nsub take { open(my $f, '<', 'stock.csv') or confess \"cannot open stock.csv: $!\"; }\ntake();\n",
        "take",
    ),
]  # fmt: skip


def status(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


class Watch(scenario.Tour):
    async def until(self, session, right, tool, /, **arguments):
        """Calls a tool until its answer is right, or gives the last one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = await self.good(session, tool, **arguments)
            if right(answer) or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.05)

    async def all(self, session):
        for part in (self.health, self.crash_loop, self.limit, self.logs_in_json, self.errors, self.use):
            await part(session)
        listed = await self.good(session, "list_processes")
        for process in listed["processes"]:
            await self.good(session, "stop_process", process=process["id"], remove=True)

    async def health(self, session):
        check, port = self.checks, scenario.free_ports(1)[0]
        checked = {
            "plugin": "http", "config": {"url": f"http://127.0.0.1:{port}/"}, "interval_ms": 200, "failure_threshold": 2,
            "on_unhealthy": "restart",
        }  # fmt: skip
        started = await self.good(
            session, "start_process", name="web", **scenario.python(WEB.replace("PORT", str(port))), health=[checked],
            restart={"policy": "on_failure", "backoff_initial_ms": 0}, wait_for="healthy", timeout_ms=20_000)  # fmt: skip
        web = started["process"]
        check.need(started["done"] and web["health"] == "healthy", "a start waits until the process is healthy", started)
        report = await self.good(session, "check_process_health", process="web")
        check.that(report["status"] == "healthy" and report["checks"][0]["breaker"] == "closed", "a check is made now", report)
        check.that((status(port, "/break"), status(port, "/")) == (200, 503), "the service stops to serve")
        info = await self.until(
            session, lambda i: i["process"]["restarts"] == 1 and i["process"].get("health") == "healthy",
            "get_process_info", process="web", runs=2)  # fmt: skip
        check.that(info["process"]["pid"] != web["pid"], "it is restarted, and healthy again", info)
        reason = info["runs"][1]["reason"]
        check.that("unhealthy: http failed 2 times in a row" in reason and "503" in reason, "the reason is on record", info)
        history = await self.good(session, "check_process_health", process="web", history=50)
        changes = [r.get("changed_to") for r in history["checks"][0]["history"]]
        check.that("unhealthy" in changes, "and so is the history of the check", history)
        paused = await self.good(session, "check_process_health", process="web", pause=True)
        check.that(paused["checks"][0]["paused"] is True, "a check is paused by hand", paused)
        await self.good(session, "check_process_health", process="web", pause=False)

    async def crash_loop(self, session):
        check = self.checks
        await self.call(
            session, "start_process", name="mailer", **scenario.python(MAILER),
            restart={"policy": "on_failure", "max_restarts": 2, "backoff_initial_ms": 20})  # fmt: skip
        info = await self.until(
            session, lambda i: i["process"]["status"] == "failed" and (i.get("evidence") or {}).get("error_group"),
            "get_process_info", process="mailer")  # fmt: skip
        check.that("crash loop: ended 3 times" in info["process"]["status_reason"], "a crash loop ends in `failed`", info)
        evidence = info.get("evidence") or {}
        check.that("FileNotFoundError" in (evidence.get("error_group") or {}).get("title", ""), "its evidence names the error", info)
        (self.stage.project / "mail.conf").touch()
        again = await self.good(session, "start_process", name="mailer", wait_for_log="^ready$", timeout_ms=20_000)
        process = again["process"]
        check.that((process["status"], process["restarts"]) == ("running", 0), "it is recovered by hand", again)

    async def limit(self, session):
        check = self.checks
        hog = await self.call(
            session, "start_process", name="hog", **scenario.python(HOG), limits={"memory_bytes": 96 << 20},
            wait_for="exited", timeout_ms=20_000)  # fmt: skip
        check.that("memory limit exceeded" in hog.text, "a memory hog is stopped at its limit, and the answer says so", hog)
        info = await self.good(session, "get_process_info", process="hog")
        check.that("memory limit exceeded" in info["runs"][0]["reason"], "the reason is on record", info)
        check.that(info["limits"][0]["enforced_by"], "and who enforces the limit", info)

    async def logs_in_json(self, session):
        check = self.checks
        await self.good(session, "start_process", name="payments", **scenario.python(PAYMENTS), log={"parsers": ["json"]})
        page = await self.until(
            session, lambda page: page["lines"], "get_logs", process="payments", min_level="warn", format="records", limit=1)
        line = (page["lines"] or [{}])[0]
        check.that((line.get("level"), line.get("message")) == ("warn", "payment"), "lines have levels and messages", page)
        check.that((line.get("fields") or {}).get("reason") == "card expired", "and fields", page)

    async def errors(self, session):
        check = self.checks
        for file, interpreter, source, _ in FAULTS:
            (self.stage.project / file).write_text(source)
            await self.call(session, "start_process", name=file.split(".")[0], command=interpreter, args=[file], wait_for="exited")
        await self.faults_are_found(session)
        found = await self.good(session, "get_errors", process="orders")
        resolved = found["errors"][0]["id"]
        await self.good(session, "mark_error_resolved", error_id=resolved, resolution="orders are loaded first")
        await self.call(session, "start_process", name="orders", wait_for="exited")
        back = await self.until(
            session, lambda found: any(g["id"] == resolved and g.get("regression") for g in found["errors"]),
            "get_latest_errors", limit=5)  # fmt: skip
        group = next((g for g in back["errors"] if g["id"] == resolved), {})
        check.that((group.get("regression"), group.get("count")) == (True, 2), "a resolved error that is back is a regression", back)

    async def faults_are_found(self, session):
        def group(found, file, function):
            culprits = ((g, g.get("culprit") or "") for g in found["errors"])
            return next((g for g, culprit in culprits if file in culprit and function in culprit), None)

        found = await self.until(
            session, lambda found: all(group(found, file, function) for file, _, _, function in FAULTS),
            "get_latest_errors", limit=20)  # fmt: skip
        for file, _, _, function in FAULTS:
            it = group(found, file, function) or {}
            told = it.get("count") == 1 and it.get("category") not in (None, "unknown") and it.get("suggestion")
            self.checks.that(told, f"the fault in {function} of {file} has a group, a category and a suggestion", found)

    async def use(self, session):
        check = self.checks
        stats = await self.good(session, "get_process_stats", process="payments")
        summary = stats["summary"]["memory_bytes"]
        check.that(0 < summary["min"] <= summary["p95"] <= summary["max"], "use over time has its extremes", stats)
        system = await self.good(session, "get_system_stats")
        costs = {p["plugin"]: p for p in system["plugins"]}
        check.that(costs["http"]["items"] > 0 and system["daemon"]["memory_bytes"] > 0, "hostler and its plugins tell their cost", system)
        text = self.stage.cli("stats", "--prometheus").stdout
        values = {
            (sample.name, sample.labels.get("process") or sample.labels.get("plugin")): sample.value
            for family in text_string_to_metric_families(text) for sample in family.samples
        }  # fmt: skip
        check.that(values.get(("hostler_process_up", "payments")) == 1, "Prometheus' parser reads who runs", text)
        check.that(values.get(("hostler_process_restarts_total", "web")) == 1, "restarts", text)
        check.that(values.get(("hostler_process_log_lines_total", "payments"), 0) > 0, "the rate of the log", text)
        check.that(values.get(("hostler_process_errors_total", "orders")) == 2, "the rate of errors", text)
        check.that(values.get(("hostler_plugin_busy_seconds_total", "http"), 0) > 0, "and the cost of plugins", text)


async def tour(stage, checks, connect, version):
    it = Watch(stage, checks, version)
    async with asyncio.timeout(scenario.SCENARIO_SECONDS):
        async with connect(stage) as session:
            await it.all(session)
    it.end_daemon()


if __name__ == "__main__":
    scenario.main(python_mcp.CLIENTS, tour)
