"""What is not a tool: resources, who is told of their changes, prompts, completions, questions to a person; and what all of
it costs.

For clients whose session also has

* `instructions`, and `await` of `resources()`, `templates()`, `prompts()`: what there is, by URI or name;
* `await read(uri)`, `await prompt(name, arguments)`: texts; `await complete(reference, argument, value)`: values;
* `subscribed(uri)`: an asynchronous context manager whose value waits for the next news of a resource, `await told()`;
* `says`: the answer to the next questions; `asked`: the questions so far.
"""

import asyncio
import json
import math

# Longest wait for the news of a change.
NEWS_SECONDS = 15
# What these may cost: tokens are estimated on the safe side, four bytes for each.
LIST_TOKENS = 9_000
INSTRUCTIONS_CHARS = 2_048
ANSWER_TOKENS = 2_500
PROMPT_CHARS = 10_000

RESOURCES = {
    "processes://list", "logs://recent", "errors://latest", "groups://list", "health://status", "metrics://summary",
}
TEMPLATES = {"processes://{process}", "logs://{process}", "errors://{error_id}", "groups://{group}"}
PROMPTS = {"debug_process", "optimize_performance", "setup_monitoring", "troubleshoot_group"}
ANSWERS = [
    ("list_processes", {"detail": "full"}),
    ("get_process_info", {"process": "web"}),
    ("get_logs", {"process": "web"}),
    ("tail_logs", {"process": "web"}),
    ("search_logs", {"query": "tick"}),
    ("get_process_stats", {"process": "web"}),
    ("get_system_stats", {}),
    ("get_latest_errors", {}),
]


def can(session):
    """Whether a client can do these things."""
    return hasattr(session, "subscribed")


def lean(value):
    """JSON without what is null, which a client's objects add to what came."""
    if isinstance(value, dict):
        return {k: lean(v) for k, v in value.items() if v is not None}
    return [lean(v) for v in value] if isinstance(value, list) else value


def tokens(text):
    return math.ceil(len(text.encode()) / 4)


async def look(tour, session):
    """All of it, with a process `web` that runs and writes."""
    for part in (resources, prompts, completions, news, questions, costs):
        async with asyncio.timeout(60):
            await part(tour, tour.checks, session)


async def resources(tour, check, session):
    there = set(await session.resources())
    check.that(RESOURCES | {"processes://web", "logs://web"} <= there, f"{len(there)} resources are listed", there)
    templates = set(await session.templates())
    check.that(templates == TEMPLATES, "and their templates", templates)
    web = json.loads(await session.read("processes://web"))
    check.that(web["process"]["status"] == "running", "a process is read", web)
    logs = json.loads(await session.read("logs://web"))
    check.that(logs["lines"][-1]["message"].startswith("tick"), "and its lines", logs)
    page = await tour.good(session, "get_logs", process="web", limit=1)
    check.that(page["truncated"] is True, "an answer that was cut, with its link, is understood", page)


async def prompts(tour, check, session):
    there = set(await session.prompts())
    check.that(there == PROMPTS, "the prompts are listed", there)
    text = await session.prompt("debug_process", {"process": "web"})
    check.that("## What to do next" in text and "tail_logs" in text, "a prompt ends with the calls to go on with", text)
    check.that(len(text) <= PROMPT_CHARS, f"it has {len(text)} characters, {tokens(text)} tokens")


async def completions(tour, check, session):
    found = await session.complete({"type": "ref/prompt", "name": "debug_process"}, "process", "w")
    check.that(found == ["web"], "the argument of a prompt is completed", found)
    found = await session.complete({"type": "ref/resource", "uri": "logs://{process}"}, "process", "we")
    check.that(found == ["web"], "and that of a template", found)


async def news(tour, check, session):
    async with session.subscribed("logs://web") as told:
        async with asyncio.timeout(NEWS_SECONDS):
            await told()
        check.that(True, "who subscribed is told of new lines")


async def questions(tour, check, session):
    """A group of one is killed when a person says so, and not before."""
    await tour.good(session, "start_process", name="asked", command="sleep 300", wait_for="started")
    await tour.good(session, "create_group", name="pair", members=["asked"])
    session.says = {"action": "decline"}
    refused = await tour.call(session, "kill_process", group="pair")
    check.that(refused.is_error and "the person said no" in refused.text, "a person who says no is heard", refused)
    check.that(len(session.asked) == 1 and "`pair`" in session.asked[0], "the question names what it is about", session.asked)
    session.says = {"action": "accept", "content": {"confirm": True}}
    killed = await tour.good(session, "kill_process", group="pair")
    check.that(killed["members"][0]["status"] == "stopped" and len(session.asked) == 2, "and one who says yes", killed)
    await tour.good(session, "stop_group", group="pair", remove=True)
    await tour.good(session, "stop_process", process="asked", remove=True)


async def costs(tour, check, session):
    """What a model reads before and with its work: printed, for whoever follows how it grows."""
    listed = json.dumps(lean(await session.tools()), separators=(",", ":"), ensure_ascii=False)
    print(f"        tools/list: {len(listed.encode())} bytes, {tokens(listed)} tokens")
    check.that(tokens(listed) <= LIST_TOKENS, f"the list of tools costs at most {LIST_TOKENS} tokens", tokens(listed))
    told = session.instructions or ""
    print(f"        instructions: {len(told.encode())} bytes, {tokens(told)} tokens")
    check.that(0 < len(told) <= INSTRUCTIONS_CHARS, "the instructions are there, and short", len(told))
    large = []
    for tool, arguments in ANSWERS:
        result = await tour.call(session, tool, **arguments)
        structured = json.dumps(lean(result.structured), separators=(",", ":"), ensure_ascii=False)
        print(f"        {tool}: {tokens(result.text)} tokens of text, {tokens(structured)} structured")
        if max(tokens(result.text), tokens(structured)) > ANSWER_TOKENS:
            large.append(tool)
    check.that(not large, f"typical answers cost at most {ANSWER_TOKENS} tokens", large)
