"""The Open Inference Protocol as Triton speaks it: one classifier with two numbers for a row."""

from __future__ import annotations

import math
from typing import Any

from ai_gateway.simulator import fields, reply, text
from ai_gateway.simulator.entrances import Question
from ai_gateway.simulator.reply import OIP, Reply

_VERSION = "1"
_TYPES = ("FP32", "FP64", "INT32", "INT64", "BYTES")
_INPUT = {"name": "input", "datatype": "FP32", "shape": [-1, -1]}
_OUTPUTS = (
    {"name": "label", "datatype": "INT64", "shape": [-1, 1]},
    {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
)


def metadata(question: Question) -> Reply:
    """What the model takes and gives."""
    return _unknown(question) or reply.json(
        {
            "name": question.model,
            "versions": [_VERSION],
            "platform": "onnxruntime_onnx",
            "inputs": [_INPUT],
            "outputs": list(_OUTPUTS),
        }
    )


def ready(question: Question) -> Reply:
    """Whether the model can be asked; an empty 200."""
    return _unknown(question) or Reply(200, (b"",))


def infer(question: Question) -> Reply:
    """A label and two probabilities for each row of the one input; texts are said again."""
    body = question.body
    problem = _problem(body)
    if problem:
        return _unknown(question) or OIP.error(400, problem)
    tensor = body["inputs"][0]
    rows, columns = tensor["shape"]
    values = _flat(tensor["data"])
    pairs = [_probabilities(values[at : at + columns]) for at in range(0, rows * columns, columns)]
    outputs = [
        _tensor("label", "INT64", [[int(high > low)] for low, high in pairs]),
        _tensor("probabilities", "FP32", [list(pair) for pair in pairs]),
    ]
    if tensor["datatype"] == "BYTES":
        outputs.append(_tensor("text", "BYTES", [[f"You said: {said}"] for said in values]))
    wanted = [item["name"] for item in body.get("outputs") or outputs]
    answer = {
        **({"id": body["id"]} if "id" in body else {}),
        "model_name": question.model,
        "model_version": _VERSION,
        "outputs": [output for output in outputs if output["name"] in wanted],
    }
    return _unknown(question) or reply.json(answer)


def _unknown(question: Question) -> Reply | None:
    if question.model == question.endpoint.model_id:
        return None
    return OIP.error(404, f"Request for unknown model: '{question.model[:200]}' is not found")


def _problem(body: dict[str, Any]) -> str | None:
    inputs = body.get("inputs")
    if not fields.all_named(inputs) or len(inputs or ()) != 1:
        return "expected 1 input, named 'input'"
    tensor = body["inputs"][0]
    shape, data = tensor.get("shape"), tensor.get("data")
    if tensor["name"] != "input" or tensor.get("datatype") not in _TYPES:
        return f"unexpected inference input '{tensor['name'][:60]}' for the model"
    if not (isinstance(shape, list) and len(shape) == len(_INPUT["shape"]) and _sizes(shape)):
        return "unexpected shape for input 'input': expected [-1,-1]"
    if not isinstance(data, list) or len(_flat(data)) != math.prod(shape):
        return "the data of input 'input' does not have the size of its shape"
    if not fields.all_named(body.get("outputs") or []):
        return "outputs must be objects with a name"
    return None


def _sizes(shape: list[object]) -> bool:
    return all(map(fields.integer(1, 10**6), shape))


def _flat(data: list[Any]) -> list[Any]:
    return [value for item in data for value in (item if isinstance(item, list) else [item])]


def _probabilities(row: list[Any]) -> tuple[float, float]:
    high = round((1 + text.number("row", *row) % 999) / 1001, 5)
    return round(1 - high, 5), high


def _tensor(name: str, datatype: str, rows: list[list[Any]]) -> dict[str, Any]:
    shape = [len(rows), len(rows[0])]
    return {"name": name, "datatype": datatype, "shape": shape, "data": _flat(rows)}
