"""Code in a text: fenced blocks as markdown has them, and lines that are plainly shell, SQL, ...

Fences follow CommonMark (https://spec.commonmark.org, 4.5), whatever they are indented by. What is
known without a fence is little: a language's most common beginnings of lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ai_gateway.guardrails.linear import compiled, searchable


class Block(NamedTuple):
    """Where code stands, its language, and how sure (0..1) it is that it is that."""

    language: str
    score: float
    start: int
    end: int


_NAMES: Final = {
    "shell": "sh bash zsh ksh fish console terminal shellsession shell-session sh-session",
    "powershell": "ps1 pwsh ps posh",
    "batch": "bat cmd dos",
    "python": "py python3 py3 ipython pycon",
    "javascript": "js node nodejs jsx mjs cjs",
    "typescript": "ts tsx",
    "sql": "mysql postgres postgresql psql plpgsql sqlite tsql plsql",
    "html": "htm xhtml",
    "cpp": "c++ cc cxx",
    "csharp": "c# cs",
    "go": "golang",
    "rust": "rs",
    "ruby": "rb",
    "yaml": "yml",
    "text": "txt plain plaintext output none nohighlight",
}
_ALIASES = {alias: name for name, aliases in _NAMES.items() for alias in aliases.split()}
#: Names that say that a block holds no code.
_NO_CODE: Final = frozenset(("", "text"))

_FENCE = compiled(r"(?m)^[ \t>]*(`{3,}|~{3,})[ \t]*([^\n]*)$")
#: One group a language, in the order of ``_GUESSED``.
_LINES = compiled(
    r"(?m)^[ \t>]*(?:"
    r"((?:\$ |# )?(?:sudo [a-z]|apt(?:-get)? install|chmod [+0-7]|chown |rm -[a-z]*[rf]|curl -"
    r"|curl http|wget |bash -|sh -c|systemctl |pip3? install|npm i|docker run|git clone|nc -"
    r"|cat /etc/|export [A-Z_]+=)|\$ [a-z./]|#!/[^\n]*sh\b)"
    r"|((?i:select)\b[^\n]*\b(?i:from)\b[^\n]*;|SELECT\s+(?:DISTINCT\s|COUNT\(|[a-z_*\"(\[])"
    r"|(?i:insert\s+into|delete\s+from)\s+\S+[^\n]*;"
    r"|(?i:drop|create|alter|truncate)\s+(?i:table)\s|(?i:update)\s+\S+\s+(?i:set)\s+\S+\s*=)"
    r"|((?:const|let|var) [A-Za-z_$]+ = [^\n]*;|function [A-Za-z_$]+\(|console\.log\()"
    r"|(def [a-z_A-Z0-9]+\(|from [a-z_.]+ import [A-Za-z_*]+(?:,| as |[ \t]*$)"
    r"|import [a-z_.]+(?: as [a-z]+)?[ \t]*$|#!/[^\n]*python|print\()"
    r"|((?i:powershell(?:\.exe)?) -|(?i:iex|invoke-(?:expression|webrequest|command))\b"
    r"|\$[A-Za-z]+ = New-))"
    r"|((?i:<script\b))"
)
_GUESSED: Final = ("shell", "sql", "javascript", "python", "powershell", "javascript")
#: So many fences, and lines, are read; what follows in a text is one block in no language known.
MOST: Final = 10_000
MANY: Final = "too-many"
_ONE_LINE, _MORE = 0.6, 0.8


def named(language: str) -> str:
    """A language's usual name, from any that a fence calls it."""
    plain = language.strip().lower().strip("{}.").removeprefix("language-")
    return _ALIASES.get(plain, plain)


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks; one that does not say its language is guessed, or left out."""
    opening = None
    for number, match in enumerate(_FENCE.finditer(searchable(text))):
        if number >= MOST:
            yield Block(MANY, 1.0, match.start(), len(text))
            return
        fence, said = match[1], match[2].strip()
        if opening is None:
            if not (fence[0] == "`" and "`" in said):
                opening = fence, said, match.start(1), match.end()
        elif fence.startswith(opening[0]) and not said:
            yield from _block(text, opening[1], opening[3], opening[2], match.end(1))
            opening = None
    if opening is not None:
        yield from _block(text, opening[1], opening[3], opening[2], len(text))


def _block(text: str, said: str, inside: int, start: int, end: int) -> Iterator[Block]:
    language = named(said.split(maxsplit=1)[0] if said else "")
    if language not in _NO_CODE:
        yield Block(language, 1.0, start, end)
    elif lines := list(_guessed(text[inside:end])):
        ((guess, count),) = Counter(line.language for line in lines).most_common(1)
        yield Block(guess, 0.9 if count > 1 else _MORE, start, end)


def unfenced(text: str, fenced: Sequence[Block]) -> Iterator[Block]:
    """Lines outside of the ``fenced`` blocks that are plainly code."""
    found, blocks = [], iter(fenced)
    block = next(blocks, None)
    for line in _guessed(text):
        while block is not None and block.end <= line.start:
            block = next(blocks, None)
        if block is None or line.start < block.start:
            found.append(line)
    counts = Counter(line.language for line in found)
    for line in found:
        more = counts[line.language] > 1
        yield line._replace(score=_MORE) if more and line.language != MANY else line


def _guessed(text: str) -> Iterator[Block]:
    """Every line that begins as code does, with its language."""
    for number, match in enumerate(_LINES.finditer(searchable(text))):
        if number >= MOST:
            yield Block(MANY, 1.0, match.start(), len(text))
            return
        start = match.start(match.lastindex)
        end = text.find("\n", start)
        yield Block(_GUESSED[match.lastindex - 1], _ONE_LINE, start, end if end >= 0 else len(text))
