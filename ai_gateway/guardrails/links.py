"""Links in a text, and the hosts that who follows them may reach.

URLs are read as browsers read them (https://url.spec.whatwg.org), and where other readers differ
(RFC 3986), their way too: a link leads to every host that one of them takes it to.
"""

from __future__ import annotations

import html
import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from ai_gateway.guardrails.linear import compiled, searchable

#: Of these a host follows, whatever stands between.
_SPECIAL: Final = frozenset(("http", "https", "ftp", "ws", "wss"))
_SLASHES: Final = "/\\"
#: Domains that are a link without a scheme too, where a path follows.
_DOMAINS: Final = (
    "com|net|org|info|biz|io|dev|app|ai|co|me|xyz|site|online|top|club|shop|live|link|click|cloud"
    "|page|tech|space|website|ru|cn|de|uk|fr|eu|in|br|tk"
)
#: Where markdown, HTML and CSS have a link, and what is absolute behind it (or may be, once its
#: entities are read); a link in the midst of other text; a name alone.
_BEGIN = compiled(
    r"(\]\(\s*<?\s*|\]:\s*<?|\b(?:src|href|srcset)\s*=\s*[\"']?\s*"
    r"|\b(?:action|formaction|poster|background|data|cite|ping)=[\"']?\s*"
    r"|\burl\(\s*[\"']?\s*|@import\s+[\"']?)"
    r"(?:[a-z][a-z0-9+.\-\t\r\n]{1,40}[:&]|[/\\][\t\r\n]*[/\\]|&)"
    r"|<(?:javascript|data|vbscript|mailto):"
    r"|(?:https?|ftp|wss?):[/\\]+|\b[a-z][a-z0-9+.\-]{1,31}://|\bwww\."
    rf"|\b(?:[a-z0-9-]+\.)+(?:{_DOMAINS})[/?]",
    ignore_case=True,
)
#: One character each, which cannot backtrack; RE2 would take a copy of the text for each search.
_ENDS = r"\s<>\"'`"
_TARGET_END = re.compile(f"[{_ENDS}]")
_BARE_END = re.compile(f"[{_ENDS}–—…‘’“”„«»、。，；：！？（）「」『』【】《》]")  # noqa: RUF001 - what ends it
_PUNCTUATION: Final = ".,;:!?*_~]}|"
_AUTHORITY_END = re.compile(r"[/?#]")
_RELATIVE = re.compile(r"[/\\]{2}")
#: These can match in one way only.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+")
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
#: Browsers take these out of a URL, and these out of a host.
_CONTROLS = dict.fromkeys(range(33))
_IGNORED = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff\ufe0e\ufe0f"))
_LONGEST_HOST: Final = 253
#: Characters in which one of a host may be written: three bytes, percent-encoded.
_WRITTEN: Final = 9
#: Characters that tell whether a link leads elsewhere.
_HEAD: Final = 100


#: So many beginnings of links are read; what follows in a text is one link to nowhere known.
MOST: Final = 10_000
MANY: Final = "too-many"


class Link(NamedTuple):
    """Where it stands, its scheme (lower case, or empty), and where it may lead.

    A host is in lower case and punycode, an address in its usual form; an empty one cannot be read.
    """

    start: int
    end: int
    scheme: str
    hosts: tuple[str, ...]


def links(text: str) -> Iterator[Link]:
    """Every link of ``text`` that leads elsewhere, in order; one within another is a part of it."""
    text, done = searchable(text), 0
    for number, match in enumerate(_BEGIN.finditer(text)):
        begin, prefix = match.span(), match.end(1)
        start = max(begin[0] + (text[begin[0]] == "<"), prefix)
        if number >= MOST:
            yield Link(start, len(text), MANY, ("",))
            return
        if start < done:
            continue
        found = _link(text, start, begin[1], placed=prefix >= 0)
        if found is not None:
            done = found.end
            yield found


def _link(text: str, start: int, leads: int, *, placed: bool) -> Link | None:
    """The link that begins at ``start``; up to ``leads`` it is known to be like one."""
    named = not placed and ":" not in text[start:leads]
    if named and text[start - 1 : start] == "@":
        return None
    # To read all of what leads nowhere, again and again, would cost the square of the length.
    head = _parts(text[start : start + _HEAD]) if placed else ("", "")
    if head is None:
        return None
    end = _end(text, start, placed=placed)
    target = text[start:end]
    # A target that a control character cuts short has its scheme behind it.
    scheme, rest = ("", target) if named else _parts(target) or (head[0], "")
    hosts = _hosts(scheme, rest)
    leads_on = placed or hosts != ("",) or rest.strip(_SLASHES)
    return Link(start, end, scheme, hosts) if leads_on else None


def _end(text: str, start: int, *, placed: bool) -> int:
    """Where a link ends: before a space, a quote, or a bracket that was not opened in it."""
    found = (_TARGET_END if placed else _BARE_END).search(text, start)
    target = text[start : found.start() if found else len(text)]
    if ")" in target:
        target = target[: _unopened(target)]
    return start + len(target if placed else target.rstrip(_PUNCTUATION))


def _unopened(target: str) -> int | None:
    """Where the first closing bracket stands that has no opening one."""
    opened = 0
    for at, sign in enumerate(target):
        opened += (sign == "(") - (sign == ")")
        if opened < 0:
            return at
    return None


def _parts(target: str) -> tuple[str, str] | None:
    """The scheme, if there is one, and what stands behind it; None for what leads nowhere else."""
    plain = html.unescape(target) if "&" in target else target
    if not plain.isprintable():
        plain = plain.translate(_CONTROLS)
    scheme, colon, rest = plain.partition(":")
    if not (colon and _SCHEME.fullmatch(scheme)):
        return ("", plain) if _RELATIVE.match(plain) else None
    scheme = scheme.lower()
    return (scheme, rest) if scheme in _SPECIAL or rest[:1] not in ("", ":") else None


def _hosts(scheme: str, rest: str) -> tuple[str, ...]:
    """The hosts that ``rest``, from behind the scheme on, may lead to."""
    if scheme and scheme not in _SPECIAL and not rest.startswith("//"):
        return ()
    standard = _AUTHORITY_END.split(rest.lstrip(_SLASHES), maxsplit=1)[0]
    browser = standard.partition("\\")[0]
    if "@" not in standard:
        return (host_of(browser),)
    found = {text.rpartition("@")[2] for text in (standard, browser)}
    found |= set(browser.split("@", 2)[1:2])
    return tuple(sorted({host_of(authority) for authority in found}))


def host_of(authority: str) -> str:
    """The host in ``host:port`` as it is compared, from any way to write it; empty for none."""
    if not authority.startswith("["):
        return _canonical(authority.partition(":")[0])
    try:
        address = ipaddress.IPv6Address(authority[1:].partition("]")[0])
    except ValueError:
        return ""
    return str(address.ipv4_mapped or address)


def _canonical(host: str) -> str:
    if len(host) > _LONGEST_HOST * _WRITTEN:
        return ""
    plain = host.lower().rstrip(_PUNCTUATION)
    if "%" in plain or not plain.isascii():
        plain = unicodedata.normalize("NFKC", unquote(plain).translate(_IGNORED)).lower()
        plain = plain.replace("\u3002", ".").rstrip(_PUNCTUATION)[: _LONGEST_HOST + 1]
        plain = ".".join(map(_ascii, plain.split(".")))
    if len(plain) > _LONGEST_HOST or not _HOST.fullmatch(plain):
        return ""
    last = plain.rpartition(".")[2]
    return _ipv4(plain.split(".")) if _NUMBER.fullmatch(last) else plain


def _ascii(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode()}"


_PARTS = 4  # of an IPv4 address


def _ipv4(parts: list[str]) -> str:
    """An IPv4 address in any of the forms that readers take: 127.1, 0x7f000001, 0177.0.0.1."""
    try:
        numbers = [_number(part) for part in parts]
        *bytes_, last = numbers
        value = last + sum(byte << (24 - 8 * at) for at, byte in enumerate(bytes_))
        fits = last < 1 << 8 * (5 - len(numbers)) and all(byte < 1 << 8 for byte in bytes_)
        return str(ipaddress.IPv4Address(value)) if fits and len(numbers) <= _PARTS else ""
    except ValueError:
        return ""


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") and len(text) > 1 else 10)
