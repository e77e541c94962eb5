"""The texts of a value of which only some keys are known to say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import orjson

from ai_gateway.formats import Body
from ai_gateway.guardrails.scene import Text

_WORDS = 2  # so many are a name, or a scheme and its credentials
_LONGEST = 50  # characters of a word; the lines of encoded bytes are longer


def said(body: Body, unsaid: Collection[str]) -> list[Text]:
    """Every string in ``body``, and every sentence under ``unsaid``: a key may be a provider's."""
    found = (worded(value) if key in unsaid else strings(value) for key, value in body.items())
    return [Text(text, "input") for texts in found for text in texts]


def strings(value: object, unsaid: Collection[str] = ()) -> Iterator[str]:
    """Every string of a JSON value, under the keys ``unsaid`` and in keys themselves sentences."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, unsaid)
    elif isinstance(value, dict):
        for key, item in value.items():
            if _is_worded(key):
                yield key
            yield from worded(item) if key in unsaid else strings(item, unsaid)


def worded(value: object) -> Iterator[str]:
    """The strings of ``value`` that are sentences, where names, references or bytes are due.

    Templates print what stands there as well (a call's id, the types in a tool's schema). A scheme
    and its credentials are no sentence, nor are encoded bytes in lines.
    """
    return (text for text in strings(value) if _is_worded(text))


def _is_worded(text: str) -> bool:
    words = text.split(maxsplit=_WORDS)
    return len(words) > _WORDS and any(len(word) <= _LONGEST for word in text.split()[:-1])


def together(texts: list[Text]) -> list[Text]:
    """``texts`` of one message, and all of each stage as one: a model reads what they say so."""
    if len(texts) < 2:  # noqa: PLR2004 - a whole has parts
        return texts
    stages = Counter(text.stage for text in texts)
    wholes = [
        Text("".join(text.text for text in texts if text.stage == stage), stage)
        for stage, count in stages.items()
        if count > 1
    ]
    return [*texts, *wholes]


def unescaped(text: str) -> Iterator[str]:
    """The strings of JSON in ``text`` where escapes could hide a word from who reads it plain."""
    if "\\" not in text:
        return
    try:
        yield from strings(orjson.loads(text))
    except orjson.JSONDecodeError:
        return
