"""The routes of the bundle: all of them, and one more."""

from functools import partial

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import attempt, require
from ai_gateway.control.bodies import NewRoute, refuse_variables
from ai_gateway.control.changes import add_route
from ai_gateway.control.control import etag
from ai_gateway.control.showing import shown_routes
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import CHANGE, Operation

API = {
    "GET": Operation(reply=shapes.RouteList, errors=(409,), scope="routes"),
    "POST": Operation(
        body=NewRoute,
        reply=shapes.ShownRoute,
        statuses=(201,),
        errors=CHANGE,
        versioned=True,
        scope="routes",
        example={"path": "/predict", "target": "http://model-service:8080", "auth": "api-key"},
    ),
}


def handle(event: Event, context: Context) -> Reply:
    """GET lists them as the file has them; POST adds one that is proxied to a target."""
    if event.method == "GET":
        require(event, context, "routes")
        return shown_routes(context)
    with attempt(event, context, "routes", "route.create"):
        body = event.parse(NewRoute)
        refuse_variables(body.entry())
    edit = partial(add_route, body=body)
    change, digest = context.control.change(event, "route.create", body.path, edit)
    name = change.after["name"]
    headers = {"etag": etag(digest), "location": f"/api/v1/routes/{name}"}
    return Reply({"methods": ["POST"], **change.after}, 201, headers)
