"""What the workers know to have happened, and how a supervisor's logs differ from it."""

import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from processes import is_alive

LAYOUT = struct.Struct("=14Q")  # struct truth of worker.c
MAGIC = 0x52454550
LINE = re.compile(r"(out|err) ([a-z0-9-]+)/(\d+) (\d+)")
STREAM_OF = {"out": "stdout", "err": "stderr"}


@dataclass(frozen=True)
class Instance:
    """One start of a worker, as it stands in its mapping at the time of reading."""

    worker: str
    number: int
    pid: int
    start: int
    tried: dict  # by word: lines whose write was begun
    done: dict  # by word: lines whose write succeeded
    refused: int
    longest_us: int
    code: int | None
    child: tuple  # pid, start
    daemon: tuple

    @property
    def key(self):
        return self.worker, self.number

    @property
    def alive(self):
        return is_alive(self.pid, self.start)

    def descendants(self):
        return {kind: who for kind, who in (("child", self.child), ("daemon", self.daemon)) if who[0]}


def read_instance(path):
    data = path.read_bytes()
    if len(data) < LAYOUT.size:
        return None
    fields = LAYOUT.unpack(data[: LAYOUT.size])
    magic, pid, start, out_tried, out_done, err_tried, err_done, refused, longest, code = fields[:10]
    if magic != MAGIC:
        return None
    worker, number = path.name.rsplit(".", 1)
    return Instance(
        worker, int(number), pid, start, {"out": out_tried, "err": err_tried}, {"out": out_done, "err": err_done},
        refused, longest, code - 1 if code else None, fields[10:12], fields[12:14],
    )  # fmt: skip


def instances(directory, worker="*"):
    """All starts, oldest first within a worker."""
    found = (read_instance(path) for path in Path(directory).glob(f"{worker}.*"))
    return sorted((i for i in found if i), key=lambda i: i.key)


def living(directory, worker="*"):
    return [i for i in instances(directory, worker) if i.alive]


@dataclass
class Lines:
    """How logs and truth agree. Examples name the first few differences, for a reproduction."""

    written: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    damaged: int = 0
    examples: list = field(default_factory=list)

    @property
    def is_whole(self):
        return not (self.lost or self.doubled or self.disordered or self.damaged)

    def example(self, text):
        if len(self.examples) < 20:
            self.examples.append(text)


def compare(worker, starts, logged, result):
    """Adds one worker's comparison. `logged`: pairs of stream (None where a log has both in one) and line."""
    known = {i.number: i for i in starts}
    seen = {(i.number, word): [] for i in starts for word in STREAM_OF}
    for stream, line in logged:
        match = LINE.fullmatch(line)
        name, number, k = (match[2], int(match[3]), int(match[4])) if match else (None, None, None)
        filed_wrongly = match and stream not in (None, STREAM_OF[match[1]])
        if name != worker or number not in known or k > known[number].tried[match[1]] or filed_wrongly:
            result.damaged += 1
            result.example(f"{worker}: damaged, on {stream}: {line[:200]!r}")
        else:
            seen[number, match[1]].append(k)
    for (number, word), numbers in seen.items():
        compare_stream(f"{worker}/{number} {word}", known[number].done[word], numbers, result)
    result.refused += sum(i.refused for i in starts)


def compare_stream(title, done, numbers, result):
    """One stream of one instance. The line whose write was begun but not counted as done may be there or not."""
    counts = Counter(numbers)
    missing = [k for k in range(1, done + 1) if k not in counts]
    result.written += done
    result.lost += len(missing)
    if missing:
        result.example(f"{title}: lost {len(missing)} of {done}: {ranges(missing)}")
    again = sorted(k for k, n in counts.items() if n > 1)
    result.doubled += sum(counts.values()) - len(counts)
    if again:
        result.example(f"{title}: doubled: {ranges(again)}")
    firsts = list(dict.fromkeys(numbers))
    behind = [b for a, b in zip(firsts, firsts[1:]) if b < a]
    result.disordered += len(behind)
    if behind:
        result.example(f"{title}: out of order: {ranges(behind)}")


def ranges(numbers, most=5):
    """1, 2, 3, 7 as 1-3, 7."""
    spans = []
    for k in numbers:
        if spans and spans[-1][1] == k - 1:
            spans[-1][1] = k
        else:
            spans.append([k, k])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in spans[:most]]
    return ", ".join(texts) + (f" and {len(spans) - most} more ranges" if len(spans) > most else "")
