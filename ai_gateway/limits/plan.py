"""Which counters a call meets: worked out once for each caller, route and choice of models."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from ai_gateway.limits.declared import Budget, Limit, Match
from ai_gateway.limits.store import Counter
from ai_gateway.limits.windows import Span
from ai_gateway.manifest.model import Manifest, Route
from ai_gateway.manifest.units import Rate

Unit = Literal["requests", "tokens", "cost"]

#: Money is counted in whole billionths of the currency, so that sums are exact.
BILLION: Final = 10**9
#: Of the functions that come with the gateway, those that ask models.
ASKING: Final = frozenset(
    f"functions.{name}:handle"
    for name in (
        *("inference", "v1.audio_speech", "v1.audio_transcriptions", "v1.audio_translations"),
        *("v1.chat_completions", "v1.completions", "v1.embeddings", "v1.images_edits"),
        *("v1.images_generations", "v1.images_variations", "v1.messages"),
        *("v1.messages_count_tokens", "v1.ranking", "v1.rerank", "v1.responses", "v2.infer"),
    )
)
#: Parts of these are of one tenant.
_OF_TENANTS: Final = frozenset({"key", "team", "tenant"})
#: What others find out by whether the gateway is there: only a limit that names the route counts.
HEALTH: Final = frozenset(
    f"functions.{name}:handle"
    for name in ("healthz", "home", "metrics", "ping", "readyz", "v2.live", "v2.ready")
)


class Who(NamedTuple):
    """Whose call it is, as limits tell callers apart."""

    tenant: str
    team: str
    key: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is counted. ``of`` is the route whose own ``rateLimit`` it is, if it is one.

    ``key`` is what its counts are kept under: what is counted, not how much of it is allowed.
    """

    name: str
    unit: Unit
    per: tuple[str, ...]
    match: Match
    window: Span
    cap: int
    assume: int | None = None
    soft: float = 1.0
    of: str | None = None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        said = [self.unit, self.per, self.match.model_dump(), self.window, self.of]
        object.__setattr__(self, "key", f"{self.unit}:{self.name}:{_digest(said)[:12]}")

    @property
    def budget(self) -> bool:
        """Whether it counts money."""
        return self.unit == "cost"


@dataclass(frozen=True, slots=True)
class Entry:
    """A counter that a call meets, and of whose use: ``models`` alone, or None, whoever answers.

    ``among`` are the models that may answer and that it is about.
    """

    counter: Counter
    rule: Rule
    among: tuple[str, ...]
    models: frozenset[str] | None


class Plan(NamedTuple):
    """The counters that a call meets."""

    entries: tuple[Entry, ...]
    #: Whether each counts requests, of which the call is one.
    of_requests: bool
    #: Whether the call may come to something else than was taken for it.
    settles: bool

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Plan:
        """The plan of ``entries``."""
        found = tuple(entries)
        of_requests = all(entry.rule.unit == "requests" for entry in found)
        of_some_models = any(entry.models is not None for entry in found)
        return cls(found, of_requests, settles=of_some_models or not of_requests)

    def again(self) -> Plan:
        """What a second call of one request meets, which is no second request."""
        return Plan.of(entry for entry in self.entries if entry.rule.unit != "requests")


def rules(manifest: Manifest) -> tuple[Rule, ...]:
    """All that ``manifest`` counts: the routes' own limits first."""
    return tuple(
        rule
        for part in (map(_own, manifest.routes), map(_limit, manifest.limits))
        for found in part
        for rule in found
    ) + tuple(map(_budget, manifest.budgets))


def _own(route: Route) -> Iterator[Rule]:
    if rate := route.rate_limit:
        per, name = ("key",), f"rateLimit of {route.name}"
        match = Match(routes=(route.name,))
        yield Rule(name, "requests", per, match, rate.seconds, rate.limit, of=route.name)


def _limit(limit: Limit) -> Iterator[Rule]:
    rates: tuple[tuple[Unit, Rate | None], ...] = (
        ("requests", limit.requests),
        ("tokens", limit.tokens),
    )
    for unit, rate in rates:
        if rate:
            name, match, assume = limit.called, limit.match, limit.assume
            yield Rule(name, unit, limit.per, match, rate.seconds, rate.limit, assume)


def _budget(budget: Budget) -> Rule:
    cap = math.floor(budget.amount * BILLION)
    name, match, assume = budget.called, budget.match, budget.assume
    return Rule(name, "cost", budget.per, match, budget.window, cap, assume, budget.soft)


def meets(rule: Rule, route: Route) -> bool:
    """Whether requests of ``route`` count, as far as the route is concerned."""
    return route.name in rule.match.routes if rule.match.routes else route.function not in HEALTH


def entries(rule: Rule, who: Who, routes: Sequence[str], models: Sequence[str]) -> Iterator[Entry]:
    """The counters of ``rule`` that a call meets on ``routes``, which ``models`` may answer.

    Where it names the models that it is about, or counts each, one of them must be among these;
    what counts tokens or money is about calls that a model may answer.
    """
    match = rule.match
    if match.tenants and who.tenant not in match.tenants:
        return
    if match.teams and who.team not in match.teams:
        return
    counted = [name for name in routes if not match.routes or name in match.routes]
    among = tuple(name for name in models if not match.models or name in match.models)
    of_models = rule.unit != "requests" or match.models or "model" in rule.per
    if not counted or (of_models and not among):
        return
    for route in counted if "route" in rule.per else counted[:1]:
        for some in [(name,) for name in among] if "model" in rule.per else [among]:
            # Of a call that only these may answer, all that becomes of it is theirs.
            models_own = None if len(some) == len(models) else frozenset(some)
            yield _entry(rule, who, route, some, models_own)


def _entry(
    rule: Rule, who: Who, route: str, among: tuple[str, ...], models: frozenset[str] | None
) -> Entry:
    values = {
        "key": (who.tenant, who.key),
        "team": (who.tenant, who.team),
        "tenant": (who.tenant,),
        "route": (route,),
        "model": among,
    }
    said = {name: values[name] for name in rule.per}
    label = ", ".join(f"{name} {value[-1][:100]}" for name, value in said.items())
    tenant = who.tenant if _OF_TENANTS & said.keys() else ""
    counter = Counter(rule.key, _digest(said)[:24], rule.window, rule.cap, label, tenant)
    return Entry(counter, rule, among, models)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def spent(
    rule: Rule, rows: Iterable[Mapping[str, object]], nameable: Collection[str]
) -> dict[str, int]:
    """What each part of the budget ``rule`` has spent, in billionths.

    Of a row it reads tenant, team, key_id, route, model_requested (which may be one of the
    ``nameable`` routes), served and cost.
    """
    sums: dict[str, int] = {}
    for row in rows:
        who = Who(*(str(row[name] or "") for name in ("tenant", "team", "key_id")))
        routes, named = [str(row["route"])], row["model_requested"]
        if named in nameable and named not in routes:
            routes.append(str(named))
        cost = row["cost"]
        amount = math.ceil(cost * BILLION) if isinstance(cost, float) else 0
        for entry in entries(rule, who, routes, [str(row["served"])]):
            part = entry.counter.part
            sums[part] = sums.get(part, 0) + amount
    return sums
