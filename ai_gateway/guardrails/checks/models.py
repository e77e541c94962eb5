"""``models``: which models a request may name, and which values its parameters may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator as After
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from ai_gateway.guardrails.check import Check, Finding, Matcher, Stage
from ai_gateway.guardrails.scene import Scene
from ai_gateway.manifest.closed import Closed

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


def _star_at_the_end(pattern: str) -> str:
    if "*" in pattern[:-1]:
        raise ValueError("a model's name, or its beginning and one * at the end")
    return pattern


def _a_path(path: str) -> str:
    if not all(path.split(".")):
        raise ValueError("a parameter's name, below another one with a dot: response_format.type")
    return path


Pattern = Annotated[str, Field(min_length=1, max_length=200), After(_star_at_the_end)]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=1_000)]
Path = Annotated[str, Field(min_length=1, max_length=200), After(_a_path)]


class Bound(Closed):
    """What the values of one parameter may be."""

    max: StrictInt | StrictFloat | None = Field(None, allow_inf_nan=False)
    min: StrictInt | StrictFloat | None = Field(None, allow_inf_nan=False)
    allowed: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=1_000)] | None = None
    denied: bool = Field(default=False, description="Whether the parameter may not be given.")

    @model_validator(mode="after")
    def _says_something(self) -> Bound:
        bounds = self.max, self.min, self.allowed
        if self.denied == any(bound is not None for bound in bounds):
            raise ValueError("denied: true, or some of max, min and allowed")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError("a min that is not above max")
        return self


class Parameters(Check):
    """A finding's rule is `not-allowed`, `denied`, or a parameter with the bound it breaks."""

    places: ClassVar[bool] = False

    type: Literal["models"]
    allowed_models: Annotated[Patterns, Field(min_length=1)] | None = Field(
        None, description="Names as callers send them, exact or with a * at their end."
    )
    denied_models: Patterns = Field((), description="As allowed_models; these win.")
    parameters: Annotated[dict[Path, Bound], Field(max_length=1_000)] = Field(
        default_factory=dict, description="A parameter of the request's body to what it may be."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Parameters:
        if self.allowed_models is None and not self.denied_models and not self.parameters:
            raise ValueError("at least one of allowed_models, denied_models and parameters")
        if "output" in self.stages:
            raise ValueError("stages without output: a request is judged before it is answered")
        return self


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields each rule once, with score 1."""
    bounds = [
        (path, tuple(path.split(".")), bound) for path, bound in parameters.parameters.items()
    ]

    def weigh(scene: Scene, _stage: Stage) -> Iterator[Finding]:
        rules = list(_named(parameters, scene.model))
        for path, keys, bound in bounds:
            broken = (_broken(bound, value) for value in _values(scene.request, keys))
            rules += [f"{path}: {rule}" for rule in dict.fromkeys(broken) if rule]
        for rule in rules:
            yield Finding(rule, 1.0, 0, 0)

    return Matcher(weigh=weigh)


def _named(parameters: Parameters, model: str | None) -> Iterator[str]:
    """What is wrong with the name; a request without one leaves the model to the gateway."""
    if model is None:
        return
    if _fits(model, parameters.denied_models):
        yield "denied"
    elif parameters.allowed_models is not None and not _fits(model, parameters.allowed_models):
        yield "not-allowed"


def _fits(model: str, patterns: Sequence[str]) -> bool:
    return any(
        model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern
        for pattern in patterns
    )


def _values(value: object, keys: Sequence[str]) -> Iterator[object]:
    """What stands at a path, in each item of a list; null is as good as left out."""
    if isinstance(value, list) and keys:
        for item in value:
            yield from _values(item, keys)
    elif not keys:
        if value is not None:
            yield value
    elif isinstance(value, Mapping):
        yield from _values(value.get(keys[0]), keys[1:])


def _broken(bound: Bound, value: object) -> str | None:
    """The bound that ``value`` does not hold; a value of a type that it cannot judge holds none."""
    if bound.denied:
        return "denied"
    if bound.allowed is not None and not any(_same(value, allowed) for allowed in bound.allowed):
        return "allowed"
    if bound.max is None and bound.min is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "no number"
    if bound.max is not None and not value <= bound.max:
        return "max"
    return "min" if bound.min is not None and not value >= bound.min else None


def _same(value: object, allowed: Scalar) -> bool:
    """Whether they are equal in JSON, where true is not 1."""
    return isinstance(value, bool) == isinstance(allowed, bool) and value == allowed
