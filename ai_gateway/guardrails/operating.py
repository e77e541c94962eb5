"""Each guardrail rule's operating point, from what people said of live verdicts.

``python -m ai_gateway.guardrails.operating`` prints how often each rule fired, how many of those
firings somebody labelled, and what share of them was right. One request in which a rule fired is
one firing. Where several raters labelled one, at least half of them make it a false alarm.

A label with a ``selection_probability`` was drawn, and counts as the inverse of it (Hajek's
estimator: a weighted mean over the sum of the weights); one that was volunteered counts once. An
interval is Wilson's at 95 %, for Kish's effective number of labels: the square of the weights' sum
over the sum of their squares, rounded down.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from typing import Any, Final, NamedTuple

from ai_gateway import strictjson
from ai_gateway.clock import SystemClock
from ai_gateway.judge.weights import interval
from ai_gateway.records import Records, queries
from ai_gateway.records.command import opened
from ai_gateway.settings import Settings

_DAY: Final = 86_400.0  # seconds
#: What is read of a label.
COLUMNS: Final = (
    "feedback_id",
    "created_at",
    "request_id",
    "tenant",
    "rater",
    "guardrail",
    "rule",
    "selection_probability",
)
Label = Mapping[str, Any]


class Rule(NamedTuple):
    """Whose point it is; a check has no rule, and all together have no check either."""

    policy: str = ""
    check: str = ""
    rule: str = ""

    def names(self) -> tuple[str, str, str]:
        """What a label may call it."""
        return self.rule, f"{self.check}/{self.rule}", "/".join(self)

    def levels(self) -> tuple[Rule, Rule, Rule]:
        """Itself, its check, and all."""
        return self, Rule(self.policy, self.check), ALL


ALL: Final = Rule()


@dataclass(slots=True)
class Point:
    """What a rule did, and what people said of it: a weight for each firing and for each miss."""

    enforced: int = 0
    observed: int = 0
    right: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    missed: list[float] = field(default_factory=list)

    def add(self, other: Point) -> None:
        """All that is in ``other``, too."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def row(self, rule: Rule) -> dict[str, Any]:
        """As JSON has it; shares are null, in 0..1, where nobody labelled anything.

        ``recall`` is of what somebody looked at, and a bound from above: there are at least as
        many misses as were reported. ``weighted`` says that some labels were drawn.
        """
        weights = (*self.right, *self.wrong, *self.missed)
        return {
            **rule._asdict(),
            "fired": self.enforced + self.observed,
            "enforced": self.enforced,
            "observed": self.observed,
            "labelled": len(self.right) + len(self.wrong),
            "false_alarms": len(self.wrong),
            **_share("precision", self.right, self.wrong),
            "missed": len(self.missed),
            **_share("recall", self.right, self.missed),
            "weighted": any(weight != 1 for weight in weights),
        }


def _share(name: str, these: Sequence[float], others: Sequence[float]) -> dict[str, float | None]:
    """The share of ``these`` weights in all, with its interval."""
    weights = [*these, *others]
    if not weights:
        return {name: None, f"{name}_low": 0.0, f"{name}_high": 1.0}
    mean = min(1.0, fsum(these) / fsum(weights))
    largest = max(weights)
    scaled = [weight / largest for weight in weights]  # a square may be beyond a double
    size = fsum(scaled) ** 2 / fsum(weight * weight for weight in scaled)
    low, high = interval(mean, int(size + 1e-9))  # what is equal must not be rounded to less
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


@dataclass(slots=True)
class Report:
    """All points: of the rules, the most frequent first, of their checks, and of all together.

    ``labels`` counts what people said of guardrails, the newest of each rater; ``left_out`` those
    of them that fit no record: ``no_request`` (not in these records, or before their time),
    ``other_tenant``, ``other_verdict`` (a verdict on a rule that did not fire in that request, or
    a miss of one that did).
    """

    rules: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    overall: dict[str, Any]
    labels: int
    left_out: dict[str, int]

    def summary(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


def report(records: Records, since: float | None = None) -> Report:
    """The points of requests from ``since`` on (seconds since the epoch), with all labels since."""
    labels = newest(records, since)
    fired, requests = queries.rules_fired(records, since, {row["request_id"] for row in labels})
    counts = {_rule(row): Point(row["enforced"], row["observed"]) for row in fired}
    return _Tally(counts, requests).of(labels)


def newest(records: Records, since: float | None = None) -> list[Label]:
    """What each rater said last of each verdict, the oldest first."""
    found = records.scan("feedback", COLUMNS, since, where=[("guardrail", "!=", None)])
    order = [("created_at", "ascending"), ("feedback_id", "ascending")]
    rows = found.sort_by(order).to_pylist()
    last = {(row["request_id"], row["tenant"], row["rater"], row["rule"]): row for row in rows}
    return sorted(last.values(), key=lambda row: (row["created_at"], row["feedback_id"]))


class _Tally:
    """Puts labels to the firings that they are of."""

    def __init__(
        self, counts: Mapping[Rule, Point], requests: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._points: defaultdict[Rule, Point] = defaultdict(Point, counts)
        self._requests = requests
        self._named: defaultdict[str, list[Rule]] = defaultdict(list)
        for rule in counts:
            for name in rule.names():
                self._named[name].append(rule)
        self._checks = {
            name: Rule(rule.policy, rule.check)
            for rule in counts
            for name in (rule.check, f"{rule.policy}/{rule.check}")
        }
        #: Of each firing and of each miss: what each rater said last.
        self._verdicts: defaultdict[tuple[str, Rule], dict[str, Label]] = defaultdict(dict)
        self._misses: defaultdict[tuple[str, Rule], dict[str, Label]] = defaultdict(dict)
        self._left_out = Counter({"no_request": 0, "other_tenant": 0, "other_verdict": 0})

    def of(self, labels: Sequence[Label]) -> Report:
        """The report."""
        for label in labels:
            self._put(label)
        self._weigh()
        rows = [point.row(rule) for rule, point in self._points.items() if rule.rule]
        rows.sort(key=lambda row: (-row["fired"], -row["missed"], *(row[n] for n in Rule._fields)))
        levels = self._sums()
        overall = levels.pop(ALL, Point()).row(ALL)
        checks = [point.row(rule) for rule, point in sorted(levels.items())]
        return Report(rows, checks, overall, len(labels), dict(self._left_out))

    def _put(self, label: Label) -> None:
        request = self._requests.get(label["request_id"])
        if request is None:
            self._left_out["no_request"] += 1
        elif request["tenant"] != label["tenant"]:
            self._left_out["other_tenant"] += 1
        else:
            fired = {_rule(verdict) for verdict in request["verdicts"]}
            found = self._missed(label, fired) if _is_miss(label) else _fired(label, fired)
            said = self._misses if _is_miss(label) else self._verdicts
            for rule in found:
                said[label["request_id"], rule][label["rater"]] = label
            self._left_out["other_verdict"] += not found

    def _missed(self, label: Label, fired: Iterable[Rule]) -> list[Rule]:
        """What should have fired, unless it did."""
        name = label["rule"]
        there = {level for rule in fired for level in rule.levels()[:2]}
        return [rule for rule in self._meant(name) if rule not in there]

    def _meant(self, name: str | None) -> list[Rule]:
        """The rules of that name, else the check, else one that never fired."""
        if name is None:
            return [ALL]
        if rules := self._named.get(name):
            return rules
        if check := self._checks.get(name):
            return [check]
        where, _, rule = name.rpartition("/")
        check = self._checks.get(where)
        return [check._replace(rule=rule) if check else Rule(rule=name)]

    def _weigh(self) -> None:
        for (_, rule), said in self._verdicts.items():
            point = self._points[rule]
            wrong = sum(label["guardrail"] == "false_alarm" for label in said.values())
            (point.wrong if 2 * wrong >= len(said) else point.right).append(_weight(said.values()))
        coarser = {
            (request, level)
            for request, rule in self._misses
            for level in rule.levels()[1:]
            if level != rule
        }
        for (request, rule), said in self._misses.items():
            if (request, rule) not in coarser:  # else somebody said more precisely what it was
                self._points[rule].missed.append(_weight(said.values()))

    def _sums(self) -> dict[Rule, Point]:
        """Every check's point and that of all: the sums over their rules."""
        sums: defaultdict[Rule, Point] = defaultdict(Point)
        for rule, point in self._points.items():
            for level in set(rule.levels()[1:]):
                sums[level].add(point)
        return dict(sums)


def _rule(verdict: Mapping[str, Any]) -> Rule:
    return Rule(*(verdict[name] or "" for name in Rule._fields))


def _is_miss(label: Label) -> bool:
    return bool(label["guardrail"] == "missed")


def _fired(label: Label, fired: Iterable[Rule]) -> list[Rule]:
    """Those of the request's rules that a verdict is on."""
    return [rule for rule in fired if label["rule"] in rule.names()]


def _weight(said: Iterable[Label]) -> float:
    """How many firings or misses one stands for, which somebody labelled."""
    drawn = [label["selection_probability"] or 0.0 for label in said]
    return next((1 / probability for probability in drawn if 0 < probability <= 1), 1.0)


# The command.

_TITLES: Final = (
    "policy/check/rule",
    "fired",
    "enforced",
    "observed",
    "labelled",
    "false alarms",
    "precision (95 %)",
    "missed",
    "recall at most (95 %)",
)


def table(found: Report) -> str:
    """The points as lines of text, and below them what was left out and why."""
    rows = [*found.rules, *found.checks, found.overall]
    cells = [_TITLES, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    left_out = ", ".join(f"{name} {count}" for name, count in found.left_out.items())
    return "\n".join([*lines, "", f"labels: {found.labels}; left out: {left_out}"])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    counts = {name: str(row[name]) for name in ("fired", "enforced", "observed", "labelled")}
    mark = " weighted" if row["weighted"] else ""
    return (
        named(row),
        *counts.values(),
        str(row["false_alarms"]),
        _interval(row, "precision") + mark,
        str(row["missed"]),
        _interval(row, "recall") + mark,
    )


def named(row: Mapping[str, Any]) -> str:
    """A rule's whole name, which a label may have; a check's ends in ``*``, all are ``*``."""
    parts = [*filter(None, (row[name] for name in Rule._fields))]
    name = "/".join(parts if row["rule"] else [*parts, "*"])
    return name if name.isprintable() else repr(name)


def _interval(row: Mapping[str, Any], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    value = "-" if row[name] is None else f"{row[name]:.2f}"
    return f"{value} ({low:.2f} to {high:.2f})"


def main(arguments: Sequence[str] | None = None, settings: Settings | None = None) -> int:
    """The command."""
    settings = settings or Settings.read()
    parser = argparse.ArgumentParser(
        "python -m ai_gateway.guardrails.operating",
        description="How often each guardrail rule fired, and how often people found it right.",
    )
    parser.add_argument("--data", default=settings.data, help="default: $GATEWAY_DATA")
    parser.add_argument("--days", type=float, help="of the last so many days; all if left out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    clock = SystemClock()
    since = None if options.days is None else clock.now() - options.days * _DAY
    # Never closed: that would move what a gateway that died has left, and this only reads.
    records = opened(replace(settings, data=options.data), clock)
    found = report(records, since)
    text = strictjson.dumps(found.summary()).decode() if options.json else table(found)
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
