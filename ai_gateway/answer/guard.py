"""Stages 1 and 4: what the guardrail policies say of the question and of the answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ai_gateway.answer.beside import beside, mute, strings_of
from ai_gateway.answer.call import Answer, Call
from ai_gateway.answer.record import Decision
from ai_gateway.answer.vault import Vault, merged
from ai_gateway.contract import Event
from ai_gateway.errors import GuardrailUnavailable, PolicyViolation
from ai_gateway.formats import Format
from ai_gateway.formats.said import strings as said
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.guardrails.inspection import FAILED, Inspection, Redaction
from ai_gateway.guardrails.scene import Ask, Scene, Text
from ai_gateway.manifest.model import Route
from ai_gateway.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Guard:
    """Applies the policies of one bundle, and notes in the decision what they said."""

    policies: Guardrails
    ask: Callable[[Event], Ask]
    metrics: Metrics
    #: Of the bundle's models and routes: nobody's secret.
    names: frozenset[str] = frozenset()

    def question(self, call: Call, decision: Decision) -> Call:
        """``call`` as it may go on: with placeholders where a policy redacts.

        Models that checks ask see the placeholders, too. Raises PolicyViolation, and
        GuardrailUnavailable where a check could not be run.
        """
        names = call.event.route.guardrails
        recorded = call.event.route.privacy != "none"
        if not self.policies.names or names == ():
            decision.input = _joined(call.texts()) if recorded else None
            return call
        around = self._around(call)
        whose = call.event.caller.tenant
        found = self.policies.inspect(around.texts, names, around, weigh=False, whose=whose)
        if self.policies.redacts("input", names):
            self.policies.redact(self._unread(call, around.texts), names, found, whose)
        clean = True
        if found.redactions:
            call, clean = self._redacted(call, found, decision)
            around = self._around(call)
        decision.input = _joined(call.texts()) if clean and recorded else None
        if self.reads("output", call.event.route):
            decision.scene = around
        self.settle(found, around, decision, clean=clean)
        decision.route_to = found.route_to
        return call

    def settle(self, found: Inspection, scene: Scene, decision: Decision, *, clean: bool) -> None:
        """Let a request pass or be refused, once checks have weighed what is ``clean`` of it."""
        if clean:
            self.policies.weigh(scene.texts, decision.event.route.guardrails, scene, found)
        self.note(found, decision)
        self.refuse(found, decision, clean=clean)

    def scene(self, decision: Decision, texts: Sequence[Text]) -> Scene:
        """What stands around ``texts`` where nothing else is known."""
        known = decision.scene
        if known is None:
            return Scene(texts, ask=self.ask(decision.event))
        return replace(known, texts=(*known.texts, *texts))

    def inspect(self, texts: Sequence[Text], decision: Decision) -> Inspection:
        """What the policies of the decision's route say; noted and counted."""
        found = Inspection()
        if texts:
            names, around = decision.event.route.guardrails, self.scene(decision, texts)
            found = self.policies.inspect(texts, names, around)
            self.note(found, decision)
        return found

    def note(self, found: Inspection, decision: Decision) -> None:
        """Put what was ``found`` into the decision, and count it."""
        decision.verdicts += found.verdicts
        for verdict in found.verdicts:
            labels = (verdict.policy, verdict.check, verdict.action, verdict.mode)
            self.metrics.verdicts.labels(*labels).inc()
        for name in found.failed:
            self.metrics.check_failures.labels(*name.split("/", 1)).inc()

    def refuse(self, found: Inspection, decision: Decision, *, clean: bool = True) -> None:
        """Raise what ``found`` comes to, if it refuses.

        What is not ``clean`` holds what a policy redacts, and nothing can be put in its place.
        """
        try:
            enforce(found, clean=clean)
        except (PolicyViolation, GuardrailUnavailable):
            decision.selection = decision.selection or "guardrail"
            raise

    def answer(self, answer: Answer, form: Format, decision: Decision) -> Answer:
        """An answer in one piece, let pass or refused: its text, and what else its body shows.

        What comes back has ``[KIND]`` where a policy redacts, and so has the decision's output.
        """
        if not self.reads("output", decision.event.route):
            return answer
        events = [answer.body] if isinstance(answer.body, Mapping) else []
        found = self.whole(answer.text, strings_of(events), decision)
        clean = True
        if found.redactions:
            answer, clean = self._masked(answer, form, found, decision)
            decision.output = answer.text if clean else None
        self.refuse(found, decision, clean=clean)
        return answer

    def whole(self, text: str, strings: Sequence[str], decision: Decision) -> Inspection:
        """What is said of an answer's text and of all that its caller sees beside it."""
        texts = [Text(text, "output")]
        if more := beside(strings, text):
            texts.append(Text(more, "output"))
        return self.inspect(texts, decision)

    def reads(self, stage: str, route: Route) -> bool:
        """Whether a policy of ``route`` looks at texts of ``stage``."""
        return self.policies.guards(stage, route.guardrails)

    def clean(self, texts: Sequence[Text], vault: Vault, decision: Decision) -> bool:
        """Whether nothing is left in ``texts`` that a policy redacts."""
        left, found = [Text(vault.stripped(text.text), text.stage) for text in texts], Inspection()
        self.policies.redact(left, decision.event.route.guardrails, found)
        return not (found.redactions or found.unsure)

    def _around(self, call: Call) -> Scene:
        return Scene(tuple(_texts(call)), call.body, call.model, self.ask(call.event))

    def _redacted(self, call: Call, found: Inspection, decision: Decision) -> tuple[Call, bool]:
        """``call`` with placeholders, and whether they could be put in everywhere."""
        vault = decision.vault = Vault(text.text for text in self._all(call))
        body = vault.hide(dict(call.body), found.redactions)
        files = tuple(
            replace(file, filename=vault.hide(file.filename, found.redactions))
            for file in call.files
        )
        hidden = replace(call, body=body, files=files)
        return hidden, self.clean(self._all(hidden), vault, decision)

    def _all(self, call: Call) -> list[Text]:
        """Every text of a request in which something may be redacted."""
        read = _texts(call)
        return [*read, *self._unread(call, read)]

    def _unread(self, call: Call, read: Iterable[Text]) -> list[Text]:
        """What is no text to a model, and yet goes out and is recorded: parameters, file names.

        It is redacted, but not judged.
        """
        found = [*said([value for key, value in call.body.items() if key not in _READ])]
        found += [file.filename for file in call.files]
        if self.names.issuperset(found):
            return []
        known = {*self.names, *(text.text for text in read)}
        return [Text(text, "input") for text in found if text not in known]

    def _masked(
        self, answer: Answer, form: Format, found: Inspection, decision: Decision
    ) -> tuple[Answer, bool]:
        """``answer`` with kinds, and whether they could be put in everywhere."""
        masks, body = Vault(numbered=False), answer.body
        if not isinstance(body, Mapping):
            text = masks.hide(answer.text, found.redactions)
            masked, left = replace(answer, text=text, body=text.encode()), [text]
        else:
            hidden: dict[str, Any] = masks.hide(dict(body), found.redactions)
            mute(hidden)
            masked = replace(answer, text=form.read(hidden).text, body=hidden)
            left = [masked.text, *strings_of([hidden])]
        return masked, self.clean([Text(each, "output") for each in left], masks, decision)


@dataclass(frozen=True, slots=True)
class Guarding:
    """The guard of one answer, for a stream of it."""

    guard: Guard
    decision: Decision

    @property
    def redacts(self) -> bool:
        """Whether a part of the answer may have to leave as something else."""
        names = self.decision.event.route.guardrails
        return self.guard.policies.redacts("output", names)

    def look(self, text: Text) -> Inspection:
        """What the policies say of a part; noted nowhere."""
        names = self.decision.event.route.guardrails
        return self.guard.policies.inspect([text], names, self.decision.scene, weigh=False)

    def refuse(self, found: Inspection) -> None:
        """Raise what ``found`` comes to, if it refuses, and note why."""
        if found.action == "block":
            self.guard.note(found, self.decision)
            self.guard.refuse(found, self.decision)

    def whole(self, text: str, strings: Sequence[str]) -> Inspection:
        """What is said of the whole answer, let pass or refused."""
        found = self.guard.whole(text, strings, self.decision)
        self.guard.refuse(found, self.decision)
        return found

    def spare(self, found: Inspection, settled: Collection[str]) -> None:
        """Refuse an answer that holds what its parts, rid of ``settled``, did not show."""
        by_text: dict[str, list[Redaction]] = {}
        for each in found.redactions:
            by_text.setdefault(each.text, []).append(each)
        clean = all(
            text[start:end] in settled
            for text, redactions in by_text.items()
            for start, end, _ in merged(redactions)
        )
        self.guard.refuse(found, self.decision, clean=clean)


def _texts(call: Call) -> list[Text]:
    """Every text of a request that policies read."""
    return [*call.texts(), *call.format.definitions(call.body)]


#: Keys of a request whose texts are read as such, and those of bytes, references and credentials.
_READ: Final = frozenset(
    (
        *("documents", "functions", "input", "inputs", "instructions", "messages", "passages"),
        *("prompt", "query", "system", "tools"),
        *("container", "conversation", "file", "image", "image[]", "mask", "mcp_servers"),
        *("previous_response_id", "prompt_embeds"),
    )
)


def _joined(texts: Sequence[Text]) -> str:
    return "\n".join(text.text for text in texts)


def strings(value: object) -> Iterator[str]:
    """Every string of a JSON value, keys too: a proxied body has no shape that is known."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            stack.extend(item.values())
            stack.extend(item)
        elif isinstance(item, Sequence):
            stack.extend(item)


def enforce(found: Inspection, *, clean: bool = True) -> None:
    """Raise where the policies block; says which, not how to get round it."""
    if found.action != "block":
        if not clean:
            what = _what(found.verdicts[0].stage)
            raise PolicyViolation(f"The {what} holds what a policy redacts where it cannot be.")
        return
    blocking = [
        verdict
        for verdict in found.verdicts
        if verdict.action == "block" and verdict.mode == "enforce"
    ]
    decided = next((verdict for verdict in blocking if verdict.rule != FAILED), None)
    if decided is None:
        raise GuardrailUnavailable(
            f"Policy {blocking[0].policy} ({blocking[0].check}) could not be checked."
        )
    what = _what(decided.stage)
    raise PolicyViolation(f"The {what} violates policy {decided.policy} ({decided.check}).")


def _what(stage: str) -> str:
    return "answer" if stage == "output" else "request"
