"""The official SDKs make the same of an answer that is given again, whole and as a stream."""

import threading
from collections.abc import Iterator

import anthropic
import openai
import pytest
from werkzeug.serving import make_server

ROUTES = "".join(
    f"""
  - path: /v1/{path}
    function: functions.v1.{path.replace("/", "_")}:handle
    auth: api-key
    routing: {{models: [model-a]}}
    cache: {{}}
"""
    for path in ("chat/completions", "messages", "responses")
)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]


@pytest.fixture
def served(start) -> Iterator[tuple[str, str]]:
    """The URL of a gateway that answers over the wire, and its key."""
    gateway = start(ROUTES)
    server = make_server("127.0.0.1", 0, gateway.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", gateway.key
    server.shutdown()
    thread.join()
    server.server_close()


def test_openai_puts_a_replayed_tool_call_together(served) -> None:
    """Its name, arguments, end and usage."""
    url, key = served
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    choice = {"type": "function", "function": {"name": "weather"}}
    asked = {"model": "model-a", "messages": ASKED, "temperature": 0, "tools": tools}
    asked |= {"tool_choice": choice, "stream_options": {"include_usage": True}}
    found = []
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        for _ in range(2):
            with client.chat.completions.stream(**asked) as stream:
                found.append(stream.get_final_completion().to_dict())
        asked.pop("stream_options")
        raw = client.chat.completions.with_raw_response.create(**asked)
    calls = [answer["choices"][0]["message"].pop("tool_calls") for answer in found]
    assert calls[0] == calls[1]
    assert calls[1][0]["function"]["name"] == "weather"
    assert found[0]["usage"] == found[1]["usage"]
    ends = [answer["choices"][0]["finish_reason"] for answer in found]
    assert ends == [raw.parse().choices[0].finish_reason] * 2
    assert raw.headers["x-gateway-cache"] == "hit"


def test_anthropic_puts_replayed_blocks_together(served) -> None:
    """A translated answer too."""
    url, key = served
    asked = {"model": "model-a", "max_tokens": 200, "messages": ASKED}
    asked |= {"tools": [{"name": "weather", "input_schema": SCHEMA}]}
    asked |= {"tool_choice": {"type": "tool", "name": "weather"}}
    asked |= {"extra_body": {"temperature": 0}}
    found, said = [], []
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as client:
        for _ in range(2):
            with client.messages.stream(**asked) as stream:
                found.append(stream.get_final_message().to_dict())
                said.append(stream.response.headers["x-gateway-cache"])
    assert said == ["miss", "hit"]
    assert found[0] == found[1]
    assert found[1]["content"][0]["input"] == {"city": "Paris"}


def test_openai_reads_a_replayed_response(served) -> None:
    """With its text and usage."""
    url, key = served
    asked = {"model": "model-a", "input": "What is GRPO?", "temperature": 0}
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        found = []
        for _ in range(2):
            with client.responses.stream(**asked) as stream:
                found.append(stream.get_final_response().to_dict())
        raw = client.responses.with_raw_response.create(**asked)
    assert found[0] == found[1]
    assert raw.headers["x-gateway-cache"] == "hit"
    assert "GRPO" in raw.parse().output_text
