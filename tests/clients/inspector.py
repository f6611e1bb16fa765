"""The MCP Inspector on its command line: every call is a connection of its own.

`--strict` fails on a schema that other clients could not read. Needs Node 22.19 or later as `node` on PATH and
the Inspector's launcher in HOSTLER_TEST_INSPECTOR.
"""

import asyncio
import contextlib
import json
import os

import scenario

# Exit status of a call whose tool answered with an error.
TOOL_IS_ERROR = 5


class Session:
    # Its output does not tell what was agreed on; the era is forced.
    version = None

    def __init__(self, stage, era):
        self.stage = stage
        self.era = era

    async def run(self, *method):
        # The client's name comes first, so that the server's own arguments cannot be taken for its options.
        process = await asyncio.create_subprocess_exec(
            "node", os.environ["HOSTLER_TEST_INSPECTOR"], "--cli", "--protocol-era", self.era, "--format", "json",
            "-e", f"HOSTLER_HOME={self.stage.home}", "--cwd", str(self.stage.project), *method,
            "--", self.stage.hostler, "mcp",
            env=self.stage.env, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode not in (0, TOOL_IS_ERROR):
            raise AssertionError(f"the inspector ended with {process.returncode}: {err.decode()} {out.decode()}")
        return process.returncode, json.loads(out)["result"]

    async def tools(self):
        status, result = await self.run("--strict", "--method", "tools/list")
        if status != 0:
            raise AssertionError(f"tools/list ended with {status}")
        return result["tools"]

    async def call(self, name, arguments):
        status, result = await self.run(
            "--method", "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments))
        text = "\n".join(c["text"] for c in result["content"] if c["type"] == "text")
        is_error = bool(result.get("isError"))
        if is_error != (status == TOOL_IS_ERROR):
            raise AssertionError(f"{name}: isError is {is_error}, and the inspector ended with {status}")
        return scenario.Result(text, result.get("structuredContent"), is_error)


def connect(era):
    @contextlib.asynccontextmanager
    async def session(stage):
        yield Session(stage, era)

    return session


scenario.main([(f"inspector, {era}", connect(era), None) for era in ("legacy", "modern")])
