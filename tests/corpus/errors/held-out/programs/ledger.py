# @SHIFT@
"""A ledger: books entries of files and services into accounts."""
import asyncio
import base64
import configparser
import concurrent.futures
import dataclasses
import decimal
import json
import logging
import multiprocessing
import os
import sqlite3
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
import uuid

FAULT, SEED = sys.argv[1], int(sys.argv[2])
UUID = uuid.uuid5(uuid.NAMESPACE_DNS, str(SEED))
NAMES = ["ann", "bob", "carla.meier", "d_o'neil", "eve", "frantz", "greta", "h.k"]
NAME = NAMES[SEED % len(NAMES)]


class LedgerError(Exception):
    # @SHIFT@
    pass


@dataclasses.dataclass
class Entry:
    account: str
    amount: decimal.Decimal
    currency: str = "EUR"


# @SHIFT@
def parse_row(row):
    # @SHIFT@
    if row["amount"].startswith("-"):
        raise ValueError(f"entry {row['id']}: a negative amount of {row['amount']} cannot be booked")
    # @SHIFT@
    if row["currency"] not in ("EUR", "USD"):
        raise ValueError(f"currency {row['currency']} of entry {row['id']} is not known to the bank")
    return Entry(row["account"], decimal.Decimal(row["amount"]), row["currency"])


def import_rows(rows):
    # @SHIFT@
    if SEED % 2:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return list(pool.map(parse_row, rows))
    return [parse_row(row) for row in rows]


def row(**values):
    return {"id": SEED, "account": NAME, "amount": "12.50", "currency": "EUR", **values}


def negative_amount():
    import_rows([row(amount=f"-{SEED}.10")])


def unknown_currency():
    import_rows([row(currency=["XTS", "ABC", "QQQ", "ZZZ"][SEED % 4])])


def bad_decimal():
    import_rows([row(amount=["12,5,0", "a lot", "EUR 5", "1..2"][SEED % 4])])


class Rates:
    # @SHIFT@
    def __init__(self, table):
        self.table = table

    def rate(self, currency):
        # @SHIFT@
        try:
            return self.table[currency]
        except KeyError as error:
            raise LedgerError(f"no rate for {currency} on 2026-05-{SEED % 28 + 1:02}") from error


def no_rate():
    Rates({}).rate(["CHF", "NOK", "SEK", "PLN"][SEED % 4])


async def fetch(account):
    # @SHIFT@
    await asyncio.sleep(0)
    raise TimeoutError(f"account {account} did not answer within {SEED} ms")


async def fetch_all():
    # @SHIFT@
    async with asyncio.TaskGroup() as group:
        for n in range(2 + SEED % 2):
            group.create_task(fetch(SEED * 10 + n))


def task_group():
    asyncio.run(fetch_all())


def read_statement(path):
    # @SHIFT@
    raise PermissionError(13, "Permission denied", path)


def sync_account():
    # @SHIFT@
    logging.basicConfig(format="%(asctime)s %(levelname)s [%(threadName)s] %(name)s: %(message)s", level="INFO")
    log = logging.getLogger("ledger.sync")
    log.info("sync of %s begins", SEED)
    try:
        read_statement(f"/var/lib/ledger/statement-{SEED}.csv")
    except PermissionError:
        log.exception("sync of account %s failed for %s", SEED, NAME)


def share(total, parts):
    # @SHIFT@
    return total / parts


def as_json():
    # @SHIFT@
    try:
        share(SEED, SEED - SEED)
    except ZeroDivisionError:
        record = {"ts": 1777000000 + SEED, "level": "error", "logger": "ledger.split", "msg": f"cannot split {SEED}",
                  "request_id": str(UUID), "exc_info": traceback.format_exc()}
        print(json.dumps(record), file=sys.stderr)


def quarter(month):
    # @SHIFT@
    return {"jan": 1, "apr": 2}[month]


def in_thread():
    # @SHIFT@
    worker = threading.Thread(target=quarter, args=(f"m{SEED}",))
    worker.start()
    worker.join()


async def nth_booking(n):
    # @SHIFT@
    await asyncio.sleep(0)
    return [1, 2, 3][n]


async def forget():
    # @SHIFT@
    task = asyncio.create_task(nth_booking(SEED + 3))
    await asyncio.sleep(0.01)
    del task


def forgotten_task():
    asyncio.run(forget())


def open_ledger():
    # @SHIFT@
    raise TimeoutError("the lock of the ledger was not given")


def close_ledger():
    # @SHIFT@
    raise TimeoutError("the lock of the ledger was not given")


def locked_open():
    open_ledger()


def locked_close():
    close_ledger()


def missing_argument():
    # @SHIFT@
    Entry(account=NAME)


def oldest(entries):
    # @SHIFT@
    return sorted(entries, key=lambda entry: entry.booked)[0]


def no_such_attribute():
    oldest([f"entry {SEED}", "other"])


def orphan_entry():
    # @SHIFT@
    base = sqlite3.connect(":memory:")
    base.executescript("PRAGMA foreign_keys = ON; CREATE TABLE account (id INTEGER PRIMARY KEY);"
                       "CREATE TABLE entry (id INTEGER, account INTEGER REFERENCES account (id))")
    base.execute("INSERT INTO entry VALUES (?, ?)", (SEED, SEED))


def convert(path):
    # @SHIFT@
    return subprocess.run(["pdf-to-ledger", path], check=True)


def missing_program():
    convert(f"/tmp/{UUID}.pdf")


def notify_bank(booking):
    # @SHIFT@
    with urllib.request.urlopen(f"http://127.0.0.1:{9 + SEED % 5}/bookings/{booking}", timeout=2) as answer:
        return answer.read()


def bank_is_down():
    notify_bank(SEED)


def resolve_bank():
    # @SHIFT@
    return socket.getaddrinfo(f"bank-{SEED}.invalid", 443)


def huge_statement():
    # @SHIFT@
    return bytearray(10**15 + SEED)


def read_token():
    # @SHIFT@
    return os.environ["LEDGER_API_URL"]


def no_section():
    # @SHIFT@
    config = configparser.ConfigParser()
    config.read_string("[a]\nx = 1\n")
    return config.get("bank", "account")


def balance(entries):
    # @SHIFT@
    if entries:
        total = sum(entries)
    return total


def unbound():
    balance([])


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def too_deep():
    # @SHIFT@
    return json.dumps(nested(100_000 + SEED))


def decode_receipt(text):
    # @SHIFT@
    return base64.b64decode(text, validate=True)


def bad_receipt():
    decode_receipt("A" * (SEED % 3 * 4 + 5))


def part_of(n):
    # @SHIFT@
    return SEED % n


def in_pool():
    # @SHIFT@
    with multiprocessing.Pool(1) as pool:
        pool.map(part_of, [0])


def context_lost():
    # @SHIFT@
    try:
        quarter(NAME)
    except KeyError:
        Entry("a", None).amount.quantize(SEED)


LOGGED = {
    "log_declined": ("%(asctime)s %(levelname)s ledger.pay %(message)s",
                     "payment %s was declined for %s after %.1fms", (UUID, f"{NAME.replace(chr(39), '')}@example.com", SEED / 7)),
    "log_upstream": ("%(levelname)s:%(name)s:%(message)s", "GET %s returned 503 Service Unavailable in %d ms",
                     (f"https://bank.example.com/v{SEED % 3}/accounts/{UUID}?page={SEED}", SEED)),
    "log_login": ("[%(process)d] %(asctime)s [%(levelname)s] %(message)s", "authentication failed for user %s from %s",
                  (NAME.replace("'", ""), f"10.{SEED % 200}.0.{SEED % 250}")),
    "log_stale": ("%(asctime)s - %(name)s - %(levelname)s - %(message)s", "statement %s is %d days old, booking of %s is refused",
                  (f"ST-{SEED}-{SEED * 3}", SEED, f"/var/spool/ledger/{UUID}.csv")),
    "log_queue": ("%(asctime)s | %(levelname)-8s | %(name)s:%(lineno)d - %(message)s", "queue full: %d of %d slots taken, dropping batch %s",
                  (SEED * 10, SEED * 10, UUID)),
}


def main():
    # @SHIFT@
    if FAULT in LOGGED:
        form, message, values = LOGGED[FAULT]
        logging.basicConfig(format=form)
        logging.getLogger("ledger").error(message, *values)
        return
    globals()[FAULT]()


if __name__ == "__main__":
    main()
