"""Log lines as JSON or as text: one entry a line, whatever is in it, and no secret in any."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

import orjson

from ai_gateway.settings import Settings
from ai_gateway.telemetry import levels
from ai_gateway.telemetry.current import CURRENT, Request

FORMATS: Final = ("json", "text")
#: Variables with such a word in their name hold a secret.
_SECRETS: Final = ("TOKEN", "KEY", "SECRET", "PASSWORD", "CREDENTIAL", "OTLP_HEADERS")
_SHORTEST: Final = 8  # characters; a shorter value would be found in innocent words
_MOST: Final = 16_000  # characters of an exception
_CAUSES: Final = 5
_BASIC: Final = 0xFFFF  # the last character that UTF-16, and so a JSON escape, holds in one unit
#: Seconds between two lines of the exporter, which would tell of each batch that it loses.
_QUIET: Final = 60.0


def configure(settings: Settings, stream: TextIO | None = None) -> str | None:
    """Log to ``stream`` (standard error) as the settings say; a sentence where they say nonsense.

    The format is text where standard output is a terminal, else JSON.
    """
    wanted = settings.log_format or ("text" if sys.stdout.isatty() else "json")
    if wanted not in FORMATS:
        return f"GATEWAY_LOG_FORMAT: {wanted!r} was found; {' or '.join(FORMATS)} would be right"
    if settings.log_level not in levels.NAMES:
        names = ", ".join(levels.NAMES)
        return f"GATEWAY_LOG_LEVEL: {settings.log_level!r} was found; one of {names} would be right"
    hidden = secrets(settings.variables)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(hidden) if wanted == "json" else TextLines(hidden))
    handler.addFilter(_Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # No line says them, and to ask for them costs a call into the system a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    levels.Levels.of(settings).refresh()
    return None


def secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Values that no line may hold, and what stands in their place."""
    found = {}
    for name, value in variables.items():
        if any(word in name.upper() for word in _SECRETS):
            found[value.strip()] = f"${{{name}}}"
        if "://" in value and (password := _password(value)):
            found[password] = f"${{{name}: password}}"
    return {value: name for value, name in found.items() if len(value) >= _SHORTEST}


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


class _Lines(logging.Formatter):
    """What both formats have in common."""

    def __init__(self, hidden: Mapping[str, str]) -> None:
        super().__init__()
        self._hidden = hidden

    def parts(self, record: logging.LogRecord) -> tuple[str, dict[str, Any], str | None]:
        """Message, fields and exception of ``record``, without any secret."""
        fields = getattr(record, "fields", None)
        if fields is not None:  # an access line, which holds no text but names
            return record.getMessage(), fields, None
        request = CURRENT.get()
        fields = _of(request) if request else {}
        told = None
        if record.exc_info and record.exc_info[1]:
            full = request is None or request.event.route.privacy == "full"
            told = self._clean(_told(record.exc_info[1], content=full))
        return self._clean(record.getMessage()), fields, told

    def _clean(self, text: str) -> str:
        for value, name in self._hidden.items():
            if value in text:
                text = text.replace(value, name)
        return text


class JsonLines(_Lines):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        message, fields, exception = self.parts(record)
        line = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            **fields,
        }
        if exception is not None:
            line["exception"] = exception
        try:
            text = orjson.dumps(line).decode()
        except TypeError:  # a lone surrogate
            text = orjson.dumps({name: _plain(value) for name, value in line.items()}).decode()
        return escaped(text)


class TextLines(_Lines):
    """A line for a terminal; further lines of an exception begin with a bar."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines, without their end."""
        message, fields, exception = self.parts(record)
        said = "".join(f" {name}={_shown(str(value))}" for name, value in fields.items())
        line = f"{_time(record)} {record.levelname} {record.name} {escaped(message)}{said}"
        if exception is None:
            return line
        told = (f"  | {escaped(part)}" for part in exception.split("\n"))
        return "\n".join((line, *told))


def escaped(text: str) -> str:
    """``text`` with what cannot be printed as JSON escapes it: no line ends, no terminal code."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _shown(value: str) -> str:
    """A field's value; in quotes where it could pass for another field."""
    plain = value.isprintable() and not any(mark in value for mark in ' ="')
    return value if plain else escaped(json.dumps(value, ensure_ascii=False))


def _escape(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code > _BASIC:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter, f"\\u{code:04x}")


def _plain(value: object) -> object:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _time(record: logging.LogRecord) -> str:
    second = int(record.created)
    return f"{_second(second)}.{int((record.created - second) * 1000):03d}+00:00"


@lru_cache(maxsize=2)
def _second(since_epoch: int) -> str:
    """Many lines are of the same one."""
    return datetime.fromtimestamp(since_epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def _of(request: Request) -> dict[str, Any]:
    return {"request_id": request.event.request_id, "route": request.event.route.name}


def _told(error: BaseException, *, content: bool) -> str:
    """Where ``error`` came from and what it says; without ``content`` only its kind.

    What an exception says may be of the request's text, so it is told where that may be recorded.
    """
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(parts) < _CAUSES:
        kind = type(cause).__qualname__
        frames = "".join(traceback.format_tb(cause.__traceback__))
        parts.append(f"{frames}{kind}: {_said(cause)}" if content else f"{frames}{kind}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n\n".join(reversed(parts))[-_MOST:]


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever it is, the line must be written
        return "?"


class _Seldom(logging.Filter):
    """Lets one line a minute of the exporter of traces through, as it tells of every batch."""

    def __init__(self) -> None:
        super().__init__()
        self._told = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether ``record`` is written."""
        if not record.name.startswith("opentelemetry"):
            return True
        if record.created - self._told < _QUIET:
            return False
        self._told = record.created
        return True
