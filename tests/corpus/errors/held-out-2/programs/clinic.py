# @SHIFT@
import asyncio, csv, datetime, io, json, logging, os, pickle, queue, signal, sqlite3, ssl, struct, sys, tempfile, threading, xml.etree.ElementTree as xml, zipfile
FAULT, SEED = sys.argv[1], int(sys.argv[2])
WHO = ["meyer", "okafor", "lindqvist", "tanaka", "o.brien", "silva"][SEED % 6]

# @SHIFT@
class Ward:
    beds = {}
    # @SHIFT@
    def __enter__(self):
        return self
    def __exit__(self, *why):
        # @SHIFT@
        raise RuntimeError(f"ward {SEED} cannot be closed")
    def admit(self, patient):
        # @SHIFT@
        self.beds[patient["bed"]]["patient"] = patient

def with_ward():
    # @SHIFT@
    with Ward() as ward:
        ward.admit({"bed": SEED})

class Dose:
    # @SHIFT@
    @property
    def per_kilo(self):
        return round(SEED / self.weight, 2)
    weight = 0

def dose():
    # @SHIFT@
    return f"{Dose().per_kilo}"

def birthday():
    # @SHIFT@
    return datetime.date.fromisoformat(f"19{SEED % 90 + 10}-02-31")

def record():
    # @SHIFT@
    return xml.fromstring(f"<patient id='{SEED}'><name>{WHO}</patient>")

def archive():
    # @SHIFT@
    return zipfile.ZipFile(io.BytesIO(os.urandom(50 + SEED)))

def unpack():
    # @SHIFT@
    return struct.unpack("<IHH", b"\0" * (SEED % 7))

def readonly():
    # @SHIFT@
    db = sqlite3.connect("file:/tmp?mode=ro" if 0 else ":memory:")
    db.execute(f"SELECT * FROM patients_{'x'} WHERE id = {SEED}")

def latin():
    # @SHIFT@
    return f"M{chr(252)}ller {WHO}".encode("ascii")

def handler():
    # @SHIFT@
    def on_alarm(*_):
        # @SHIFT@
        raise TimeoutError(f"lab did not answer in {SEED} s")
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    threading.Event().wait(2)

def generator():
    # @SHIFT@
    def beds():
        # @SHIFT@
        yield 1
        yield [1][SEED]
    return sum(beds())

def kwargs():
    # @SHIFT@
    return Ward().admit(patient={}, urgent=True)

def comprehension():
    # @SHIFT@
    return {key: value.strip() for key, value in {"a": "x", "b": None, "c": SEED}.items()}

async def gathered():
    # @SHIFT@
    async def lab(n):
        # @SHIFT@
        await asyncio.sleep(0)
        raise ConnectionResetError(104, "Connection reset by peer")
    await asyncio.gather(*(lab(n) for n in range(1 + SEED % 4)))

def gather():
    asyncio.run(gathered())

def full():
    # @SHIFT@
    q = queue.Queue(1)
    q.put(1)
    q.put_nowait(SEED)

def permission():
    # @SHIFT@
    raise PermissionError(f"{WHO} may not read the file of patient {SEED}")

def assertion():
    # @SHIFT@
    beds = list(range(SEED))
    assert len(beds) < 0, f"ward has {len(beds)} beds"

def importing():
    # @SHIFT@
    from collections import PatientDict

def pickled():
    # @SHIFT@
    return pickle.dumps(lambda: SEED)

def asyncio_logged():
    # @SHIFT@
    logging.basicConfig()
    async def main():
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: {}[WHO])
        await asyncio.sleep(0.01)
    asyncio.run(main())

def critical():
    logging.basicConfig(format="%(asctime)s.%(msecs)03d %(levelname)-5s --- [%(threadName)s] %(name)s : %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("clinic.hl7").critical("message MSG%08d of %s rejected: segment PID-%d missing after %.2f seconds", SEED * 977, WHO, SEED, SEED / 9)

def warned_trace():
    # @SHIFT@
    logging.basicConfig(format="%(levelname)s %(asctime)s %(module)s %(process)d %(thread)d %(message)s")
    try:
        int(f"{WHO}")
    except ValueError:
        logging.getLogger().warning("row %d skipped", SEED, exc_info=True)

def json_stack():
    # @SHIFT@
    import traceback
    try:
        Ward().admit({})
    except KeyError as error:
        print(json.dumps({"severity": "ERROR", "time": f"2026-05-01T10:00:{SEED % 60:02}Z", "message": f"admission {SEED} failed\n" + traceback.format_exc(), "trace_id": f"{SEED * 99991:032x}"}))

if __name__ == "__main__":
    globals()[FAULT]()
