"""A log parser: lines such as `E disk full`, a letter for the level, a space, the message."""

from wit_world.exports import log_parsing, metadata
from wit_world.imports.types import Span

LEVELS = {b"D": 5, b"I": 9, b"W": 13, b"E": 17}


class Metadata:
    def describe(self) -> metadata.Info:
        return metadata.Info(
            name="letters",
            version="0.1.0",
            summary="Reads the level from a line's first letter.",
            config_schema=None,
            extra=[],
        )


class Lifecycle:
    def configure(self, config_json: str) -> None:
        pass


class LogParsing:
    def parse(self, batch, end_of_stream: bool) -> log_parsing.ParsedBatch:
        rows = []
        start = 0
        for number, end in enumerate(batch.ends):
            level = LEVELS.get(batch.bytes[start : start + 1])
            if level and batch.bytes[start + 1 : start + 2] == b" ":
                rows.append(log_parsing.Row(number, number, level, None, Span(start + 2, end)))
            start = end
        return log_parsing.ParsedBatch(rows=rows, keys=[], fields=[], pending_from=None)
