"""The figures can be drawn, whatever is known of the models."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from ai_gateway.dashboard.view import View, Wanted

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # third parties' own, at their import
    import holoviews as hv

    from ai_gateway.dashboard import figures

MODEL = {
    "model": "model-a",
    "score": 0.5,
    "score_low": 0.25,
    "score_high": 0.75,
    "samples": 9,
    "latency_ms_p50": 100.0,
    "latency_ms_p95": 300.0,
    "input_tokens": 10,
    "output_tokens": 20,
    "cost": 0.5,
}
HISTORY = {**MODEL, "published_at": datetime(2026, 3, 1, 12, tzinfo=timezone.utc)}
OTHER = {**MODEL, "model": "<b>$$x$$"}
VIEW = View(
    Wanted(),
    models=[MODEL, OTHER],
    history=[HISTORY, {**HISTORY, **OTHER}],
    names=["<b>$$x$$", "model-a"],
)
NOTHING_KNOWN = dict.fromkeys(
    ("latency_ms_p50", "latency_ms_p95", "input_tokens", "output_tokens", "cost")
)


def render(figure: figures.Figure, view: View) -> Any:
    """The Bokeh figure of ``view``."""
    return hv.renderer("bokeh").get_plot(figure.draw(view)).state


@pytest.mark.parametrize("title", figures.ALL)
@pytest.mark.parametrize(
    "view",
    [
        VIEW,
        replace(VIEW, models=[MODEL], history=[HISTORY]),
        replace(VIEW, models=[{**MODEL, **NOTHING_KNOWN}, OTHER]),
    ],
)
def test_every_figure_can_be_drawn(title: str, view: View) -> None:
    """Many models or one, with numbers or without: there is a figure with labelled axes."""
    drawn = render(figures.ALL[title], view)
    assert drawn.renderers
    assert drawn.xaxis[0].axis_label or drawn.yaxis[0].axis_label


def test_a_figure_has_no_rows_where_nothing_is_known() -> None:
    """Without requests there is no latency to draw; a score there always is."""
    view = replace(VIEW, models=[{**MODEL, **NOTHING_KNOWN}], history=[])
    assert [title for title, figure in figures.ALL.items() if figure.rows(view)] == ["Scores now"]


def test_a_model_keeps_its_colour_whatever_is_chosen() -> None:
    """The colour goes by all models' names, not by those that are shown."""
    one = replace(VIEW, models=[MODEL])
    colours = {
        renderer.data_source.data["colour"][-1]
        for view in (VIEW, one)
        for renderer in render(
            figures.ALL["Scores now"], replace(view, models=view.models[:1])
        ).renderers
        if "colour" in renderer.data_source.data
    }
    assert colours == {figures.COLOURS[1]}


def test_time_is_said_to_be_utc() -> None:
    """The axis of times names its zone."""
    assert "UTC" in render(figures.ALL["Scores over time"], VIEW).xaxis[0].axis_label
