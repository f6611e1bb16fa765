"""The reference Python SDK, PyPI `mcp` 2: it opens in the stateless era, and speaks the older one when told to.

It validates every structured answer against the tool's output schema.
"""

import contextlib

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

import scenario


class Session:
    def __init__(self, client):
        self.client = client
        self.version = client.protocol_version

    async def tools(self):
        return [scenario.as_json(t) for t in (await self.client.list_tools()).tools]

    async def call(self, name, arguments):
        result = await self.client.call_tool(name, arguments)
        text = "\n".join(c.text for c in result.content if c.type == "text")
        return scenario.Result(text, result.structured_content, bool(result.is_error))


def connect(mode):
    @contextlib.asynccontextmanager
    async def session(stage):
        server = StdioServerParameters(command=stage.hostler, args=["mcp"], env=stage.env, cwd=stage.project)
        async with Client(server, mode=mode, read_timeout_seconds=scenario.CALL_SECONDS) as client:
            yield Session(client)

    return session


CLIENTS = [
    ("python mcp, as it opens by itself", connect("auto"), "2026-07-28"),
    ("python mcp, legacy", connect("legacy"), "2025-11-25"),
]

if __name__ == "__main__":
    scenario.main(CLIENTS, contract=True)
