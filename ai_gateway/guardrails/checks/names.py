"""``names``: people, places and organisations, by a spaCy model of the operator's choice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from ai_gateway.guardrails.check import Check, Finding, Matcher
from ai_gateway.guardrails.normalise import Normalised
from ai_gateway.guardrails.scene import Scene

#: Of a finding: spaCy's recognisers do not say how sure they are.
_SCORE = 0.8
#: Parts of a pipeline that names do not need, and half of its time.
_UNUSED = ["attribute_ruler", "lemmatizer", "morphologizer", "parser", "senter", "tagger"]

Label = Annotated[str, StringConstraints(pattern="^[A-Z_]+$")]


class Parameters(Check):
    """A finding's rule and placeholder are the model's own label (`PERSON`, `GPE`)."""

    type: Literal["names"]
    model: Annotated[str, Field(min_length=1)] = Field(
        description="A spaCy model: an installed package (`en_core_web_sm`), or its folder."
    )
    entities: Annotated[tuple[Label, ...], Field(min_length=1)] = Field(
        ("PERSON",), description="The model's labels that are looked for."
    )
    max_characters: int = Field(
        20_000, gt=0, description="The longest text that is read; the check fails on longer ones."
    )

    @field_validator("model")
    @classmethod
    def _is_installed(cls, model: str) -> str:
        if find_spec("spacy") is None:
            raise ValueError("spaCy installed with it: pip install 'ai-gateway[names]'")
        if not (_folder(model) / "meta.json").is_file():
            raise ValueError("a spaCy model that is installed, or the folder of one")
        return model

    @model_validator(mode="after")
    def _knows_entities(self) -> Parameters:
        meta = json.loads((_folder(self.model) / "meta.json").read_text(encoding="utf-8"))
        naming = [labels for part, labels in meta["labels"].items() if part not in _UNUSED]
        known = sorted({label for labels in naming for label in labels})
        if unknown := sorted({*self.entities} - {*known}):
            has = ", ".join(known)
            raise ValueError(f"entities without {', '.join(unknown)}: the model has {has}")
        return self


def build(parameters: Parameters) -> Matcher:
    """A matcher that yields every name; it raises on a text over ``max_characters``.

    One text is read at a time: a spaCy pipeline is not made for threads.
    """
    import spacy  # noqa: PLC0415 - an extra, and a second to load

    pipeline = spacy.load(parameters.model, exclude=_UNUSED)
    wanted, lock = frozenset(parameters.entities), Lock()

    def find(text: Normalised, _scene: Scene) -> Iterator[Finding]:
        if len(text.source) > parameters.max_characters:
            raise ValueError("the text is longer than max_characters")
        # Words that are met are forgotten again, or every new one would stay in memory.
        with lock, pipeline.memory_zone():
            names = [
                Finding(name.label_, _SCORE, name.start_char, name.end_char, name.label_)
                for name in pipeline(text.source).ents
                if name.label_ in wanted
            ]
        yield from names

    return Matcher(find)


def _folder(model: str) -> Path:
    """Where a model's ``meta.json`` should be."""
    if model.isidentifier() and (spec := find_spec(model)) is not None and spec.origin:
        return Path(spec.origin).parent
    return Path(model)
