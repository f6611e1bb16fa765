"""FastMCP's client, PyPI `fastmcp` 4: it makes a typed object of every structured answer, by the output schema."""

import contextlib

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

import scenario


class Session:
    def __init__(self, client):
        self.client = client
        self.version = client.protocol_version

    async def tools(self):
        return [scenario.as_json(t) for t in await self.client.list_tools()]

    async def call(self, name, arguments):
        result = await self.client.call_tool(name, arguments, raise_on_error=False)
        text = "\n".join(c.text for c in result.content if c.type == "text")
        if result.structured_content is not None and not result.is_error and result.data is None:
            raise AssertionError(f"{name}: its answer does not fit its output schema")
        return scenario.Result(text, result.structured_content, result.is_error)


def connect(mode):
    @contextlib.asynccontextmanager
    async def session(stage):
        transport = StdioTransport(
            stage.hostler, ["mcp"], env=stage.env, cwd=str(stage.project), keep_alive=False)
        async with Client(transport, mode=mode, timeout=scenario.CALL_SECONDS) as client:
            yield Session(client)

    return session


scenario.main([
    ("fastmcp, as it opens by itself", connect("auto"), "2026-07-28"),
    ("fastmcp, legacy", connect("legacy"), "2025-11-25"),
], contract=True)
