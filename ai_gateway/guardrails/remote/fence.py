"""Text under judgement is data: it must not end its own fence, nor speak as somebody else."""

from __future__ import annotations

import hashlib
from typing import Final

import re2

#: Delimiters of prompts (``<END CONVERSATION>``) and control tokens of chat templates
#: (``<|eot_id|>``, ``<end_of_turn>``), which servers take for real wherever they stand.
_ANGLES: Final = str.maketrans("<>", "\u2039\u203a")
_INSTRUCTION: Final = re2.compile(r"(?i)\[(\s*/?\s*(?:inst|sys)\s*)\]")
#: A role at any place, since what counts as a line's beginning is the model's to say.
_ROLE: Final = re2.compile(r"(?i)\b(user|human|agent|assistant|ai|response|system)(\s*:)")


def disarmed(text: str) -> str:
    """``text`` with other brackets in place of those that delimiters and control tokens have."""
    return str(_INSTRUCTION.sub(r"(\1)", text.translate(_ANGLES)))


def unvoiced(text: str) -> str:
    """The same for a transcript, in which ``agent:`` would begin what somebody else says."""
    return str(_ROLE.sub(r"'\1'\2", disarmed(text)))


def nonce(*texts: str) -> str:
    """32 hex digits for the fence around ``texts``, which do not stand in them.

    A hash of the texts and no random number: the same question is then the same body, which the
    cache of verdicts and a recording find again. Who writes a text knows this rule, but a text with
    its own hash in it would have to be found by 2**128 tries.
    """
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode(errors="surrogatepass")
        digest.update(b"%d:%b" % (len(data), data))
    return digest.hexdigest()[:32]
