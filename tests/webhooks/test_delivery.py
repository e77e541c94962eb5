"""An event is told in a moment, and delivered in order until it is taken, or dead."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest
from standardwebhooks import WebhookVerificationError

from tests.webhooks.conftest import OTHER, SECRET


def numbers(receiver) -> list[int]:
    """The order in which events came."""
    return [each.event["data"]["n"] for each in receiver.received]


def test_an_event_is_signed_as_the_specification_says(hooks, receiver) -> None:
    """The reference implementation of Standard Webhooks verifies it, and takes no changed one."""
    made = hooks()
    made.adopt(callback=receiver.url)
    made.tell(1)
    assert made.run() == 1
    (came,) = receiver.received
    event = came.verified()
    assert came.path == "/hook?a=b"
    assert came.headers["content-type"] == "application/json"
    assert came.headers["webhook-id"] == event["id"]
    assert event == {
        "id": event["id"],
        "type": "request.completed",
        "created_at": event["created_at"],
        "route": "chat",
        "tenant": "acme",
        "request_id": "r1",
        "data": {"n": 1},
    }
    with pytest.raises(WebhookVerificationError):
        came.verified(OTHER)
    assert made.count("delivered") == 1
    assert made.waiting() == made.dead() == 0


def test_two_secrets_sign_while_one_takes_the_others_place(hooks, receiver) -> None:
    """A receiver that knows either of them verifies."""
    made = hooks()
    made.adopt(callback={"url": receiver.url, "secret": [SECRET, OTHER]}, secrets=())
    made.tell(1)
    made.run()
    (came,) = receiver.received
    assert came.verified(SECRET) == came.verified(OTHER)


def test_a_failing_event_holds_up_its_route_and_no_other(hooks, receiver) -> None:
    """Of a route everything comes in order, however often the first is not taken."""
    made = hooks()
    made.adopt(callback=receiver.url)
    receiver.script.extend([(500, {}, b"no"), (204, {}, b""), (500, {}, b"no")])
    made.tell(1, 2, 3)
    made.run()
    assert numbers(receiver) == [1]
    made.tell(7, route="other")
    made.run()
    for seconds in (1, 2):  # the longest that the backoff may be
        made.clock.time += seconds
        made.run()
    assert numbers(receiver) == [1, 7, 1, 1, 2, 3]
    assert made.count("failed") == 2
    assert made.count("delivered") == 4


def test_attempts_are_the_same_event_with_a_time_of_their_own(hooks, receiver) -> None:
    """A receiver tells a repeated event by its id; the signature is of the attempt."""
    made = hooks()
    made.adopt(callback=receiver.url)
    receiver.script.append((503, {}, b""))
    made.tell(1)
    made.run()
    made.clock.time += 2
    made.run()
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) >= int(first.headers["webhook-timestamp"]) + 2


def test_the_wait_doubles_up_to_its_bound_and_is_jittered(hooks, receiver) -> None:
    """Each wait is drawn between nothing and the backoff, which doubles up to max_backoff."""
    receiver.always = (500, {}, b"")

    def waits() -> list[float]:
        made, found = hooks(), []
        retries = {"attempts": 8, "backoff": "1s", "max_backoff": "10s"}
        made.adopt(callback={"url": receiver.url, "retries": retries})
        made.tell(1)
        while made.run() and (wait := made.webhooks.wait()) is not None:
            found.append(wait)
            made.clock.time += wait + 0.001
        return found

    first = waits()
    bounds = [1, 2, 4, 8, 10, 10, 10]
    assert all(0 <= wait <= bound for wait, bound in zip(first, bounds, strict=True))
    assert len(set(first)) == 7
    assert waits() == pytest.approx(first)  # the same chance, the same waits


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(hooks, receiver, form) -> None:
    """A receiver says when to come again, in seconds or as a date."""
    made = hooks()
    made.adopt(callback=receiver.url)
    said = "120" if form == "seconds" else formatdate(made.clock.time + 120, usegmt=True)
    receiver.script.append((429, {"retry-after": said}, b""))
    made.tell(1)
    made.run()
    wait = made.webhooks.wait()
    assert wait is not None
    assert 118 < wait <= 120


def test_a_retry_after_of_a_year_is_an_hour(hooks, receiver) -> None:
    """No receiver has its own events wait for ever."""
    made = hooks()
    made.adopt(callback=receiver.url)
    receiver.script.append((503, {"retry-after": "31536000"}, b""))
    made.tell(1)
    made.run()
    assert made.webhooks.wait() == 3600


def test_what_is_not_taken_in_the_end_is_a_dead_letter(hooks, receiver) -> None:
    """It is a row with all of the event and what the last answer was; the next one goes on."""
    made = hooks()
    made.adopt(callback={"url": receiver.url, "retries": {"attempts": 2}})
    receiver.script.extend([(500, {}, b""), (418, {}, b"")])
    made.tell(1, 2)
    made.run()
    made.clock.time += 1
    made.run()
    assert numbers(receiver) == [1, 1, 2]
    (row,) = made.rows()
    assert json.loads(row["body"]) == receiver.received[0].event
    named = {name: row[name] for name in ("state", "reason", "status", "attempts", "callback")}
    assert named == {
        "state": "dead",
        "reason": "status",
        "status": 418,
        "attempts": 2,
        "callback": "(bundle)",
    }
    assert (row["route"], row["tenant"], row["request_id"]) == ("chat", "acme", "r1")
    assert row["event_id"] == receiver.received[0].event["id"]
    assert made.dead() == 1


def test_gone_ends_it_at_once(hooks, receiver) -> None:
    """A receiver that answers 410 wants no more of that event."""
    made = hooks()
    made.adopt(callback=receiver.url)
    receiver.script.append((410, {}, b""))
    made.tell(1)
    made.run()
    assert [row["status"] for row in made.rows()] == [410]
    assert made.webhooks.wait() is None


def test_a_redirect_is_not_followed(hooks, receiver) -> None:
    """Wherever a receiver points, nothing goes there."""
    made = hooks()
    made.adopt(callback={"url": receiver.url, "retries": {"attempts": 1}})
    receiver.script.append((307, {"location": f"http://127.0.0.1:{receiver.port}/else"}, b""))
    made.tell(1)
    made.run()
    assert [each.path for each in receiver.received] == ["/hook?a=b"]
    assert [row["status"] for row in made.rows()] == [307]


def test_a_huge_answer_is_not_read(hooks, receiver) -> None:
    """Only the status counts; the connection is given up."""
    made = hooks()
    made.adopt(callback=receiver.url)
    receiver.script.append((200, {}, b"x" * 50_000_000))
    made.tell(1, 2)
    made.run()
    assert made.count("delivered") == 2


def test_an_answer_that_breaks_off_was_still_given(hooks, receiver) -> None:
    """A status that came counts, whatever becomes of the body."""
    made = hooks()
    made.adopt(callback=receiver.url)
    receiver.script.append((200, {"content-length": "1000", "connection": "close"}, b"short"))
    made.tell(1)
    made.run()
    assert made.count("delivered") == 1


def test_a_receiver_that_is_not_there_is_tried_again(hooks, receiver) -> None:
    """No connection is a failed attempt like any other."""
    made = hooks()
    made.adopt(callback={"url": "http://127.0.0.1:9/", "retries": {"attempts": 1}})
    made.tell(1)
    made.run()
    (row,) = made.rows()
    assert row["reason"] == "upstream_unreachable"
    assert row["status"] is None


def test_what_is_too_much_is_a_dead_letter_at_once(hooks, receiver) -> None:
    """A queue that is full loses nothing: the event is kept where it can be sent again."""
    made = hooks(most=2)
    made.adopt(callback=receiver.url)
    made.tell(1, 2, 3)
    assert [row["reason"] for row in made.rows()] == ["queue_full"]
    assert made.run() == 2
    made.tell(4)
    made.run()
    assert numbers(receiver) == [1, 2, 4]


def test_a_route_has_a_callback_of_its_own(hooks, receiver) -> None:
    """It is told in place of the bundle's, of its route's requests and of nothing else."""
    made = hooks()
    route = {"path": "/chat", "name": "chat", "callback": receiver.url.replace("hook", "own")}
    made.adopt(callback=receiver.url, routes=[route])
    made.tell(1)
    made.tell(2, route="other")
    made.tell(3, route="chat", kind="key.issued")
    made.run()
    paths = {each.event["data"]["n"]: each.path for each in receiver.received}
    assert paths == {1: "/own?a=b", 2: "/hook?a=b", 3: "/hook?a=b"}


def test_only_what_is_asked_for_is_told(hooks, receiver) -> None:
    """Other events are not even written down."""
    made = hooks()
    made.adopt(callback={"url": receiver.url, "events": ["key.issued"]})
    made.tell(1)
    made.tell(2, kind="key.issued")
    assert made.waiting() == 1
    made.run()
    assert numbers(receiver) == [2]


def test_a_changed_callback_gets_what_waits(hooks, receiver) -> None:
    """A reload loses nothing: what waits goes to the new address at once, by the new secret."""
    made = hooks()
    made.adopt(callback={"url": "http://127.0.0.1:9/"})
    made.tell(1, 2)
    made.run()
    assert not receiver.received
    made.adopt(callback={"url": receiver.url, "secret": OTHER})
    made.run()
    assert [each.verified(OTHER)["data"]["n"] for each in receiver.received] == [1, 2]


@pytest.mark.parametrize("attempts", [1, 15])
def test_a_callback_that_changes_while_it_is_asked(hooks, receiver, attempts: int) -> None:
    """What the old one refuses for good meanwhile is sent to the new one, at once."""
    made = hooks()
    retries = {"attempts": attempts, "backoff": "1h", "max_backoff": "1h"}
    made.adopt(callback={"url": receiver.url, "retries": retries})

    def changes() -> tuple[int, dict[str, str], bytes]:
        made.adopt(callback=receiver.url.replace("hook", "new"))
        return 410, {}, b""

    receiver.script.append(changes)
    made.tell(1)
    assert made.run() == 2
    assert [each.path for each in receiver.received] == ["/hook?a=b", "/new?a=b"]
    assert (made.count("delivered"), made.rows()) == (1, [])


def test_a_changed_callback_hurries_no_other(hooks, receiver) -> None:
    """What waits for another goes on waiting."""
    made = hooks()
    own = {"path": "/chat", "name": "chat", "callback": receiver.url}
    made.adopt(callback="http://127.0.0.1:9/", routes=[own])
    receiver.script.append((503, {"retry-after": "100"}, b""))
    made.tell(1)
    made.tell(2, route="other")
    made.run()
    made.adopt(callback=receiver.url, routes=[own])
    made.run()
    assert numbers(receiver) == [1, 2]


def test_what_waits_for_a_callback_that_is_gone_is_dead(hooks, receiver) -> None:
    """Nobody is to be told any more, and the event is kept."""
    made = hooks()
    made.adopt(callback={"url": "http://127.0.0.1:9/"})
    made.tell(1)
    made.run()
    made.adopt()
    made.tell(2)
    made.run()
    assert [(row["request_id"], row["reason"]) for row in made.rows()] == [("r1", "no_callback")]


def test_nothing_is_ever_sent_unsigned(hooks, receiver) -> None:
    """Without a secret, which no bundle that checks is, nothing leaves and the event is kept."""
    made = hooks()
    made.adopt(callback={"url": receiver.url, "retries": {"attempts": 1}}, secrets=())
    made.tell(1)
    made.run()
    assert not receiver.received
    assert [row["reason"] for row in made.rows()] == ["internal_error"]
