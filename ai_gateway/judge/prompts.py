"""The judge's prompts: versioned text files, NAME.vN.md, that fence the text under judgement.

A prompt is filled by literal replacement in one pass. There is no template language in it, and
nothing that stands in a question or an answer is ever replaced: both are data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ai_gateway.manifest.problem import Problem

MAX_PROMPT: Final = 50_000  # bytes of a prompt file
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\.v[1-9][0-9]{0,5}")
_PLACEHOLDER = re.compile(r"\{\{(question|answer|nonce)\}\}")
_FENCES: Final = {
    name: f"<<<{name} {{{{nonce}}}}>>>\n{{{{{name}}}}}\n<<<end {{{{nonce}}}}>>>"
    for name in ("question", "answer")
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One version of one prompt; ``name`` is NAME.vN, ``digest`` that of its bytes."""

    name: str
    text: str
    digest: str

    def fill(self, question: str, answer: str, nonce: str) -> str:
        """The prompt with ``question`` and ``answer`` inside the fences that ``nonce`` makes."""
        values = {"question": question, "answer": answer, "nonce": nonce}
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.text)


def load(folder: Path) -> tuple[Mapping[str, Prompt], list[Problem]]:
    """Every prompt in ``folder`` by its name, and everything that is wrong with the others."""
    prompts: dict[str, Prompt] = {}
    problems: list[Problem] = []
    for file in sorted(folder.glob("*.md")):
        try:
            data = _read(file)
            text = data.decode("utf-8").replace("\r\n", "\n")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(_problem(file, None, "", type(error).__name__, "a file of UTF-8 text"))
            continue
        found = list(_problems(file, data, text))
        problems += found
        if not found:
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            prompts[file.stem] = Prompt(file.stem, text, digest)
    return prompts, problems


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(MAX_PROMPT + 1)


def _problems(file: Path, data: bytes, text: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(file.stem):
        yield _problem(file, None, "name", file.name, "NAME.vN.md, as in answer-quality.v1.md")
    if len(data) > MAX_PROMPT:
        yield _problem(file, None, "size", "more", f"at most {MAX_PROMPT} bytes")
    for name, fence in _FENCES.items():
        lines = [at for at, line in enumerate(text.split("\n"), 1) if f"{{{{{name}}}}}" in line]
        if len(lines) != 1:
            found = f"{len(lines)} lines with it"
            yield _problem(file, max(lines, default=None), f"{{{{{name}}}}}", found, "one")
        elif f"\n{fence}\n" not in f"\n{text}\n":
            wanted = " / ".join(fence.split("\n"))
            yield _problem(file, lines[0], f"{{{{{name}}}}}", "no fence around it", wanted)


def _problem(file: Path, line: int | None, key: str, found: str, wanted: str) -> Problem:
    return Problem(f"{file.parent.name}/{file.name}", line, key, found, wanted)
