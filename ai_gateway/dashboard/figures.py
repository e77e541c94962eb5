"""The page's figures: a view in, a hvPlot figure out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import hvplot.pandas  # noqa: F401  gives frames their .hvplot
import pandas as pd
from bokeh.models import NumeralTickFormatter, PrintfTickFormatter, TickFormatter

from ai_gateway.dashboard.view import Row, View

#: Okabe and Ito's colours: told apart by the colour-blind, on light and on dark.
COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
_HEIGHT: Final = 230
#: What a tooltip says, and where it takes it from; Bokeh escapes the values.
Tips = Sequence[tuple[str, str]]


def _colours(view: View, models: Sequence[str]) -> list[str]:
    """Each model's colour, the same whatever is chosen."""
    return [COLOURS[view.names.index(model) % len(COLOURS)] for model in models]


def _figure(content: Any, **options: Any) -> Any:
    """What all figures have in common."""
    sizes = {"labels": 10, "xticks": 9, "yticks": 9, "legend": 9}
    common: dict[str, Any] = {
        "toolbar": None,
        "active_tools": [],
        "show_grid": True,
        "fontsize": sizes,
    }
    return content.opts(**common, **options)


def _legend() -> dict[str, Any]:
    look = {"border_line_alpha": 0, "background_fill_alpha": 0, "title": ""}
    return {"legend_position": "right", "legend_opts": look}


def _known(column: str) -> Callable[[View], Sequence[Row]]:
    """The models of a view of which something is known there."""
    return lambda view: [row for row in view.models if row[column] is not None]


def _ranges(view: View, value: str, low: str, high: str, tips: Tips, **options: Any) -> Any:
    """A dot a model, with a line from ``low`` to ``high``."""
    frame = pd.DataFrame(_known(value)(view)[::-1])  # the first model is to be at the top
    frame = frame.astype({value: float, low: float, high: float})
    frame["below"], frame["above"] = frame[value] - frame[low], frame[high] - frame[value]
    frame["colour"] = _colours(view, frame["model"])
    common = {"x": "model", "y": value, "responsive": True, "height": _HEIGHT}
    lines = frame.hvplot.errorbars(yerr1="below", yerr2="above", **common)
    lines = lines.opts(color="#888888", upper_head=None, lower_head=None)
    shown = [column for column in (low, high, "samples") if column != value]
    dots = frame.hvplot.scatter(
        color="colour", size=140, hover_cols=shown, hover_tooltips=list(tips), **common
    )
    ylim = (0, 1.05 * max(1e-3, frame[high].max()))
    return _figure(lines * dots, invert_axes=True, xlabel="", **{"ylim": ylim, **options})


def scores_now(view: View) -> Any:
    """Each model's score with its 95 % interval."""
    tips = (
        ("model", "@model"),
        ("score", "@score{0.00}"),
        ("95 % interval", "@score_low{0.00} to @score_high{0.00}"),
        ("judged answers", "@samples"),
    )
    label = "score, 0 to 1, with 95 % interval"
    return _ranges(view, "score", "score_low", "score_high", tips, ylim=(0, 1.02), ylabel=label)


def latency(view: View) -> Any:
    """Each model's median latency, and how far it reaches to the 95th percentile."""
    median, high = "latency_ms_p50", "latency_ms_p95"
    tips = (
        ("model", "@model"),
        ("median", "@latency_ms_p50{0} ms"),
        ("95th percentile", "@latency_ms_p95{0} ms"),
    )
    label = "milliseconds: median to 95th percentile"
    return _ranges(view, median, median, high, tips, ylabel=label)


def scores_over_time(view: View) -> Any:
    """The published scores of each model, with their intervals."""
    frame = pd.DataFrame(view.history)
    frame["time"] = pd.to_datetime(frame["published_at"], utc=True).dt.tz_localize(None)
    order = _colours(view, sorted(frame["model"].unique()))
    common = {"x": "time", "by": "model", "color": order, "responsive": True, "height": _HEIGHT}
    look = {"alpha": 0.15, "line_width": 0, "stacked": False, "hover": False, "legend": False}
    band = frame.hvplot.area(y="score_low", y2="score_high", **look, **common)
    line = frame.hvplot.step(y="score", where="post", line_width=2, legend=False, **common)
    dots = frame.hvplot.scatter(y="score", size=12, legend="right", **common)
    label = "time of publication (UTC)"
    options: dict[str, Any] = {
        "ylim": (0, 1.02),
        "xlabel": label,
        "ylabel": "score, 0 to 1",
        **_legend(),
    }
    return _figure(band * line * dots, **options)


def _bars(view: View, columns: Mapping[str, str], label: str, form: TickFormatter) -> Any:
    """Sums of each model, one upon the other; ``columns`` says what each is called."""
    rows = _known(next(iter(columns)))(view)[::-1]
    frame = pd.DataFrame(rows, columns=["model", *columns]).rename(columns=columns)
    frame[list(columns.values())] = frame[list(columns.values())].astype(float).fillna(0.0)
    plot = frame.hvplot.barh(
        x="model",
        y=list(columns.values()),
        stacked=True,
        color=["#56B4E9", "#0072B2"][-len(columns) :],
        line_color=None,
        bar_width=0.5,
        legend="right" if len(columns) > 1 else False,
        responsive=True,
        height=_HEIGHT,
    )
    return _figure(plot, xlabel="", ylabel=label, xformatter=form, **_legend())


def tokens(view: View) -> Any:
    """What each model read and wrote."""
    columns = {"input_tokens": "input", "output_tokens": "output"}
    return _bars(view, columns, "tokens", NumeralTickFormatter(format="0.[00]a"))


def cost(view: View) -> Any:
    """What each model's answers cost."""
    label = "cost, in the currency of the prices"
    return _bars(view, {"cost": "cost"}, label, PrintfTickFormatter(format="%.3g"))


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure is drawn, and of which rows: without any there is nothing to draw."""

    draw: Callable[[View], Any]
    rows: Callable[[View], Sequence[Row]]


#: The figures in their order on the page, by their headings.
ALL: Final[Mapping[str, Figure]] = {
    "Scores now": Figure(scores_now, _known("score")),
    "Scores over time": Figure(scores_over_time, lambda view: view.history),
    "Latency": Figure(latency, _known("latency_ms_p50")),
    "Tokens": Figure(tokens, _known("input_tokens")),
    "Cost": Figure(cost, _known("cost")),
}
