"""One route of the bundle: as the file has it, in place of what it was, or taken out of it."""

from functools import partial

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import attempt, require
from ai_gateway.control.bodies import NewRoute, refuse_variables
from ai_gateway.control.changes import has_route, put_route, remove_route
from ai_gateway.control.control import etag
from ai_gateway.control.showing import shown_route
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import CHANGE, Operation

API = {
    "GET": Operation(reply=shapes.ShownRoute, errors=(404, 409), scope="routes"),
    "PUT": Operation(
        body=NewRoute,
        reply=shapes.ShownRoute,
        statuses=(200, 201),
        errors=CHANGE,
        versioned=True,
        scope="routes",
        example={"path": "/predict", "target": "http://model-service:8080", "auth": "api-key"},
    ),
    "DELETE": Operation(statuses=(204,), errors=CHANGE, versioned=True, scope="routes"),
}


def handle(event: Event, context: Context) -> Reply:
    """GET shows it; PUT replaces it in one step, or adds it; DELETE removes it."""
    name = event.path_parameters["name"]
    if event.method == "GET":
        require(event, context, "routes")
        return shown_route(context, name)
    if event.method == "PUT":
        return _put(event, context, name)
    with attempt(event, context, "routes", "route.delete"):
        edit = partial(remove_route, name=name)
    _, digest = context.control.change(event, "route.delete", name, edit, version=lambda _: True)
    return Reply(b"", 204, {"etag": etag(digest)})


def _put(event: Event, context: Context, name: str) -> Reply:
    with attempt(event, context, "routes", "route.put"):
        body = event.parse(NewRoute)
        refuse_variables(body.entry())
    # RFC 9110, 13.1.1: `*` holds only of what is there.
    known = event.headers.get("if-match", "").strip() == "*"
    edit = partial(put_route, name=name, body=body, known=known)
    there = partial(has_route, name=name)
    change, digest = context.control.change(event, "route.put", name, edit, version=there)
    shown, headers = {"methods": ["POST"], **change.after}, {"etag": etag(digest)}
    if change.before is None:
        return Reply(shown, 201, {**headers, "location": f"/api/v1/routes/{name}"})
    return Reply(shown, headers=headers)
