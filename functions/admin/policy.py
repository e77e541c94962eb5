"""One guardrail policy of the bundle: its file, whole."""

from functools import partial
from typing import Any

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import attempt, require
from ai_gateway.control.bodies import PolicyText
from ai_gateway.control.changes import put_policy, remove_policy
from ai_gateway.control.control import etag
from ai_gateway.control.policies import has_policy, policy_name, policy_text
from ai_gateway.control.showing import shown_policy
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import CHANGE, Operation

_ACTIONS = {"PUT": "policy.put", "DELETE": "policy.delete"}


API = {
    "GET": Operation(reply=shapes.PolicyReply, errors=(404,), scope="policies"),
    "PUT": Operation(
        body=PolicyText | dict[str, Any],
        reply=shapes.PolicyReply,
        statuses=(200, 201),
        errors=CHANGE,
        versioned=True,
        scope="policies",
    ),
    "DELETE": Operation(statuses=(204,), errors=CHANGE, versioned=True, scope="policies"),
}


def handle(event: Event, context: Context) -> Reply:
    """GET shows it; PUT writes it, DELETE removes it: of one that is there, with If-Match."""
    if event.method == "GET":
        require(event, context, "policies")
        return shown_policy(context, policy_name(event))
    action = _ACTIONS[event.method]
    with attempt(event, context, "policies", action):
        name = policy_name(event)
        edit = partial(remove_policy, name=name)
        if event.method == "PUT":
            edit = partial(put_policy, name=name, text=policy_text(event))
    there = partial(has_policy, name=name)
    change, digest = context.control.change(event, action, name, edit, version=there)
    headers = {"etag": etag(digest)}
    if change.content is None:
        return Reply(b"", 204, headers)
    return Reply({"name": name}, 201 if change.before is None else 200, headers)
