r"""Make ai_gateway/guardrails/look_alikes.json from Unicode's confusables.

    pip download --no-deps confusable-homoglyphs==3.3.1, unzip it, then
    python evals/look_alikes.py confusable_homoglyphs/confusables.json \
        > ai_gateway/guardrails/look_alikes.json

That package (MIT) carries Unicode's confusables.txt (https://www.unicode.org/Public/security/)
as JSON: character → characters that look like it. Kept are the single characters that look like
one ASCII letter and that neither normalisation (NFKD, case folding) nor their own Unicode name
leads to it; the lower case of a capital look-alike is kept with it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ai_gateway.guardrails import fold

LICENCE = (
    "Derived from Unicode's confusables.txt. Copyright 1991-present Unicode, Inc. Unicode License"
    " v3, SPDX Unicode-3.0, https://www.unicode.org/license.txt. Read from the JSON of the package"
    " confusable-homoglyphs 3.3.1 (MIT). Made by evals/look_alikes.py."
)


def table(confusables: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """ASCII letter → the characters that look like it, in code point order."""
    found: dict[str, set[str]] = {}
    for letter in filter(is_letter, confusables):
        for entry in confusables[letter]:
            source = entry["c"]
            if len(source) == 1 and not fold.plain(source).isascii():
                # The prototype of a capital I is a small l.
                target = "i" if letter == "l" and source != source.lower() else letter.lower()
                found.setdefault(target, set()).add(source)
    taken = set().union(*found.values())
    for sources in found.values():
        sources.update({source.lower() for source in sources} - taken)
    return {letter: "".join(sorted(found[letter])) for letter in sorted(found)}


def is_letter(text: str) -> bool:
    """Whether ``text`` is one ASCII letter."""
    return len(text) == 1 and text.isascii() and text.isalpha()


def main() -> None:
    """Print the table as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("confusables", type=Path, help="the package's confusables.json")
    confusables = json.loads(parser.parse_args().confusables.read_text(encoding="utf-8"))
    print(json.dumps({"licence": LICENCE, "look_alikes": table(confusables)}, indent=1))


if __name__ == "__main__":
    main()
