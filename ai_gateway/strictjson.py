"""JSON that has one reading only.

Two parsers must not see two requests in the same bytes: duplicate keys, NaN, numbers beyond a
double or 64 bits, lone surrogates and bottomless nesting are refused. RFC 8259 leaves each of them
to the reader; RFC 7493 (I-JSON) rules most of them out.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections import Counter
from typing import Any, NoReturn

import orjson

from ai_gateway.errors import InvalidJSON, TooDeep

MAX_DEPTH = 64


def loads(data: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """The value in ``data`` (UTF-8); raises InvalidJSON or TooDeep with what was found."""
    if not data.strip():
        raise InvalidJSON("The body is empty; a JSON object was expected.")
    try:
        value = _DECODER.decode(data.decode("utf-8"))
        if data.count(b"[") + data.count(b"{") > max_depth:
            _check_depth(value, max_depth)
        orjson.dumps(value)  # refuses lone surrogates and integers beyond 64 bits
    except RecursionError:
        raise _too_deep(max_depth) from None
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"The body is not UTF-8: byte {error.start} cannot be read.") from None
    except json.JSONDecodeError as error:
        raise InvalidJSON(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except (TypeError, ValueError) as error:
        raise InvalidJSON(f"The body cannot be passed on as JSON: {error}.") from None
    return value


def dumps(value: Any) -> bytes:
    """``value`` as JSON bytes, the way everything leaves the gateway."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, which a model may give to a tool
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()


def _check_depth(value: Any, max_depth: int) -> None:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        if depth > max_depth:
            raise _too_deep(max_depth)
        level = [
            child for item in level for child in (item.values() if isinstance(item, dict) else item)
        ]


def _too_deep(max_depth: int) -> TooDeep:
    return TooDeep(f"The body nests deeper than the {max_depth} levels that are read.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise InvalidJSON(f"The key {reprlib.repr(twice)} stands twice in one object.")
    return found


def _constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON; use a number or null.")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidJSON(f"The number {text[:40]} is larger than a double holds.")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
