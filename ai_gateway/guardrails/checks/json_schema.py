"""``json_schema``: an answer that must be JSON, of a shape.

JSON Schema, draft 2020-12 (https://json-schema.org/draft/2020-12). jsonschema-rs matches patterns
in linear time, and is kept from fetching what a schema refers to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ai_gateway import strictjson
from ai_gateway.errors import InvalidJSON, TooDeep
from ai_gateway.guardrails.check import AnswerCheck, Finding, Matcher, Stage
from ai_gateway.guardrails.scene import Scene

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: Bytes that a compiled pattern of a schema may take.
_PATTERN = 1 << 20


class Parameters(AnswerCheck):
    """A finding's rule is `not-json`, `too-long`, or where in the schema the broken keyword is."""

    places: ClassVar[bool] = False

    type: Literal["json_schema"]
    # BaseModel has a ``schema`` of its own.
    shape: dict[str, Any] = Field(alias="schema", description="A JSON Schema, draft 2020-12.")
    fenced: bool = Field(
        default=False, description="Whether the answer may stand in a ``` fence, alone."
    )
    max_characters: int = Field(1_000_000, ge=1, description="Longer answers are not parsed.")

    @field_validator("shape")
    @classmethod
    def _is_a_schema(cls, shape: dict[str, Any]) -> dict[str, Any]:
        if shape.get("$schema", _DRAFT) != _DRAFT:
            raise ValueError(f"a schema without $schema, or of {_DRAFT}")
        _validator(shape)
        return shape


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields the first thing that is wrong with an answer's text, with score 1."""
    validator = _validator(parameters.shape)

    def weigh(scene: Scene, stage: Stage) -> Iterator[Finding]:
        # Behind the answer's own text stands what else its caller sees (reasoning).
        for text in list(scene.of(stage))[:1]:
            if rule := _wrong(parameters, validator, text):
                yield Finding(rule, 1.0, 0, 0)

    return Matcher(weigh=weigh)


def _validator(shape: dict[str, Any]) -> Any:
    """The compiled schema; raises ValueError that says what is wrong with it."""
    import jsonschema_rs  # noqa: PLC0415 - 15 MB that only this check needs

    try:
        return jsonschema_rs.Draft202012Validator(
            shape, offline=True, pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN)
        )
    except jsonschema_rs.ValidationError as error:
        where, reason = _pointer(error.instance_path), error.message.split("\n", 1)[0][:200]
        raise ValueError(f"a JSON Schema of draft 2020-12; {where}: {reason}") from None


def _wrong(parameters: Parameters, validator: Any, text: str) -> str | None:
    if len(text) > parameters.max_characters:
        return "too-long"
    if parameters.fenced:
        text = _unfenced(text)
    try:
        value = strictjson.loads(text.encode("utf-8", "surrogatepass"))
    except (InvalidJSON, TooDeep):
        return "not-json"
    error = next(validator.iter_errors(value), None)
    return _pointer(error.schema_path) if error else None


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{part}" for part in path) or "/"


def _unfenced(text: str) -> str:
    """What stands in the fence, where the whole text is one."""
    stripped = text.strip()
    first, _, rest = stripped.partition("\n")
    whole = first.startswith("```") and "`" not in first[3:] and rest.endswith("```")
    return rest[:-3] if whole else text
