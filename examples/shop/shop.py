"""A small shop whose services need nothing but Python: `python3 shop.py ROLE`.

db and cache keep values behind a line protocol (SET key value, GET key), migrate fills the database once,
api and web speak HTTP, worker counts orders.
"""

import os
import socket
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen


def port(name):
    return int(os.environ[f"{name}_PORT"])


def ask(name, line):
    with socket.create_connection(("127.0.0.1", port(name)), timeout=5) as connection:
        connection.sendall(line.encode() + b"\n")
        return connection.makefile().readline().strip()


def keep_values(name):
    values = {}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                words = line.decode().split(maxsplit=2)
                if len(words) == 3 and words[0] == "SET":
                    values[words[1]] = words[2].strip()
                    answer = "OK"
                else:
                    answer = values.get(words[1], "-") if len(words) == 2 else "?"
                self.wfile.write(answer.encode() + b"\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", port(name)), Handler) as server:
        print(f"{name.lower()} listens on {port(name)}", flush=True)
        server.serve_forever()


def migrate():
    for attempt in range(50):
        try:
            print("schema:", ask("DB", "SET schema 1"), flush=True)
            return
        except OSError as error:
            print(f"the database is not there yet: {error}", flush=True)
            time.sleep(0.1)
    sys.exit("the database did not come")


def serve(name, answer):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                body, status = answer(), 200
            except OSError as error:
                body, status = f"unavailable: {error}", 503
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, form, *words):
            print(f"{self.address_string()} {form % words}", flush=True)

    server = ThreadingHTTPServer(("127.0.0.1", port(name)), Handler)
    print(f"{name.lower()} listens on {port(name)}", flush=True)
    server.serve_forever()


def api():
    if ask("DB", "GET schema") != "1":
        sys.exit("the database has no schema: run the migration first")
    serve("API", lambda: "orders: " + ask("CACHE", "GET orders"))


def web():
    serve("WEB", lambda: "shop, " + urlopen(f"http://127.0.0.1:{port('API')}/", timeout=5).read().decode())


def worker():
    orders = 0
    while True:
        orders += 1
        ask("CACHE", f"SET orders {orders}")
        time.sleep(1)


ROLES = {
    "db": lambda: keep_values("DB"),
    "cache": lambda: keep_values("CACHE"),
    "migrate": migrate,
    "api": api,
    "web": web,
    "worker": worker,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]]()
