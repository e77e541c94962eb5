"""Pictures and sound: passed on as they are, guarded by their words, recorded by their digests."""

import hashlib
import io
import json

import pytest

from ai_gateway.errors import UpstreamError

PATHS = {
    "images_generations": "images/generations",
    "images_edits": "images/edits",
    "images_variations": "images/variations",
    "audio_speech": "audio/speech",
    "audio_transcriptions": "audio/transcriptions",
    "audio_translations": "audio/translations",
}
ROUTES = "".join(
    f"""
  - path: /v1/{path}
    function: functions.v1.{name}:handle
    auth: api-key
    guardrails: [forbidden]
    max_body: 100000
    routing: {{models: [media, model-a]}}
"""
    for name, path in PATHS.items()
)
POLICIES = {
    "forbidden": """
version: 1
name: forbidden
checks:
  - {name: words, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
  - {name: heard, type: phrases, stages: [output], action: block, phrases: [plugh]}
"""
}
FILE = b"\x00\xff\r\n--"
DIGEST = f"sha256:{hashlib.sha256(FILE).hexdigest()}"


@pytest.fixture
def gateway(start, simulator):
    """Every surface of pictures and sound, one policy."""
    url = simulator.url + "/namespaces/serving-default/endpoints/media/v1"
    media = f"  media: {{url: {url}, model_id: simulated/media, credentials: {{token: t}}}}\n"
    return start(ROUTES, policies=POLICIES, models=media)


def post(gateway, path, filename="a.bin", **fields):
    """A form with one file where ``fields`` has one, else JSON."""
    body = {"model": "media", **fields}
    if "json" in body:
        return gateway.client.post(f"/v1/{path}", json=body.pop("json"), headers=gateway.headers)
    files = {
        name: (io.BytesIO(value), filename) if isinstance(value, bytes) else value
        for name, value in body.items()
    }
    return gateway.client.post(
        f"/v1/{path}", data=files, headers=gateway.headers, content_type="multipart/form-data"
    )


def test_pictures_from_a_prompt(gateway) -> None:
    """The answer is the model's own; the row has the prompt, the tokens and a digest."""
    reply = post(gateway, "images/generations", json={"model": "media", "prompt": "a cat", "n": 2})
    assert reply.status_code == 200
    assert [list(image) for image in reply.json["data"]] == [["b64_json"], ["b64_json"]]
    assert "model" not in reply.json
    assert reply.headers["x-gateway-model"] == "media"
    (row,) = gateway.rows()
    assert (row["surface"], row["input"], row["output"]) == ("images", "a cat", "")
    assert row["output_tokens"] == 2
    assert row["response_digest"].startswith("sha256:")


def test_pictures_as_they_become_clear(gateway) -> None:
    """A streamed picture is events under their names."""
    reply = post(
        gateway, "images/generations", json={"model": "media", "prompt": "a", "stream": True}
    )
    names = [line for line in reply.text.split("\n") if line.startswith("event:")]
    assert names[-1] == "event: image_generation.completed"
    assert [row["status"] for row in gateway.rows()] == [200]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("images/edits", {"image": FILE, "prompt": "redder"}),
        ("images/edits", {"image[]": FILE, "prompt": "redder"}),
        ("images/variations", {"image": FILE}),
    ],
)
def test_pictures_from_pictures(gateway, path, fields) -> None:
    """The picture goes to the model as it came; the record holds its size and digest."""
    reply = post(gateway, path, **fields)
    assert reply.json["data"][0]["b64_json"]
    (row,) = gateway.rows()
    request = json.loads(row["request"])
    (described,) = [request["image"]] if "image" in fields else request["image[]"]
    assert (described["bytes"], described["digest"]) == (len(FILE), DIGEST)
    assert request["model"] == "media"


@pytest.mark.parametrize("path", ["audio/transcriptions", "audio/translations"])
def test_what_was_said_is_heard(gateway, path) -> None:
    """The file arrives byte for byte; the answer's text is recorded."""
    reply = post(gateway, path, file=FILE, prompt="Hm")
    assert reply.json["text"] == f"The file a.bin has {len(FILE)} bytes."
    assert "model" not in reply.json
    (row,) = gateway.rows()
    assert (row["input"], row["output"]) == ("Hm", reply.json["text"])


def test_words_may_come_as_text(gateway) -> None:
    """A format that is no JSON keeps its type."""
    reply = post(gateway, "audio/transcriptions", file=FILE, response_format="text")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.text == f"The file a.bin has {len(FILE)} bytes."
    (row,) = gateway.rows()
    assert row["output"] == reply.text
    assert row["response_digest"] == f"sha256:{hashlib.sha256(reply.data).hexdigest()}"


def test_words_may_come_one_by_one(gateway) -> None:
    """A streamed transcription is events, and held back while a policy reads answers."""
    reply = post(gateway, "audio/transcriptions", file=FILE, stream="true")
    assert "transcript.text.done" in reply.text
    (row,) = gateway.rows()
    assert (row["output"].strip(), row["output_tokens"] > 0) == (
        f"The file a.bin has {len(FILE)} bytes.",
        True,
    )


def test_what_was_heard_is_guarded(gateway) -> None:
    """A policy on answers reads what a recording says."""
    for more in ({}, {"response_format": "text"}, {"stream": "true"}):
        reply = post(gateway, "audio/transcriptions", file=FILE, filename="plugh", **more)
        assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")


def test_speech_comes_as_it_is(gateway) -> None:
    """The sound keeps its type; the record has its size and digest, and no sound."""
    body = {"model": "media", "input": "hello", "voice": "alloy"}
    reply = post(gateway, "audio/speech", json=body)
    assert reply.headers["content-type"] == "audio/wav"
    assert reply.headers["x-upstream-request-id"].startswith("req_")
    assert reply.data.startswith(b"RIFF")
    (row,) = gateway.rows()
    assert (row["input"], row["output"]) == ("hello", f"audio/wav, {len(reply.data)} bytes")
    assert row["response_digest"] == f"sha256:{hashlib.sha256(reply.data).hexdigest()}"
    assert row["status"] == 200


def test_speech_that_breaks_off_is_no_whole_one(gateway) -> None:
    """The connection is cut, for sound has no place for an error; the row says what happened."""
    gateway.simulator.faults["media"] = "cut=mid-body"
    body = {"model": "media", "input": "hello", "voice": "alloy"}
    reply = post(gateway, "audio/speech", json=body)
    with pytest.raises(UpstreamError, match="The model simulated/media"):
        reply.get_data()
    (row,) = gateway.rows()
    assert (row["status"], row["attempts"][0]["error"]) == (502, row["error"])


def test_a_caller_of_speech_may_leave(gateway) -> None:
    """Who leaves before the end is recorded as having left."""
    body = {"model": "media", "input": "hello", "voice": "alloy"}
    with gateway.client.post(
        "/v1/audio/speech", json=body, headers=gateway.headers, buffered=False
    ) as reply:
        assert reply.status_code == 200
    (row,) = gateway.rows()
    assert (row["status"], row["error"]) == (499, "client_closed_request")


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("images/generations", {"json": {"prompt": "xyzzy"}}),
        ("images/generations", {"json": {"prompt": "a", "negative_prompt": "xyzzy"}}),
        ("images/edits", {"image": FILE, "prompt": "xyzzy"}),
        ("images/variations", {"image": FILE, "hint": "xyzzy"}),
        ("audio/speech", {"json": {"input": "xyzzy", "voice": "alloy"}}),
        ("audio/speech", {"json": {"input": "a", "instructions": "xyzzy", "voice": "alloy"}}),
        ("audio/transcriptions", {"file": FILE, "prompt": "xyzzy"}),
        ("audio/translations", {"file": FILE, "prompt": "xyzzy"}),
    ],
)
def test_what_is_forbidden_reaches_no_model(gateway, path, fields) -> None:
    """Every text that a model could read is guarded."""
    reply = post(gateway, path, **fields)
    assert (reply.status_code, reply.json["error"]["code"]) == (403, "policy_violation")
    assert not gateway.simulator.counts


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("images/generations", {"json": {"n": 1}}, 400),
        ("images/edits", {"image": FILE}, 400),
        ("images/edits", {"prompt": "a"}, 400),
        ("images/variations", {"prompt": "a"}, 400),
        ("images/variations", {"image": FILE, "stream": "true"}, 400),
        ("audio/speech", {"json": {"voice": "a"}}, 400),
        ("audio/transcriptions", {"prompt": "a"}, 400),
        ("audio/transcriptions", {"json": {"file": "a"}}, 400),
        ("audio/translations", {"file": "a"}, 400),
        ("audio/translations", {"file": b"a" * 100_001}, 413),
        ("audio/translations", {"file": FILE, "model": "nobody"}, 404),
    ],
)
def test_what_is_no_request_is_refused(gateway, path, fields, status) -> None:
    """The caller learns what is missing, before any model is asked."""
    reply = post(gateway, path, **fields)
    assert reply.status_code == status, reply.text
    assert not gateway.simulator.counts
