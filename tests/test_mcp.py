"""The search over the Model Context Protocol."""

import ast
import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gradio_client import Client
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent, Tool

from tests.harness.apps import running_app


async def ask(
    address: str, calls: list[dict[str, Any]]
) -> tuple[dict[str, Tool], list[CallToolResult]]:
    """The tools by name, and what search_strokes returns to each of these calls."""
    async with (
        streamable_http_client(f"{address}/gradio_api/mcp/") as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        return tools, [await session.call_tool("search_strokes", call) for call in calls]


def test_tools_answer_as_the_api_does(
    examples: dict[str, list[dict[str, Any]]],
) -> None:
    whole = {"strokes": examples["giraffe"], "k": 3}
    narrowed = {**whole, "only": ["frog"]}
    with running_app("app.py", "--mcp") as address:
        # A browser of other tests may have an event loop in this thread.
        with ThreadPoolExecutor(1) as thread:
            calls: list[dict[str, Any]] = [whole, narrowed, {"strokes": []}]
            tools, answers = thread.submit(asyncio.run, ask(address, calls)).result()
        client = Client(address, verbose=False)
        expected = [
            client.predict(**call, api_name="/search_strokes") for call in (whole, narrowed)
        ]
    assert set(tools) == {"search_file", "search_strokes"}
    assert '"points": [[0.1, 0.2], [0.3, 0.4]]' in (tools["search_strokes"].description or "")
    assert tools["search_strokes"].inputSchema["required"] == ["strokes"]
    said = []
    for answer in answers:
        assert isinstance(answer.content[0], TextContent)
        said.append(answer.content[0].text)
    assert [answer.isError for answer in answers] == [False, False, True]
    assert [ast.literal_eval(text) for text in said[:2]] == expected
    assert [photo["label"] for photo in expected[1]] == ["frog", "frog"]
    assert "Draw a line to start" in said[2]
