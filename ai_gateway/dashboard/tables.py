"""The page's tables: each maps a column's title to the text that it shows of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ai_gateway.dashboard import text
from ai_gateway.dashboard.view import Row, View
from ai_gateway.guardrails import operating

Columns = Mapping[str, Callable[[Row], str]]

MODELS: Final[Columns] = {
    "Model": lambda row: text.cell(row["model"]),
    "Score": lambda row: text.score(row.get("score")),
    "95 % interval": lambda row: text.interval(row.get("score_low"), row.get("score_high")),
    "Judged": lambda row: text.count(row.get("samples")),
    "Requests": lambda row: text.count(row["requests"]),
    "Failed": lambda row: text.count(row["errors"]),
    "Median": lambda row: text.duration(row["latency_ms_p50"]),
    "95th perc.": lambda row: text.duration(row["latency_ms_p95"]),
    "First token": lambda row: text.duration(row["time_to_first_token_ms"]),
    "Tokens in": lambda row: text.count(row["input_tokens"]),
    "Tokens out": lambda row: text.count(row["output_tokens"]),
    "Cost": lambda row: text.money(row["cost"]),
}
DECISIONS: Final[Columns] = {
    "Time (UTC)": lambda row: text.moment(row["time"]),
    "Question": lambda row: text.cell(row["question"]),
    "Answer": lambda row: text.cell(row["answer"]),
    "Model": lambda row: text.cell(row["model"]),
    "Why": lambda row: text.cell(row["why"]),
    "Score": lambda row: text.score(row["score"]),
    "Latency": lambda row: text.duration(row["latency_ms"]),
    "Status": lambda row: str(row["status"]),
}
REFUSALS: Final[Columns] = {
    "Time (UTC)": lambda row: text.moment(row["time"]),
    "Request": lambda row: text.cell(row["question"]),
    "Refused by": lambda row: text.cell(row["rule"]),
    "Status": lambda row: str(row["status"]),
}
RULES: Final[Columns] = {
    "Refused by": lambda row: text.cell(row["rule"]),
    "Requests": lambda row: text.count(row["count"]),
}
POINTS: Final[Columns] = {
    "Rule": lambda row: text.cell(operating.named(row)),
    "Fired": lambda row: text.count(row["fired"]),
    "Enforced": lambda row: text.count(row["enforced"]),
    "Observed": lambda row: text.count(row["observed"]),
    "Labelled": lambda row: text.count(row["labelled"]),
    "False alarms": lambda row: text.count(row["false_alarms"]),
    "Precision": lambda row: text.score(row["precision"]),
    "95 % interval": lambda row: text.interval(row["precision_low"], row["precision_high"]),
    "Missed": lambda row: text.count(row["missed"]),
    "Recall at most": lambda row: text.score(row["recall"]),
}
#: The columns that hold numbers.
NUMBERS: Final = (
    "Score",
    "Judged",
    "Requests",
    "Failed",
    "Median",
    "95th perc.",
    "First token",
    "Tokens in",
    "Tokens out",
    "Cost",
    "Latency",
    "Status",
    "Fired",
    "Enforced",
    "Observed",
    "Labelled",
    "False alarms",
    "Precision",
    "Missed",
    "Recall at most",
)
#: Why a label counts for nothing, as ``guardrails.operating`` names it, and in words.
LEFT_OUT: Final[Mapping[str, str]] = {
    "no_request": "of requests that are not in this time",
    "other_tenant": "of another tenant's requests",
    "other_verdict": "that the request's own verdicts contradict",
}
#: What is shown of one decision or refusal in full.
DETAILS: Final[Columns] = {
    "Question": lambda row: row["question"] or text.NOT_KEPT,
    "Answer": lambda row: row.get("answer") or text.NOT_KEPT,
    "The judge's reason": lambda row: row.get("reason") or text.NOTHING,
    "Decision": lambda row: "\n".join(_facts(row)),
}
#: The headline numbers: what each is called, and its text.
HEADLINES: Final[Columns] = {
    "answered": lambda row: text.count(row.get("answered")),
    "from the cache": lambda row: text.count(row.get("cached")),
    "refused": lambda row: text.count(row.get("refused")),
    "failed": lambda row: text.count(row.get("failed")),
    "judged": lambda row: text.count(row.get("judged")),
    "mean score": lambda row: text.score(row.get("score")),
    "median latency": lambda row: text.duration(row.get("latency_ms_p50")),
    "95th percentile": lambda row: text.duration(row.get("latency_ms_p95")),
    "tokens in / out": lambda row: (
        f"{text.count(row.get('input_tokens'))} / {text.count(row.get('output_tokens'))}"
    ),
    "cost": lambda row: text.money(row.get("cost")),
}


def _facts(row: Row) -> list[str]:
    """One line a fact of a decision, those that are known."""
    facts = {
        "request": row["id"],
        "time": f"{row['time']:%Y-%m-%d %H:%M:%S.%f} UTC",
        "route": row["route"],
        "status": row["status"],
        "error": row.get("error"),
        "model": row.get("model"),
        "why": row.get("why"),
        "refused by": row.get("rule"),
        "score": row.get("score"),
        "cost": row.get("cost"),
    }
    return [f"{name}: {value}" for name, value in facts.items() if value is not None]


def models(view: View) -> Sequence[Row]:
    """The models, and what judging and guarding themselves took."""
    judging = ({**row, "model": f"{row['model']} (judging)"} for row in view.judges)
    guarding = ({**row, "model": f"{row['model']} (guarding)"} for row in view.guards)
    return [*view.models, *judging, *guarding]


def cells(rows: Sequence[Row], columns: Columns) -> dict[str, list[str]]:
    """The columns of a table, all texts, also where there is no row."""
    return {title: [show(row) for row in rows] for title, show in columns.items()}
