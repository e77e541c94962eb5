"""Where a model is: each of its endpoints, as the upstreams take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ai_gateway.manifest.model import Endpoint, Model


@dataclass(frozen=True, slots=True)
class Place:
    """One endpoint of a model.

    Attributes:
        name: The model's name.
        model: The model as this endpoint alone serves it.
        where: The endpoint's host and path, for records and metrics.
        key: What its circuit is kept under: the name, and ``where`` if there are several.
    """

    name: str
    model: Model
    where: str
    key: str


#: All endpoints of one model, at least one.
Places = tuple[Place, ...]


def places(models: Mapping[str, Model]) -> dict[str, Places]:
    """The endpoints of each model; made once a bundle, so that each stays the same object."""
    return {name: _places(name, model) for name, model in models.items()}


def where(url: str) -> str:
    """Host and path of ``url``: neither a query nor a user."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def _places(name: str, model: Model) -> Places:
    if not model.endpoints:
        return (Place(name, model, where(model.url), name),)
    each = (model, *(_served(model, endpoint) for endpoint in model.endpoints))
    return tuple(
        Place(name, one, at, f"{name} {at}") for one, at in ((one, where(one.url)) for one in each)
    )


def _served(model: Model, endpoint: Endpoint) -> Model:
    """``model`` at ``endpoint``, which says only what differs."""
    given = {name: getattr(endpoint, name) for name in Endpoint.model_fields}
    changed = {name: value for name, value in given.items() if value is not None}
    if endpoint.client_cert:  # the model's key is of another certificate
        changed["client_key"] = endpoint.client_key
    return model.model_copy(update=changed)
