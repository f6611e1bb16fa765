# @SHIFT@
import asyncio
import json
import logging
import sqlite3
import socket
import sys
import functools

SEED = int(sys.argv[2])
# Another way through the library to the same place in the program.
OTHER = SEED % 2 == 1


def through(function, *args):
    # @SHIFT@
    if OTHER:
        return functools.reduce(lambda _, arg: function(*args), [0], None)
    return function(*args)


def load_order(orders, key):
    # @SHIFT@
    return orders[key]


def missing_key():
    through(load_order, {"a": 1}, f"order_{SEED}")


def average(values):
    # @SHIFT@
    return sum(values) / len(values)


def zero_division():
    average([])


class Session:
    user = None

    def greet(self):
        # @SHIFT@
        return "hello " + self.user.name


def none_attribute():
    Session().greet()


def describe(order):
    # @SHIFT@
    return "order " + order["id"]


def wrong_type():
    describe({"id": SEED})


def parse_quantity(text):
    # @SHIFT@
    return int(text)


def bad_number():
    parse_quantity(f"{SEED} pieces")


def nth_item(items, n):
    # @SHIFT@
    return items[n]


def bad_index():
    nth_item(list(range(SEED % 3)), 100 + SEED)


def read_template(name):
    # @SHIFT@
    with open(name) as file:
        return file.read()


def missing_file():
    through(read_template, f"/nonexistent/template-{SEED}.html")


def parse_event(text):
    # @SHIFT@
    return json.loads(text) if OTHER else json.JSONDecoder().decode(text)


def bad_json():
    parse_event(["{", '{"a": }', "[1, 2", "nope", '{"a" 1}'][SEED % 5])


def connect_stock(port):
    # @SHIFT@
    if OTHER:
        return socket.create_connection(("127.0.0.1", port), timeout=5)
    connection = socket.socket()
    connection.connect(("127.0.0.1", port))


def refused():
    connect_stock(1 + SEED % 7)


def walk(node, depth):
    # @SHIFT@
    return walk_children(node, depth + 1)


def walk_children(node, depth):
    return walk(node, depth + 1)


def recursion():
    sys.setrecursionlimit(200 + SEED % 50)
    walk({}, 0)


class ConfigError(Exception):
    pass


def read_setting(settings, name):
    # @SHIFT@
    try:
        return settings[name]
    except KeyError as error:
        raise ConfigError(f"the setting {name} is not set (tried {SEED} places)") from error


def chained():
    read_setting({}, "SHOP_URL")


def check_balance(balance):
    # @SHIFT@
    assert balance >= 0, f"balance {balance} of account {SEED}"


def assertion():
    check_balance(-SEED)


def load_plugin():
    # @SHIFT@
    import shop_payments_plugin


def missing_module():
    load_plugin()


def decode_name(raw):
    # @SHIFT@
    return raw.decode("utf-8") if OTHER else str(raw, "utf-8")


def bad_encoding():
    decode_name(b"M\xfcller" + bytes([0x80 + SEED % 50]))


def wait_for_stock():
    # @SHIFT@
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    client.settimeout(0.01)
    client.recv(1)


def timeout():
    wait_for_stock()


def query_orders(db):
    # @SHIFT@
    return db.execute(f"SELECT * FROM orders WHERE id = {SEED}").fetchall()


def no_table():
    query_orders(sqlite3.connect(":memory:"))


def insert_user(db, name):
    # @SHIFT@
    db.execute("INSERT INTO users (name) VALUES (?)", (name,))


def unique():
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE users (name TEXT UNIQUE)")
    for _ in range(2):
        insert_user(db, f"user{SEED}")


def validate(order):
    # @SHIFT@
    if order["quantity"] < 0:
        raise ValueError(f"negative quantity {order['quantity']}")
    if "sku" not in order:
        raise ValueError(f"order {order['id']} has no article number at all")


def negative():
    validate({"quantity": -SEED})


def no_article():
    validate({"quantity": 1, "id": SEED})


def may_read(user, path):
    # @SHIFT@
    raise PermissionError(f"user {user} may not read {path}")


def forbidden():
    may_read(["ann", "bob", "carol", "dave", "eve"][SEED % 5], f"/srv/data/{SEED}")


async def fetch_price(article):
    # @SHIFT@
    await asyncio.sleep(0)
    raise LookupError(f"no price for article {article}")


def in_async():
    asyncio.run(fetch_price(SEED))


def logged():
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        charge_card(SEED)
    except Exception:
        logging.getLogger("shop").exception("charge of %s failed", SEED)


def charge_card(amount):
    # @SHIFT@
    raise RuntimeError(f"card declined for amount {amount}.{SEED % 100:02}")


def log_lines():
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.error("lost the connection to 10.0.%s.%s:5432 after %s ms", SEED % 250, SEED % 99, SEED)


def log_retries():
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.critical("giving up on job %s after %s attempts", f"{SEED * 7919:08x}", SEED)


def log_http():
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.error('upstream answered status 503 for "GET /orders/%s" request_id=%08x', SEED, SEED * 104729)


globals()[sys.argv[1]]()
