"""The TypeScript SDKs: `@modelcontextprotocol/sdk` 1 (older era) and `@modelcontextprotocol/client` 2 (both eras).

Each is a small program in Node beside this file, which is told what to do in lines of JSON. Needs Node 20 or
later as `node` on PATH and the packages in NODE_PATH.
"""

import asyncio
import contextlib
import json
import pathlib

import scenario

HERE = pathlib.Path(__file__).resolve().parent
# Longest line of an answer.
LINE_BYTES = 16 << 20
# A client that was told to end has this long.
END_SECONDS = 10


class Session:
    def __init__(self, process):
        self.process = process
        self.version = None
        self.instructions = None
        self.asked = []
        self.says = {"action": "decline"}

    async def ask(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        await self.process.stdin.drain()
        line = await self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the client ended with {await self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    async def tools(self):
        return (await self.ask(do="tools"))["tools"]

    async def call(self, name, arguments):
        await self.ask(do="says", answer=self.says)
        result = await self.ask(do="call", name=name, arguments=arguments)
        self.asked = (await self.ask(do="asked"))["asked"]
        text = "\n".join(c["text"] for c in result["content"] if c["type"] == "text")
        return scenario.Result(text, result.get("structuredContent"), bool(result.get("isError")))


    async def resources(self):
        return [r["uri"] for r in (await self.ask(do="resources"))["resources"]]

    async def templates(self):
        return [t["uriTemplate"] for t in (await self.ask(do="templates"))["resourceTemplates"]]

    async def read(self, uri):
        return (await self.ask(do="read", uri=uri))["contents"][0]["text"]

    async def prompts(self):
        return [p["name"] for p in (await self.ask(do="prompts"))["prompts"]]

    async def prompt(self, name, arguments):
        result = await self.ask(do="prompt", name=name, arguments=arguments)
        return result["messages"][0]["content"]["text"]

    async def complete(self, reference, argument, value):
        argument = {"name": argument, "value": value}
        return (await self.ask(do="complete", reference=reference, argument=argument))["completion"]["values"]

    @contextlib.asynccontextmanager
    async def subscribed(self, uri):
        await self.ask(do="subscribe", uri=uri)

        async def told():
            await self.ask(do="told")

        yield told
        await self.ask(do="unsubscribe")


def connect(program, *args):
    @contextlib.asynccontextmanager
    async def session(stage):
        process = await asyncio.create_subprocess_exec(
            "node", str(HERE / program), stage.hostler, str(stage.project), *args,
            env=stage.env, limit=LINE_BYTES, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        try:
            client = Session(process)
            async with asyncio.timeout(scenario.CALL_SECONDS):
                told = await client.ask(do="connect")
                client.version, client.instructions = told["version"], told["instructions"]
            yield client
            process.stdin.close()
            async with asyncio.timeout(END_SECONDS):
                status = await process.wait()
            if status != 0:
                raise AssertionError(f"the client ended with {status}")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    return session


scenario.main([
    ("node sdk 1, legacy", connect("node_sdk.cjs"), "2025-11-25"),
    ("node client 2, modern", connect("node_client.cjs", "modern"), "2026-07-28"),
    ("node client 2, legacy", connect("node_client.cjs", "legacy"), "2025-11-25"),
], contract=True)
