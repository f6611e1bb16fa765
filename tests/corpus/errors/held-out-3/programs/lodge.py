# @SHIFT@
import argparse, asyncio, concurrent.futures, contextlib, ctypes, enum, faulthandler, functools, heapq, http.server, json, logging, operator, os
import pathlib, resource, socket, sqlite3, ssl, subprocess, sys, tempfile, threading, time, traceback, urllib.error, urllib.request, uuid
FAULT, SEED = sys.argv[1], int(sys.argv[2])
GUEST = ["amira", "bjorn", "chen.wei", "dolores", "e.fischer", "farouk"][SEED % 6]
BOOKING = str(uuid.UUID(int=SEED * 0x9E3779B97F4A7C15F39CC0605CEDC834 % (1 << 128), version=4))

# @SHIFT@
def answering(status=200, body=b"{}", delay=0.0, kind="application/json", tls=None):
    """A server of our own on a free port."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(delay)
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]

def served(app, path="/", **headers):
    """What uvicorn prints when somebody asks for the path."""
    import uvicorn
    server = uvicorn.Server(uvicorn.Config(app, port=0, host="127.0.0.1"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)).read()
    server.should_exit = True
    thread.join()

# @SHIFT@
class Rates:
    seasons = {"summer": 120, "winter": 80}
    # @SHIFT@
    def nightly(self, season):
        return self.seasons[season] * 1.19
    # @SHIFT@
    def quote(self, request):
        if SEED % 2:
            return sum(map(self.nightly, request["seasons"]))
        return functools.reduce(lambda total, season: total + self.nightly(season), request["seasons"], 0)

def fastapi_quote():
    # @SHIFT@
    from fastapi import FastAPI
    app = FastAPI()
    @app.get("/quotes/{guest}")
    def quote(guest: str):
        # @SHIFT@
        return Rates().quote({"guest": guest, "seasons": ["summer", f"season-{SEED}"]})
    served(app, f"/quotes/{GUEST}")

def fastapi_async():
    # @SHIFT@
    from fastapi import FastAPI, Depends
    app = FastAPI()
    async def current_guest(id: int):
        # @SHIFT@
        await asyncio.sleep(0)
        return None if id else {}
    @app.get("/guests/{id}")
    async def guest(id: int, who=Depends(current_guest)):
        return {"name": who.name}
    if SEED % 2:
        @app.middleware("http")
        async def timing(request, call_next):
            return await call_next(request)
    served(app, f"/guests/{SEED}")

def fastapi_answer():
    # @SHIFT@
    import pydantic
    from fastapi import FastAPI
    class Room(pydantic.BaseModel):
        number: int
        beds: int
    app = FastAPI()
    @app.get("/rooms/{number}", response_model=Room)
    async def room(number: int):
        return {"number": f"{number}b", "beds": None}
    served(app, f"/rooms/{SEED}")

def uvicorn_port():
    # @SHIFT@
    import uvicorn
    taken = socket.create_server(("127.0.0.1", 0))
    async def app(scope, receive, send):
        pass
    uvicorn.run(app, port=taken.getsockname()[1])

def startup():
    # @SHIFT@
    from fastapi import FastAPI
    import uvicorn
    @contextlib.asynccontextmanager
    async def lifespan(app):
        # @SHIFT@
        app.state.key = os.environ["LODGE_SIGNING_KEY"]
        yield
    uvicorn.run(FastAPI(lifespan=lifespan), port=0)

def flask_app():
    from flask import Flask, render_template_string, render_template, request
    app = Flask("lodge")
    # @SHIFT@
    @app.get("/welcome/<guest>")
    def welcome(guest):
        return render_template_string("Dear {{ guest }}, your room is {{ booking.room.number }}", guest=guest)
    # @SHIFT@
    @app.get("/bill/<int:number>")
    def bill(number):
        return render_template("bills/nightly.html", number=number)
    # @SHIFT@
    @app.get("/late/<int:minutes>")
    def late(minutes):
        return str(fee_of(minutes))
    return app

def fee_of(minutes):
    # @SHIFT@
    tariff = [(30, 0), (60, 10)]
    return next(fee for limit, fee in tariff if minutes <= limit)

def ask_flask(path):
    from werkzeug.serving import make_server
    logging.getLogger("werkzeug").setLevel(logging.INFO)
    server = make_server("127.0.0.1", 0, flask_app())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{path}")
    server.shutdown()

def flask_undefined():
    ask_flask(f"/welcome/{GUEST}")
def flask_template():
    ask_flask(f"/bill/{SEED}")
def flask_stop():
    ask_flask(f"/late/{60 + SEED}")

def django(**settings):
    import django
    from django.conf import settings as all_settings
    sys.modules["lodge_urls"] = urls = type(sys)("lodge_urls")
    all_settings.configure(**{**dict(SECRET_KEY="k" * 50, ALLOWED_HOSTS=["lodge.example"], ROOT_URLCONF="lodge_urls",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        LOGGING={"version": 1, "disable_existing_loggers": False,
            "formatters": {"f": {"format": "%(levelname)s %(asctime)s %(name)s %(process)d %(message)s"}},
            "handlers": {"c": {"class": "logging.StreamHandler", "formatter": "f"}},
            "loggers": {"django": {"handlers": ["c"], "level": "INFO"}}}), **settings})
    django.setup()
    return urls

def ask_django(view, path, host="lodge.example"):
    from django.urls import path as route
    from django.core.handlers.wsgi import WSGIHandler
    from wsgiref.util import setup_testing_defaults
    urls = django()
    urls.urlpatterns = [route("stay/<str:what>/", view)]
    environ = {"PATH_INFO": path, "HTTP_HOST": host}
    setup_testing_defaults(environ)
    list(WSGIHandler()(environ, lambda *_: None))

def django_table():
    # @SHIFT@
    def view(request, what):
        # @SHIFT@
        from django.contrib.auth.models import User
        return User.objects.get(username=what) if SEED % 2 else User.objects.filter(username=what).first()
    ask_django(view, f"/stay/{GUEST}/")

def django_view():
    # @SHIFT@
    def view(request, what):
        # @SHIFT@
        request.session_of = {"guest": what}
    ask_django(view, f"/stay/{BOOKING}/")

def django_host():
    # @SHIFT@
    ask_django(lambda request, what: request.build_absolute_uri(), "/stay/x/", host=f"10.0.{SEED % 9}.{SEED}:8000")

def django_settings():
    # @SHIFT@
    django(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql_" + "x", "NAME": "lodge"}})
    from django.db import connection
    connection.cursor()

def engine(**options):
    import sqlalchemy
    made = sqlalchemy.create_engine("sqlite://", **options)
    table = sqlalchemy.Table("bookings", sqlalchemy.MetaData(), sqlalchemy.Column("id", sqlalchemy.String, primary_key=True),
        sqlalchemy.Column("guest", sqlalchemy.String, nullable=False))
    return made, table

def alchemy_null():
    # @SHIFT@
    made, table = engine()
    table.metadata.create_all(made)
    with made.begin() as db:
        db.execute(table.insert().values(id=BOOKING, guest=None))

def alchemy_pool():
    # @SHIFT@
    from sqlalchemy.pool import QueuePool
    made, _ = engine(poolclass=QueuePool, pool_size=1 + SEED % 3, max_overflow=0, pool_timeout=0.05)
    held = [made.connect() for _ in range(1 + SEED % 3 + 1)]

def alchemy_one():
    # @SHIFT@
    made, table = engine()
    table.metadata.create_all(made)
    with made.connect() as db:
        return db.execute(table.select().where(table.c.id == BOOKING)).one()

def settings():
    # @SHIFT@
    from pydantic_settings import BaseSettings
    class Settings(BaseSettings):
        database_url: str
        workers: int = 4
    os.environ["WORKERS"] = f"{SEED}x"
    Settings()

def resolved():
    # @SHIFT@
    import requests
    session = requests.Session()
    return session.get(f"http://rates-{SEED}.lodge.invalid/v1/{BOOKING}", timeout=3)

def unavailable():
    # @SHIFT@
    import requests
    answer = requests.get(f"http://127.0.0.1:{answering(503)}/availability/{BOOKING}?guest={GUEST}", timeout=3)
    answer.raise_for_status()

def no_json():
    # @SHIFT@
    import requests
    return requests.get(f"http://127.0.0.1:{answering(body=b'<html>login</html>', kind='text/html')}/{SEED}", timeout=3).json()

def certificate():
    # @SHIFT@
    folder = tempfile.mkdtemp()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
        "-keyout", f"{folder}/k.pem", "-out", f"{folder}/c.pem"], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{folder}/c.pem", f"{folder}/k.pem")
    return urllib.request.urlopen(f"https://localhost:{answering(tls=tls)}/{BOOKING}", timeout=3)

def slow_rates():
    # @SHIFT@
    import httpx
    with httpx.Client(timeout=0.1) as client:
        return client.get(f"http://127.0.0.1:{answering(delay=1)}/rates/{SEED}")

def aiohttp_handler():
    # @SHIFT@
    from aiohttp import web, ClientSession
    logging.basicConfig(format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
    async def checkin(request):
        # @SHIFT@
        body = await request.json()
        return web.json_response({"nights": body["nights"] + 1})
    async def main():
        app = web.Application()
        app.router.add_post("/checkin", checkin)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with ClientSession() as session:
            await session.post(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/checkin", json={"nights": str(SEED)})
        await runner.cleanup()
    asyncio.run(main())

def aiohttp_refused():
    # @SHIFT@
    import aiohttp
    async def sync(session):
        # @SHIFT@
        async with session.get(f"http://127.0.0.1:1/{BOOKING}") as answer:
            return await answer.json()
    async def main():
        async with aiohttp.ClientSession() as session:
            return await sync(session)
    asyncio.run(main())

def broken_pool():
    # @SHIFT@
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        return pool.submit(os._exit, SEED).result()

def disk_full():
    # @SHIFT@
    with open("/dev/full", "w") as ledger:
        ledger.write(f"{BOOKING},{GUEST}\n")
        ledger.flush()

def open_files():
    # @SHIFT@
    resource.setrlimit(resource.RLIMIT_NOFILE, (40 + SEED % 20, 4096))
    kept = [open("/dev/null") for _ in range(100)]

def no_memory():
    # @SHIFT@
    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))
    nights = bytearray((400 + SEED) << 20)

def denied():
    # @SHIFT@
    os.setuid(65534)
    return pathlib.Path(f"/var/lib/private/passports-{SEED}.csv").read_text()

def segfault():
    # @SHIFT@
    faulthandler.enable()
    if SEED % 2:
        return list(map(ctypes.string_at, [SEED]))
    return ctypes.string_at(0)

def exits():
    # @SHIFT@
    sys.exit(f"lodge: error: configuration file /etc/lodge/{GUEST}.toml not found")

def arguments():
    # @SHIFT@
    parser = argparse.ArgumentParser(prog="lodge")
    parser.add_argument("--port", type=int)
    parser.add_argument("--rates", choices=["summer", "winter"])
    parser.parse_args(["--port", f"80{SEED}a"])

def loguru_trace():
    # @SHIFT@
    from loguru import logger
    def occupancy(rooms):
        # @SHIFT@
        return SEED / len(rooms)
    try:
        occupancy([])
    except ZeroDivisionError:
        logger.exception("report of {} failed", GUEST)

def structlog_console():
    # @SHIFT@
    import structlog
    structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.StackInfoRenderer(), structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)])
    log = structlog.get_logger()
    try:
        heapq.heappush([(1, {"a": 1})], (1, {"b": SEED}))
    except TypeError:
        log.exception("cannot queue the request", guest=GUEST, booking=BOOKING)

def structlog_json():
    # @SHIFT@
    import structlog
    structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    async def wait():
        # @SHIFT@
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)
    try:
        asyncio.run(wait())
    except TimeoutError:
        structlog.get_logger().exception("housekeeping did not finish", room=SEED)

def celery_task():
    # @SHIFT@
    import celery
    from celery.contrib.testing.worker import start_worker
    app = celery.Celery("lodge", broker="memory://", backend="cache+memory://")
    @app.task(name="lodge.tasks.send_invoice")
    def send_invoice(amount):
        # @SHIFT@
        return float(amount)
    app.loader.import_default_modules()
    with start_worker(app, perform_ping_check=False, loglevel="ERROR", shutdown_timeout=5):
        with contextlib.suppress(ValueError):
            send_invoice.delay(f"{SEED},50 EUR").get(timeout=5)

class State(enum.Enum):
    FREE = "free"
    # @SHIFT@
    TAKEN = "taken"

def bad_state():
    # @SHIFT@
    return State(f"taken-{SEED}")

def invalid_state():
    # @SHIFT@
    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result(1)
        future.set_result(SEED)
    asyncio.run(main())

def closed_file():
    # @SHIFT@
    file = open("/dev/null")
    file.close()
    return file.read(SEED)

def process_failed():
    # @SHIFT@
    subprocess.run(["sh", "-c", f"exit {SEED % 7 + 1}"], check=True)

def toml():
    # @SHIFT@
    import tomllib
    return tomllib.loads(f"[rates]\nsummer = {SEED}\nwinter = \n")

def noted():
    # @SHIFT@
    try:
        operator.itemgetter(5)([SEED])
    except IndexError as error:
        error.add_note(f"while the invoice of {GUEST} was printed")
        error.add_note(f"booking {BOOKING}")
        raise

def locked():
    # @SHIFT@
    path = tempfile.mktemp()
    one, other = sqlite3.connect(path), sqlite3.connect(path, timeout=0.01)
    one.execute("CREATE TABLE stay (id)")
    one.execute("BEGIN EXCLUSIVE")
    other.execute(f"INSERT INTO stay VALUES ({SEED})")

def line_kafka():
    print(f"%3|{time.time():.3f}|FAIL|lodge#producer-{SEED}| [thrd:broker-{SEED % 3}:9092/bootstrap]: broker-{SEED % 3}:9092/bootstrap: Connect to ipv4#10.0.0.{SEED}:9092 failed: Connection refused (after {SEED}ms in state CONNECT)")

def line_gunicorn():
    print(f"[{time.strftime('%Y-%m-%d %H:%M:%S')} +0000] [{SEED + 7}] [CRITICAL] WORKER TIMEOUT (pid:{SEED * 31})")

def line_alembic():
    print(f"ERROR [alembic.util.messaging] Can't locate revision identified by '{SEED * 0x1F3D5B79:012x}'")

def line_oauth():
    logging.basicConfig(format="%(asctime)s,%(msecs)d ERROR [%(name)s] [%(filename)s:%(lineno)d] [trace_id=" + f"{SEED * 99991:032x}" + "] - %(message)s")
    logging.getLogger("lodge.auth").error("Token validation failed for user %s: Signature has expired", GUEST)

def line_redis():
    logging.basicConfig(format="%(asctime)s | %(levelname)-8s | %(message)s")
    logging.getLogger().error("consumer: Cannot connect to redis://cache-%d:6379/0: Error 111 connecting to cache-%d:6379. Connection refused.. Trying again in %d.00 seconds... (%d/100)", SEED % 4, SEED % 4, SEED % 32, SEED % 16)

if __name__ == "__main__":
    globals()[FAULT]()
