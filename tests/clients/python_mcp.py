"""The reference Python SDK, PyPI `mcp` 2: it opens in the stateless era, and speaks the older one when told to.

It validates every structured answer against the tool's output schema.
"""

import asyncio
import contextlib
import warnings

import mcp_types as types
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

import scenario


class Session:
    def __init__(self, client, person, news):
        self.client = client
        self.version = client.protocol_version
        self.instructions = client.instructions
        self.person = person
        self.news = news

    @property
    def asked(self):
        return self.person.asked

    @property
    def says(self):
        return self.person.says

    @says.setter
    def says(self, answer):
        self.person.says = answer

    async def tools(self):
        return [scenario.as_json(t) for t in (await self.client.list_tools()).tools]

    async def call(self, name, arguments):
        result = await self.client.call_tool(name, arguments)
        text = "\n".join(c.text for c in result.content if c.type == "text")
        return scenario.Result(text, result.structured_content, bool(result.is_error))

    async def resources(self):
        return [str(r.uri) for r in (await self.client.list_resources(cache_mode="refresh")).resources]

    async def templates(self):
        return [t.uri_template for t in (await self.client.list_resource_templates()).resource_templates]

    async def read(self, uri):
        return (await self.client.read_resource(uri, cache_mode="refresh")).contents[0].text

    async def prompts(self):
        return [p.name for p in (await self.client.list_prompts()).prompts]

    async def prompt(self, name, arguments):
        return (await self.client.get_prompt(name, arguments)).messages[0].content.text

    async def complete(self, reference, argument, value):
        kinds = {"ref/prompt": types.PromptReference, "ref/resource": types.ResourceTemplateReference}
        ref = kinds[reference["type"]].model_validate(reference)
        return (await self.client.complete(ref, {"name": argument, "value": value})).completion.values

    @contextlib.asynccontextmanager
    async def subscribed(self, uri):
        if self.version >= "2026":
            async with self.client.listen(resource_subscriptions=[uri]) as subscription:
                async def told():
                    return await anext(aiter(subscription))
                yield told
            return
        with warnings.catch_warnings():
            # It is the way of this era.
            warnings.simplefilter("ignore")
            await self.client.subscribe_resource(uri)
        yield self.news.get
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            await self.client.unsubscribe_resource(uri)


class Person:
    """Who is asked, and has one answer to all questions."""

    def __init__(self):
        self.asked = []
        self.says = {"action": "decline"}

    async def answer(self, _context, params):
        self.asked.append(params.message)
        return types.ElicitResult(**self.says)


def connect(mode):
    @contextlib.asynccontextmanager
    async def session(stage):
        server = StdioServerParameters(command=stage.hostler, args=["mcp"], env=stage.env, cwd=stage.project)
        person, news = Person(), asyncio.Queue()

        async def heard(message):
            message = getattr(message, "root", message)
            if getattr(message, "method", None) == "notifications/resources/updated":
                news.put_nowait(str(message.params.uri))

        async with Client(
            server, mode=mode, read_timeout_seconds=scenario.CALL_SECONDS,
            elicitation_callback=person.answer, message_handler=heard,
        ) as client:
            yield Session(client, person, news)

    return session


CLIENTS = [
    ("python mcp, as it opens by itself", connect("auto"), "2026-07-28"),
    ("python mcp, legacy", connect("legacy"), "2025-11-25"),
]

if __name__ == "__main__":
    scenario.main(CLIENTS, contract=True)
