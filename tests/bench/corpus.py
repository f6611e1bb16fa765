"""Lines as programs write them, made of chance and the same each time: what a measurement of a log store is fed with.

Names, numbers and pauses are spread as real ones are: few that come often and many that come seldom (as in Zipf's law),
times between lines that are random (as in a Poisson process), ids that are pure chance.
"""

import datetime
import random

AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "curl/8.5.0",
    "kube-probe/1.30",
]  # fmt: skip
PATHS = ["/", "/static/app.css", "/static/app.js", "/api/items/{}", "/api/users/{}/orders", "/api/cart", "/health"]
TEMPLATES = [
    (15, "INFO  shop.orders [req-{id}] order {n} created for customer {who} in {ms:.1f} ms"),
    (30, "INFO  shop.http [req-{id}] GET /api/items/{who} 200 {n} bytes in {ms:.2f} ms"),
    (25, "DEBUG shop.cache [req-{id}] hit key=item:{who} ttl={few}"),
    (20, "DEBUG shop.db [req-{id}] SELECT id, name, price FROM items WHERE id = {who} -- {few} rows, {ms:.3f} ms"),
    (3, "WARN  shop.payments [req-{id}] gateway answered slowly: {n} ms (attempt {few})"),
    (6, "INFO  shop.worker job {n} finished, {few} left in queue"),
    (1, "ERROR shop.mail could not deliver message {n} to customer {who}: connection refused"),
]
PARTS = ["src/", "lib/", "node_modules/", "components/", "utils/", "index", "button", "form", "table", "api", "hooks"]


def seldom(chance, most):
    """A number below `most`, small ones far more often."""
    return int(most ** chance.random())


def clock(chance, pause_ms):
    time = datetime.datetime(2026, 11, 28, 2, 0, 0)
    while True:
        time += datetime.timedelta(milliseconds=chance.expovariate(1 / pause_ms))
        yield time


def access(chance):
    """A web server's access log, in the combined format."""
    hosts = [".".join(str(chance.randrange(1, 255)) for _ in range(4)) for _ in range(3000)]
    for time in clock(chance, 15):
        method = chance.choices(["GET", "POST", "PUT"], [90, 8, 2])[0]
        status = chance.choices([200, 304, 404, 500], [90, 6, 3, 1])[0]
        referer = chance.choice(["-", "-", "https://shop.example.com/"])
        yield (
            f"{hosts[seldom(chance, 2999)]} - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "
            f'"{method} {chance.choice(PATHS).format(seldom(chance, 50_000))} HTTP/1.1" {status} '
            f'{chance.randrange(200, 20_000)} "{referer}" "{chance.choices(AGENTS, [40, 25, 10, 5, 20])[0]}"'
        )


def app(chance):
    """An application's log: time, level, place, an id for each request."""
    weights, texts = zip(*TEMPLATES)
    request = chance.getrandbits(32)
    for time in clock(chance, 4):
        if chance.random() < 0.3:
            request = chance.getrandbits(32)
        text = chance.choices(texts, weights)[0].format(
            id=f"{request:08x}", n=chance.randrange(100_000), who=seldom(chance, 50_000),
            few=chance.randrange(60), ms=chance.expovariate(1 / 8),
        )  # fmt: skip
        yield f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03} {text}"


def structured(chance):
    """JSON lines, with a trace id of 128 bits for each request."""
    trace = chance.getrandbits(128)
    for time in clock(chance, 4):
        if chance.random() < 0.25:
            trace = chance.getrandbits(128)
        level = chance.choices(["info", "debug", "warn"], [80, 15, 5])[0]
        message = chance.choice(["request completed", "cache hit", "cache miss", "query done"])
        yield (
            f'{{"level":"{level}","time":"{time.isoformat(timespec="milliseconds")}Z","pid":4711,'
            f'"service":"checkout","trace_id":"{trace:032x}","msg":"{message}","method":"GET",'
            f'"path":"/api/items/{seldom(chance, 50_000)}","status":{chance.choices([200, 404, 500], [95, 4, 1])[0]},'
            f'"duration_ms":{chance.expovariate(1 / 12):.2f}}}'
        )


def build(chance):
    """A build that tells of each file."""
    number = 0
    while True:
        number += 1
        path = "".join(chance.choice(PARTS) for _ in range(3)) + chance.choice([".ts", ".tsx", ".css", ".rs"])
        verb = chance.choice(["Compiling", "Checking", "Linking"])
        yield f"[{number % 4000}/4000] {verb} {path} ({chance.randrange(900)} ms)"


def hashes(chance):
    """Not typical: nothing but chance in more than half of each line."""
    while True:
        yield f"object {chance.getrandbits(160):040x} has digest {chance.getrandbits(128):032x}, kept"


def hundred(chance):
    """Lines of an application, all of 100 bytes with the line feed."""
    for line in app(chance):
        yield f"{line:<99.99}"


TYPICAL = {"access log": access, "application": app, "JSON lines": structured, "build": build}


def write(path, lines, count):
    """Writes so many lines into a file; answers their bytes."""
    chance = random.Random(1)
    with open(path, "w") as file:
        for line, _ in zip(lines(chance), range(count)):
            file.write(line + "\n")
    return path.stat().st_size
