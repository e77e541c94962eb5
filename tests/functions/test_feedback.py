"""POST /feedback: what a person says of a request is one row, whatever he says and how often."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_gateway.clock import SystemClock
from ai_gateway.contract import Caller, Context, Event
from ai_gateway.errors import BadRequest
from ai_gateway.feedback.given import Feedback, label_id
from ai_gateway.ids import new_id
from ai_gateway.manifest.model import Route
from ai_gateway.records import Records, to_rows
from ai_gateway.records.schema import TABLES
from functions.feedback import handle
from tests.conftest import ROOT
from tests.dashboard.rows import NOON, FakeClock

ID = new_id(FakeClock(), Random(1))
BOB = Caller(id="key-bob", scheme="api-key", tenant="acme")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """An empty store."""
    return Records.open(str(tmp_path), tmp_path / "wal", FakeClock(), background=False)


def post(
    records: Records,
    body: dict[str, Any],
    privacy: str = "full",
    at: float = NOON,
    by: Caller = BOB,
) -> str:
    """The id that the reply has."""
    nothing: Any = None
    given = {field.name: nothing for field in fields(Context)} | {"records": records}
    route = Route(path="/feedback", function="functions.feedback:handle", privacy=privacy)
    event = Event("r", route, "POST", route.path, at, body=json.dumps(body).encode(), caller=by)
    reply = handle(event, Context(**given))
    assert (reply.status, set(reply.body)) == (201, {"feedback_id"})
    return str(reply.body["feedback_id"])


def rows(records: Records) -> list[dict[str, Any]]:
    """What is stored."""
    records.flush()
    return to_rows(records.scan("feedback"))


def test_all_that_was_said_is_kept(records: Records) -> None:
    """With the caller's tenant, the time, and no probability: nobody drew the request."""
    said = {"score": 1, "thumb": "up", "preferred": "model-b", "correction": "It is 4."}
    said |= {"guardrail": "false_alarm", "rule": "bombs/topic/making", "rater": "Ann Lee"}
    label = post(records, {"request_id": ID, **said})
    (row,) = rows(records)
    assert row == {
        "schema_version": 1,
        "feedback_id": f"{label}/{round(NOON * 1e6)}",
        "created_at": round(NOON * 1e6),
        "request_id": ID,
        "tenant": "acme",
        "selection_probability": None,
        **said,
    }


def test_without_a_rater_it_is_the_caller(records: Records) -> None:
    """And what was not said is null."""
    post(records, {"request_id": ID, "thumb": "down"})
    (row,) = rows(records)
    assert (row["rater"], row["thumb"], row["score"]) == ("key-bob", "down", None)


def test_the_same_rating_has_the_same_id_whatever_it_says(records: Records) -> None:
    """Said twice, it is one label; another rater, tenant, rule or thing rated is another."""
    first = post(records, {"request_id": ID, "thumb": "up"})
    assert post(records, {"request_id": ID, "thumb": "up"}) == first
    assert post(records, {"request_id": ID, "thumb": "down"}, at=NOON + 1) == first
    eve = Caller(id="key-bob", scheme="api-key", tenant="other")
    rule = {"request_id": ID, "guardrail": "missed"}
    others = [
        post(records, {"request_id": ID, "thumb": "up", "rater": "ann"}),
        post(records, {"request_id": ID, "thumb": "up"}, by=eve),
        post(records, {"request_id": ID, "score": 0.5}),
        post(records, {"request_id": new_id(FakeClock(), Random(2)), "thumb": "up"}),
        post(records, rule),
        post(records, {**rule, "rule": "making"}),
    ]
    assert len({first, *others}) == 7


def test_a_mind_that_changed_back_is_kept(records: Records) -> None:
    """Up, down and up again are three rows of one label; the same post at once is stored once."""
    for at, thumb in enumerate(["up", "down", "up", "up"]):
        post(records, {"request_id": ID, "thumb": thumb}, at=NOON + min(at, 2))
    assert [row["thumb"] for row in rows(records)] == ["up", "down", "up"]


@pytest.mark.parametrize(
    ("privacy", "kept"),
    [
        ("full", "It is 4."),
        ("hashed", "sha256:ff244dcfd9793d6f315c69c87d2113f566fba0655a5641dc7202f67cbd4b05ee"),
        ("none", None),
    ],
)
def test_a_correction_is_kept_as_the_route_allows(
    records: Records, privacy: str, kept: str | None
) -> None:
    """It may quote what the rated request's own route kept out of records."""
    post(records, {"request_id": ID, "correction": "It is 4."}, privacy)
    assert rows(records)[0]["correction"] == kept


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"thumb": None}, "at least one of score, thumb, preferred, correction, guardrail must"),
        ({"thumb": "sideways"}, "thumb: Input should be 'up' or 'down' (found 'sideways')"),
        ({"score": 1.5}, "score: Input should be less than or equal to 1 (found 1.5)"),
        ({"score": True}, "score: Input should be a valid number (found True)"),
        ({"score": "0.5"}, "score: Input should be a valid number (found '0.5')"),
        ({"request_id": "chatcmpl-1"}, "(found 'chatcmpl-1')"),
        ({"request_id": ID.upper()}, "32 hex digits of a UUID version 7"),
        ({"request_id": ID + "\n"}, "32 hex digits of a UUID version 7"),
        ({"request_id": None}, "request_id: Value error"),
        ({"preferred": "Model A"}, "preferred: Value error, a name of at most 64"),
        ({"correction": ""}, "correction: String should have at least 1 character"),
        ({"correction": "x" * 100_001}, "correction: String should have at most 100000"),
        ({"rater": "x" * 201}, "rater: String should have at most 200"),
        ({"rater": "a\x1b[2J"}, "rater: Value error, a text of printable characters"),
        ({"rule": "making"}, "rule goes with guardrail"),
        ({"guardrail": "false_alarm"}, "guardrail: false_alarm must name the rule that fired"),
        ({"guardrail": "confirmed"}, "guardrail: confirmed must name the rule that fired"),
        ({"guardrail": "wrong", "rule": "a"}, "'false_alarm', 'confirmed' or 'missed'"),
        ({"guardrail": "missed", "rule": "a\u202eb"}, "rule: Value error, a text of printable"),
        ({"selection_probability": 1e-9}, "selection_probability: Extra inputs"),
        ({"tenant": "acme"}, "tenant: Extra inputs are not permitted (found 'acme')"),
    ],
)
def test_what_cannot_be_is_told(records: Records, changed: dict[str, Any], message: str) -> None:
    """Each a 400 that says what was found, and no row."""
    with pytest.raises(BadRequest) as error:
        post(records, {"request_id": ID, "thumb": "up", **changed})
    assert message in error.value.message
    assert rows(records) == []


def test_a_miss_may_name_no_rule(records: Records) -> None:
    """Who sees that something passed need not know what should have stopped it."""
    post(records, {"request_id": ID, "guardrail": "missed"})
    assert rows(records)[0]["rule"] is None


@given(st.integers(0, 2**64))
def test_every_id_of_the_gateway_is_taken(seed: int) -> None:
    """Whatever its time and its random bits."""
    clock = FakeClock(seed % 2**32) if seed % 2 else SystemClock()
    request_id = new_id(clock, Random(seed))
    assert Feedback(request_id=request_id, thumb="up").request_id == request_id


@given(st.text(), st.text())
def test_ids_of_two_raters_differ(one: str, other: str) -> None:
    """However their names and their tenants' are put together."""
    said = Feedback(request_id=ID, thumb="up")
    same = label_id(said, one, other) == label_id(said, other, one)
    assert same == (one == other)


def test_the_pages_name_every_key_and_column() -> None:
    """docs/api.md has the body's keys, docs/records.md the table's columns."""
    api, stored = ((ROOT / "docs" / name).read_text() for name in ("api.md", "records.md"))
    assert [name for name in Feedback.model_fields if f"\n| `{name}` |" not in api] == []
    columns = [name for name in TABLES["feedback"].schema.names if f"`{name}`" not in stored]
    assert columns == []
