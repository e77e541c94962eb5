"""The Open Inference Protocol's wire."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Upstreams, oip
from tests.upstream.fake import FakeUpstream, reply


@pytest.mark.parametrize(
    ("base", "model_id", "found"),
    [
        ("/v2", "iris", "/v2/models/iris"),
        ("/v2/", "iris", "/v2/models/iris"),
        ("/a/v2/models/iris/infer", "iris", "/a/v2/models/iris"),
        ("/v2/models", "org/iris", "/v2/models/org/iris"),
        ("/v2", "iris/versions/3", "/v2/models/iris/versions/3"),
        ("/v2?x=1", "a b", "/v2/models/a%20b?x=1"),
        ("/tensors/", "iris", "/tensors/models/iris"),
    ],
)
def test_the_path_names_the_model(base: str, model_id: str, found: str) -> None:
    """A URL that ends in /v2, or names a model already, leads to the declared model."""
    url = oip.url(httpx.URL(f"http://models.test{base}"), model_id)
    assert str(url) == f"http://models.test{found}"


def test_the_body_goes_as_it_is(upstream: FakeUpstream, upstreams: Upstreams) -> None:
    """Nothing is added to a request or taken from it: no model, no limit, no stream."""
    upstream.script(reply({"outputs": []}))
    url = upstream.url.removesuffix("/v1") + "/v2"
    fields: dict[str, Any] = {"url": url, "model_id": "iris", "dialect": "oip"}
    model = Model.model_validate({**fields, "max_output_tokens": 5})
    body = {"inputs": [{"name": "a", "data": [1]}], "stream": "x"}
    upstreams.send(model, "/infer", body, SystemClock().monotonic() + 5)
    (got,) = upstream.requests
    assert (got.target, got.json()) == ("/v2/models/iris/infer", body)
