"""The Open Inference Protocol, version 2: tensors in, tensors out.

Strings stand in tensors of datatype BYTES and are read as they stand; numbers are not. The path is
built per model: below a URL that ends in ``/v2`` the upstream appends
``/models/MODEL_ID[/versions/VERSION]/infer``, and the body names no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from ai_gateway.errors import BadRequest, UpstreamError
from ai_gateway.formats import Body, Format, Reading
from ai_gateway.formats.definitions import definitions
from ai_gateway.guardrails.scene import Text


def texts(body: Body) -> list[Text]:
    """Every string in the tensors, in order, and in their and the request's parameters.

    A tensor whose data is elsewhere is a BadRequest.
    """
    inputs = body.get("inputs")
    if not isinstance(inputs, list):
        raise BadRequest("inputs: a list of tensors was expected.", param="inputs")
    found = (text for at, tensor in enumerate(inputs) for text in _tensor(at, tensor))
    more = (_strings(value) for value in _parameters(body, *inputs))
    return [Text(text, "input") for text in (*found, *chain.from_iterable(more))]


def _parameters(*places: object) -> Iterator[object]:
    """Whatever a server may read beside the tensors."""
    for place in places:
        given = place.get("parameters") if isinstance(place, Mapping) else None
        if isinstance(given, Mapping):
            yield from given.values()


def _tensor(at: int, tensor: object) -> Iterator[str]:
    data = tensor.get("data") if isinstance(tensor, Mapping) else None
    if not isinstance(data, list):
        raise BadRequest(
            f"inputs.{at}.data: a list was expected; binary tensors after the JSON are not read.",
            param=f"inputs.{at}.data",
        )
    return _strings(data)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)


def read(body: Body) -> Reading:
    """The strings of the output tensors; the protocol counts no tokens."""
    outputs = body.get("outputs")
    if not isinstance(outputs, list):
        raise UpstreamError("The model answered without outputs.")
    data = [tensor.get("data") for tensor in outputs if isinstance(tensor, Mapping)]
    return Reading("\n".join(_strings(data)))


def _defined(body: Body) -> list[Text]:
    return definitions(body, ("id", "inputs", "parameters"))


INFER = Format(
    name="infer", path="/infer", texts=texts, read=read, named="model_name", definitions=_defined
)
