"""One piece of feedback, as a caller gives it and as it is stored."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from ai_gateway import strictjson
from ai_gateway.answer.record import digest
from ai_gateway.contract import Event
from ai_gateway.manifest.model import Privacy
from ai_gateway.manifest.units import Name, matching

#: What may be rated; a piece of feedback holds one of them or more.
RATED: Final = ("score", "thumb", "preferred", "correction", "guardrail")
#: A request's id as ``ids.new_id`` makes it: UUID version 7 in 32 hex digits.
REQUEST_ID: Final = "[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"
_WANTED: Final = "the x-request-id of the request that is rated: 32 hex digits of a UUID version 7"


def _printable(text: str) -> str:
    """Names are shown to operators, in a terminal too: nothing invisible, nothing that steers."""
    if not text.isprintable():
        raise ValueError("a text of printable characters on one line")
    return text


RequestId = Annotated[str, BeforeValidator(matching(REQUEST_ID, _WANTED))]
Rater = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
RuleName = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_printable)]


class Feedback(BaseModel):
    """What a rater says of a request: at least one of ``RATED``.

    ``score`` is 0..1. ``rule`` names a guardrail's rule as RULE, CHECK/RULE or POLICY/CHECK/RULE:
    the one that fired wrongly (``false_alarm``) or rightly (``confirmed``), or that should have
    fired (``missed``), where a check's name will do, or none.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    request_id: RequestId
    rater: Rater | None = None
    score: float | None = Field(None, ge=0, le=1)
    thumb: Literal["up", "down"] | None = None
    preferred: Name | None = None
    correction: str | None = Field(None, min_length=1, max_length=100_000)
    guardrail: Literal["false_alarm", "confirmed", "missed"] | None = None
    rule: RuleName | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Feedback:
        if not self.rated():
            raise ValueError(f"at least one of {', '.join(RATED)} must be there")
        if self.rule and not self.guardrail:
            raise ValueError("rule goes with guardrail: false_alarm, confirmed or missed")
        if self.guardrail in ("false_alarm", "confirmed") and not self.rule:
            raise ValueError(f"guardrail: {self.guardrail} must name the rule that fired")
        return self

    def rated(self) -> list[str]:
        """What of ``RATED`` it holds."""
        return [name for name in RATED if getattr(self, name) is not None]


def label_id(given: Feedback, tenant: str, rater: str) -> str:
    """The same for the same rater on the same thing, whatever he says of it: 32 hex digits."""
    what = [given.request_id, tenant, rater, given.rule, *given.rated()]
    return hashlib.sha256(strictjson.dumps(what)).hexdigest()[:32]


def row(given: Feedback, event: Event) -> dict[str, Any]:
    """The row of the feedback table that ``given`` is, by the caller of ``event``.

    Its key is the label's id and the time: the reader of records keeps the first row of a key,
    and of a label the newest counts.
    """
    rater, tenant = given.rater or event.caller.id, event.caller.tenant
    created_at = round(event.received_at * 1e6)
    return {
        "schema_version": 1,
        "feedback_id": f"{label_id(given, tenant, rater)}/{created_at}",
        "created_at": created_at,
        "request_id": given.request_id,
        "tenant": tenant,
        "rater": rater,
        "score": given.score,
        "thumb": given.thumb,
        "preferred": given.preferred,
        "correction": _kept(given.correction, event.route.privacy),
        "guardrail": given.guardrail,
        "rule": given.rule,
        "selection_probability": None,  # nobody drew it; a caller may not weight his own labels
    }


def _kept(text: str | None, privacy: Privacy) -> str | None:
    """As the feedback route's own ``privacy`` allows: that of the rated request is not known."""
    if text is None or privacy == "full":
        return text
    return digest(text.encode("utf-8", "surrogatepass")) if privacy == "hashed" else None
