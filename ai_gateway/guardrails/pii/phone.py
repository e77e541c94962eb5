"""Telephone numbers: as a country's plan has them, or what a text calls one."""

from __future__ import annotations

from collections.abc import Iterator

from ai_gateway.guardrails.pii import numbering
from ai_gateway.guardrails.pii.hit import Hit
from ai_gateway.guardrails.pii.joints import goes_on_before, goes_on_behind
from ai_gateway.guardrails.pii.latin import compiled
from ai_gateway.guardrails.pii.nearby import Nearby
from ai_gateway.guardrails.pii.numbering import Plan
from ai_gateway.guardrails.pii.reading import Reading

WORDS = (
    "phone",
    "telephone",
    "tel",
    "mobile",
    "cell",
    "cellphone",
    "landline",
    "fax",
    "sms",
    "whatsapp",
    "voicemail",
    "hotline",
    "contact",
    "dial",
    "answering",
    "messages to",
    *(f"{verb} {whom}" for verb in ("call", "text", "ring", "reach", "phone")
      for whom in ("me", "us", "him", "her", "them")),
    "telefon",
    "telefono",
    "telefone",
    "mobil",
    "movil",
    "celular",
    "cellulare",
    "handynummer",
)  # fmt: skip
#: What stands beside numbers where people list theirs, and before much else.
LABELS = ("office", "desk", "home", "work", "direct")
_INTERNATIONAL = compiled(r"(?:\+ ?\(?|\b(?:00|011)[ .\-]?)[1-9][0-9 ().\-/]{5,28}[0-9]")
#: What a text may call a telephone number, if no plan has it.
_POSSIBLE = compiled(r"[+(]?\b[0-9][0-9 ().\-/]{5,20}[0-9](?:\b|[xX])")
_EXTENSION = compiled(r"(?i) ?(?:x|ext|extension)[.:]? ?[0-9]{1,6}\b")
_DATE = compiled(
    r"(?:19|20)[0-9]{2}[-./][0-9]{2}[-./][0-9]{2}\b"
    r"|[0-9]{1,2}[-./][0-9]{1,2}[-./](?:19|20)[0-9]{2}\b"
)
_SIGNS = b" .-/()+"
_SPACED = bytes.maketrans(_SIGNS, b" " * len(_SIGNS))
_FEWEST, _MOST = 7, 15
_MOST_GROUPS = 6
#: How far behind a word or a label a number may start that no plan has, in characters.
_BEHIND = {"phone": 25, "phone label": 3}
#: How far before it one may end.
_BEFORE = 3
_WINDOW = 60


class Phone:
    """Numbers with a country's code, those of one region without, and what is called a number."""

    __slots__ = ("_plan",)

    def __init__(self, region: str) -> None:
        """``region``: whose numbers need no code; ValueError if there is no such country."""
        self._plan = numbering.of_region(region)

    def find(self, reading: Reading, nearby: Nearby) -> Iterator[Hit]:
        """Numbers that there are, and near a word of telephones those that may be."""
        data = reading.numbers
        yield from _international(data)
        yield from _of_region(self._plan, data, nearby)
        yield from _called(data, nearby)


def _international(data: bytes) -> Iterator[Hit]:
    for match in _INTERNATIONAL.finditer(data):
        start, stop = match.span()
        for end in _ends(data, start, stop):
            digits = data[start:end].translate(None, _SIGNS)
            if len(digits) < _FEWEST:
                break
            if numbering.is_international(digits.removeprefix(b"011").lstrip(b"0")):
                yield Hit(start, _extended(data, end), "phone", 1.0)
                break


def _of_region(plan: Plan, data: bytes, nearby: Nearby) -> Iterator[Hit]:
    at = 0
    while match := plan.written.search(data, at):
        start, end = match.span()
        written = data[start:end].rstrip(b"xX").lstrip(_SIGNS)
        start = max(at, end - len(data[start:end].lstrip(_SIGNS)))
        end = start + len(written)
        groups = written.translate(_SPACED).split()
        at = start + len(groups[0])
        if (
            _is_written_well(groups)
            and not _is_part(data, start, end)
            and plan.digits.fullmatch(b"".join(groups))
        ):
            at = end
            # Ten digits in one piece may be anything.
            alone = 0.4 if len(groups) == 1 else 0.8
            opening = data[start - 1 : start] == b"(" and b")" in written
            score = 1.0 if nearby.near("phone", start, end) else alone
            yield Hit(start - opening, _extended(data, end), "phone", score)


def _called(data: bytes, nearby: Nearby) -> Iterator[Hit]:
    """What stands right beside a word of telephones and has as many digits as numbers have."""
    for kind, behind in _BEHIND.items():
        for place in nearby.places(kind):
            for start, end in _beside(data, *place, behind):
                count = len(data[start:end].translate(None, _SIGNS))
                if _FEWEST <= count <= _MOST and not (
                    _DATE.match(data, start, end) or _is_part(data, start, end)
                ):
                    yield Hit(start, _extended(data, end), "phone", 0.7)


def _beside(data: bytes, start: int, end: int, behind: int) -> Iterator[tuple[int, int]]:
    """Where digits are that stand at most ``behind`` characters behind a word, or right before."""
    window = min(end + _WINDOW, len(data))
    for match in _POSSIBLE.finditer(data, max(0, start - _WINDOW), window):
        first, last = match.start(), match.end() - (data[match.end() - 1] in b"xX")
        if 0 <= start - last <= _BEFORE or 0 <= first - end <= behind:
            yield first, last


def _is_written_well(groups: list[bytes]) -> bool:
    """Not one digit a group, as in a table, and no date; only a 0 or a 1 opens by itself."""
    few = len(groups) <= _MOST_GROUPS and all(len(group) > 1 for group in groups[1:])
    return (
        few
        and (len(groups) == 1 or len(groups[0]) > 1 or groups[0] in {b"0", b"1"})
        and not (_DATE.match(b"-".join(groups)))
    )


def _ends(data: bytes, start: int, stop: int) -> Iterator[int]:
    """Where groups of digits end, the last first."""
    for at in range(stop, start, -1):
        behind = data[at : at + 1]
        if data[at - 1 : at].isdigit() and (behind in b"xX" or not behind.isalnum()):
            yield at


def _extended(data: bytes, end: int) -> int:
    """``end``, or where the extension that follows it ends."""
    if data[end : end + 2].lstrip()[:1] not in {b"x", b"X", b"e", b"E"}:
        return end
    match = _EXTENSION.match(data, end, min(end + 20, len(data)))
    return match.end() if match else end


def _is_part(data: bytes, start: int, end: int) -> bool:
    """Whether digits go on around it, so that this is part of a longer number."""
    return goes_on_before(data, start, b".-/+") or goes_on_behind(data, end, b".-/")
