"""The page's own markup. Whatever comes from a record is escaped before it stands in it."""

from __future__ import annotations

import html
from datetime import datetime, timezone
from typing import Final

from ai_gateway.dashboard import tables, text
from ai_gateway.dashboard.view import Row, View

_EMPTY: Final = """<div class='notice'><h2>No request was recorded yet</h2>
<p>This page fills by itself. To see it move:</p>
<pre>python runner.py serve
curl -H "X-API-Key: $AI_GATEWAY_API_KEY" -d '{"inputs": "What is a Markov chain?"}' \
    http://127.0.0.1:8080/inference
python runner.py job judge-tick</pre>
<p>Gateway, judge and dashboard must be started with the same <code>GATEWAY_DATA</code>.
<code>python runner.py demo --keep</code> shows all of it with made-up models.</p></div>"""

STYLE: Final = """
h2 {font-size: 15px; font-weight: 600; margin: 0}
h3 {font-size: 13px; font-weight: 600; margin: 10px 0 4px}
pre {white-space: pre-wrap; overflow-wrap: anywhere; max-height: 260px; overflow-y: auto;
  margin: 0; padding: 8px 10px; font-size: 12px; border-radius: 6px; background: #8881}
.tiles {margin: 0 2px; display: flex; flex-wrap: wrap; gap: 10px}
.tile {flex: 1 1 110px; padding: 12px 16px; border: 1px solid #8884; border-radius: 8px;
  font-size: 12px; white-space: nowrap}
.tile b {display: block; font-size: 22px; font-weight: 600; margin-bottom: 2px}
.notice {padding: 16px 20px; border: 1px solid #8884; border-radius: 8px}
.status {margin: 8px 0; font-size: 12px; opacity: 0.7}
.note {margin: 6px 0 0; font-size: 12px; opacity: 0.8}
.bad {border-color: #D55E00}
"""


#: What stands in place of a figure without data.
NOTHING: Final = "<p>Nothing yet in this time.</p>"
#: What a visitor from another machine, or by another name, sees where nobody logs in.
STRANGER: Final = """<p class='notice bad'>This dashboard shows what everybody asked, so without a
login it is for its own machine only, by its own name; docs/dashboard.md says more.</p>"""


def status(view: View | None) -> str:
    """When the store was read last."""
    if view is None:
        return ""
    moment = datetime.fromtimestamp(view.read_at, timezone.utc)
    return f"<p class='status'>Read at {moment:%H:%M:%S} UTC; refreshes by itself.</p>"


def headlines(view: View | None) -> str:
    """The headline numbers as tiles."""
    totals = {} if view is None else view.totals
    tiles = (
        f"<div class='tile'><b>{html.escape(show(totals))}</b>{html.escape(name)}</div>"
        for name, show in tables.HEADLINES.items()
    )
    return f"<div class='tiles'>{''.join(tiles)}</div>"


def details(row: Row | None) -> str:
    """One decision or refusal in full, as text."""
    if row is None:
        return ""
    parts = (
        f"<h3>{html.escape(title)}</h3><pre>{html.escape(show(row))}</pre>"
        for title, show in tables.DETAILS.items()
    )
    return "".join(parts)


_LABEL: Final = """<p class='note'>Nobody has said of a verdict whether it was right, so no rule
has a precision yet. <code>POST /feedback</code> takes it: <code>{"request_id": ...,
"guardrail": "confirmed", "rule": ...}</code>, or <code>"false_alarm"</code>, or
<code>"missed"</code>; the id is an answer's <code>x-request-id</code>, the rule a name from here.
</p>"""


def labels(view: View | None) -> str:
    """What the labels of guardrail verdicts came to, or how to give the first."""
    if view is None:
        return ""
    if not view.labels:
        return _LABEL
    left_out = (
        f"{text.count(count)} {html.escape(why)}"
        for name, why in tables.LEFT_OUT.items()
        if (count := view.left_out[name])
    )
    rest = ", ".join(left_out)
    said = f"Labels in this time: {text.count(view.labels)}"
    return f"<p class='note'>{said}{f'; left out: {rest}' if rest else ''}.</p>"


def leaks(view: View | None) -> str:
    """What had left of streams before a guardrail cut them."""
    found = {} if view is None else view.leaks
    if not found.get("streams"):
        return "<p class='note'>No stream was blocked after it had begun.</p>"
    return (
        f"<p class='note'>Streams blocked after they had begun: {text.count(found['streams'])}."
        f" Characters that had left before: {text.count(found['characters'])} in all,"
        f" {text.count(found['most'])} at most.</p>"
    )


def notice(view: View | None) -> str:
    """What to do or to know where there are no numbers to show."""
    if view is None:
        return "<p class='notice'>Reading the records&hellip;</p>"
    if view.problem:
        return f"<p class='notice bad'>{html.escape(view.problem)}</p>"
    return _EMPTY if view.empty else ""
