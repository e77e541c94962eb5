"""What a function is handed."""

from dataclasses import fields, replace

from ai_gateway.contract import Caller, Event


def test_an_event_of_a_caller_differs_by_its_caller_alone() -> None:
    """Every field is taken over, one that is added later too."""
    event = Event(**{field.name: object() for field in fields(Event)})
    caller = Caller("alice", "api-key")
    found, expected = event.of(caller), replace(event, caller=caller)
    names = [field.name for field in fields(Event)]
    assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names]
