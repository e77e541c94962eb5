"""Secrets that are sent everywhere, and every place where one of them could have been left.

A canary is a text that stands nowhere else. `errands` are requests that end badly, one way or
another, each with as many canaries as it takes; `left` reads what is stored, row by row.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ADMIN = "canary-admin-4f1c9a7e"
MODEL = "canary-model-77b0e2d1"
TARGET = "canary-target-0c5d3b9a"
WRONG = "canary-wrong-91aa4be2"
COOKIE = "canary-cookie-5e6f7a8b"
BUNDLE = "canary-bundle-2d2c8f10"
#: What stands in bodies: a credential that does not belong there, and what somebody says.
BODY = "canary-body-6a9e0c37"
QUERY = "canary-query-3b7d1e55"
TEXT = "canary-text-8c44d0f9"
#: Nobody is ever told one of these; of what he says himself, a caller may be told in a refusal.
CREDENTIALS = {ADMIN, MODEL, TARGET, WRONG, COOKIE, BUNDLE}
ALL = CREDENTIALS | {BODY, QUERY, TEXT}
#: What a model's server may do wrong, as the stand-in does it.
FAULTS = (
    *("status=400", "status=401", "status=403", "status=404", "status=429; retry-after=1"),
    *("status=500", "status=503-text", "status=302", "html", "error-200", "cut=after-headers"),
    *(
        "cut=mid-body",
        "broken-event",
        "late-error=1",
        "hang=3",
        f"say=xyzzy {TEXT}",
        "bare-choices",
    ),
)


@dataclass(frozen=True)
class Errand:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


def found_in(data: bytes | str, wanted: Iterable[str] = ALL) -> set[str]:
    """Those of the ``wanted`` canaries that stand in ``data``, however they are cased."""
    data = (data.encode() if isinstance(data, str) else data).lower()
    return {canary for canary in wanted if canary.lower().encode() in data}


def bodies() -> Iterator[tuple[str, bytes]]:
    """Bodies that no route likes, some that many do; each says the text."""
    said = [{"role": "user", "content": TEXT}]
    asks: list[dict[str, Any]] = [
        {"messages": said, "model": "model-a", "max_tokens": 5},
        {"messages": said, "model": "model-a", "stream": True, "max_tokens": 5},
        {"messages": said, "model": "no-such-model"},
        {"messages": [{"role": "user", "content": f"xyzzy {TEXT}"}], "model": "model-a"},
        {"messages": said, "Messages": said},
        {"messages": TEXT, "model": [TEXT], "n": TEXT, "temperature": TEXT},
        {"messages": [{TEXT: TEXT}], "tools": [{"type": TEXT}]},
        {"inputs": TEXT},
        {"inputs": [TEXT], TEXT: TEXT},
        {"inputs": TEXT, "model_name": "no-such-model"},
        {"input": TEXT, "prompt": TEXT, "model": "model-a", "query": TEXT, "documents": [TEXT]},
        {"inputs": [{"name": TEXT, "datatype": TEXT, "shape": [1], "data": [TEXT]}]},
        {"request_id": TEXT, "score": TEXT, "correction": TEXT},
        {"path": "/y", "target": f"http://user:{BODY}@host"},
        {"path": "/x", "target": "http://elsewhere", "credentials": {"token": BODY}},
        {"yaml": f"version: 1\nname: words\nchecks: [{{token: {BODY}}}]\n"},
        {"name": "a", "key": BODY, "digest": BODY, "expires_in": BODY},
        {"level": TEXT, "authType": TEXT, "rateLimit": TEXT, "number": TEXT, "tenant": [TEXT]},
    ]
    yield from (("application/json", json.dumps(each).encode()) for each in asks)
    yield "application/json", f'{{"a": "{TEXT}"'.encode()
    yield "application/json", f'{{"{TEXT}": 1, "{TEXT}": 2}}'.encode()
    yield "application/json", (f'{{"{TEXT}":' * 100 + "1" + "}" * 100).encode()
    yield "application/json", f'"{TEXT}\\ud800"'.encode()
    yield "application/json", b"\xff" + TEXT.encode()
    yield "application/json", b""
    yield f"multipart/form-data; boundary={TEXT}", f"--{TEXT}\r\nbroken".encode()
    yield (
        "multipart/form-data; boundary=x",
        (
            f'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nmodel-a\r\n--x\r\n'
            f'Content-Disposition: form-data; name="file"; filename="{TEXT}"\r\n\r\n'
            f"{TEXT}\r\n--x--\r\n"
        ).encode(),
    )
    yield f"text/{TEXT}; charset={TEXT}", TEXT.encode()
    yield "application/x-www-form-urlencoded", f"a={TEXT}".encode()


def credentials(good: dict[str, str], tokens: Iterable[str]) -> Iterator[dict[str, str]]:
    """A good credential, then none, wrong ones, and ones that are somebody else's."""
    yield good
    yield {}
    for text in (WRONG, *tokens):
        yield {"X-API-Key": text}
        yield {"api-key": text}
        yield {"Authorization": f"Bearer {text}"}
    yield {"Authorization": f"Basic {WRONG}"}
    yield {"Authorization": f"{WRONG} {WRONG}"}


def errands(
    paths: Iterable[tuple[str, str]], good: dict[str, str], tokens: list[str]
) -> Iterator[Errand]:
    """Each path with a good credential and every body, and with every other credential."""
    always = {
        "Cookie": f"session={COOKIE}",
        "Referer": f"http://x/?{QUERY}",
        "User-Agent": QUERY,
        "Traceparent": QUERY,
    }
    for method, path in paths:
        asked = f"{path}?api_key={QUERY}&{QUERY}=1&limit={QUERY}"
        for kind, body in bodies():
            yield Errand(method, asked, {**always, **good, "Content-Type": kind}, body)
        for headers in credentials(good, tokens):
            sent = {**always, **headers, "Content-Type": "application/json"}
            yield Errand(method, asked, sent, b'{"inputs": "%b"}' % TEXT.encode())
        if not path.startswith("/api/"):  # there a name stands, which the audit log is to tell
            yield Errand(method, f"{path}/{TEXT}", {**always, **good}, b"{}")
    yield Errand(f"X{TEXT}"[:20], "/ping", {**always, **good})


def left(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All that is stored below ``folder``: each file as it is, unpacked, and as its rows."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        yield path.name, data
        if data[:2] == b"\x1f\x8b":
            yield path.name, gzip.decompress(data)
        if path.suffix == ".parquet":
            table = pq.ParquetFile(path).read()
            yield path.name, repr(table.to_pylist()).encode()
            yield path.name, repr(table.schema).encode()
