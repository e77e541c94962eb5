"""Who may call an endpoint, and how often."""

from functools import partial

from ai_gateway.contract import Context, Event, Reply
from ai_gateway.control.access import attempt
from ai_gateway.control.bodies import Secured, refuse_variables
from ai_gateway.control.changes import secure
from ai_gateway.control.control import etag
from ai_gateway.openapi import administration as shapes
from ai_gateway.openapi.operation import CHANGE, Operation

API = Operation(
    body=Secured,
    reply=shapes.SecuredEndpoint,
    errors=CHANGE,
    versioned=True,
    scope="routes",
    example={"authType": "api-key", "rateLimit": "100/min"},
)


def handle(event: Event, context: Context) -> Reply:
    """PUT sets ``authType``, ``rateLimit`` or both; the endpoint is the rest of the path."""
    path = "/" + event.path_parameters["endpoint"].lstrip("/")
    with attempt(event, context, "routes", "security.put"):
        body = event.parse(Secured)
        refuse_variables(body.keys())
    edit = partial(secure, path=path, body=body)
    change, digest = context.control.change(event, "security.put", path, edit)
    return Reply({"endpoint": path, "routes": change.after}, headers={"etag": etag(digest)})
