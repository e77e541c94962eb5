"""The live picture of the gateway: ``python dashboard.py``, or ``panel serve dashboard.py``.

Everything is read from records. Texts of models and users are shown as text: they stand in
plaintext cells or escaped, never where markup would be read.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import holoviews as hv
import pandas as pd
import panel as pn
import param
from bokeh.settings import settings as bokeh_settings
from panel.theme import fast

from ai_gateway import cai
from ai_gateway.clock import SystemClock
from ai_gateway.dashboard import figures, markup, serving, tables
from ai_gateway.dashboard.serving import NotServed
from ai_gateway.dashboard.shared import Shared
from ai_gateway.dashboard.view import ALL_MODELS, PERIODS, Row, View, Wanted, read
from ai_gateway.records import Records
from ai_gateway.records.keyring import Keyring
from ai_gateway.settings import Settings

REFRESH_SECONDS = 5.0
#: Columns of record files that are kept in memory between two readings.
CACHE_BYTES = 256_000_000
#: Pixels of a column; the others share what is left.
WIDTHS = {
    "Time (UTC)": 175,
    "Model": 150,
    "Why": 300,
    "Status": 75,
    "Score": 75,
    "Latency": 90,
    "Requests": 95,
    "Fired": 80,
    "Enforced": 95,
    "Observed": 95,
    "Labelled": 95,
    "False alarms": 115,
    "Precision": 95,
    "95 % interval": 130,
    "Missed": 85,
    "Recall at most": 130,
}
#: Tabulator's formatter that shows a value as the text that it is.
PLAIN = {"type": "plaintext"}


class Fast(fast.Fast):
    """Panel's Fast design (its files are found by this name) without its web font from outside."""

    _resources: ClassVar[Any] = {**fast.Fast._resources, "font": {}}  # noqa: SLF001  no other way


#: What tells a figure that there is a new view.
Shown = hv.streams.Stream.define("Shown", view=None)


class Chart:
    """A figure that follows the view in place, and is drawn anew when there are other models."""

    def __init__(self, figure: figures.Figure) -> None:
        self._figure = figure
        self._drawn: tuple[str, ...] = ()
        self._shown = Shown()
        self.pane = pn.Column(sizing_mode="stretch_width")

    def show(self, view: View) -> None:
        """Draw ``view``; without any model there is nothing to draw."""
        models = tuple(sorted({row["model"] for row in self._figure.rows(view)}))
        if models and models == self._drawn:
            self._shown.event(view=view)
        else:
            self.pane[:] = [self._anew(view) if models else _pane(markup.NOTHING)]
            self._drawn = models

    def _anew(self, view: View) -> Any:
        self._shown = Shown(view=view)
        drawing = hv.DynamicMap(self._figure.draw, streams=[self._shown])
        return pn.pane.HoloViews(drawing, sizing_mode="stretch_width", linked_axes=False)


class Table:
    """Rows as plain texts, ``size`` of them on a page; a click hands over the row."""

    def __init__(
        self,
        columns: tables.Columns,
        size: int | None = None,
        choose: Callable[[Row], None] | None = None,
    ) -> None:
        self._columns = columns
        self._rows: Sequence[Row] = ()
        self.pane = pn.widgets.Tabulator(
            pd.DataFrame(tables.cells([], columns)),
            formatters=dict.fromkeys(columns, PLAIN),
            widths={title: width for title, width in WIDTHS.items() if title in columns},
            header_align={title: "right" for title in tables.NUMBERS if title in columns},
            text_align={title: "right" for title in tables.NUMBERS if title in columns},
            pagination="local" if size else None,
            page_size=size,
            disabled=True,
            selectable=False,
            sortable=False,
            show_index=False,
            layout="fit_columns",
            sizing_mode="stretch_width",
        )
        if choose:
            self.pane.on_click(lambda event: choose(self._rows[event.row]))

    def show(self, rows: Sequence[Row]) -> None:
        """Put ``rows`` in place of those before."""
        self._rows = rows
        self.pane.value = pd.DataFrame(tables.cells(rows, self._columns))


class Page(param.Parameterized):
    """One viewer's page: what is wanted, and the view of it."""

    period = param.Selector(objects=list(PERIODS), default=Wanted().period)
    model = param.Selector(objects=[ALL_MODELS], default=ALL_MODELS)
    view = param.ClassSelector(class_=View, allow_None=True)
    chosen = param.Dict(allow_None=True)

    def __init__(self, shared: Shared[Wanted, View]) -> None:
        super().__init__()
        self._shared = shared
        self._unsettled = False
        self.charts = {name: Chart(figure) for name, figure in figures.ALL.items()}
        self.models = Table(tables.MODELS)
        self.rules = Table(tables.RULES)
        self.points = Table(tables.POINTS, 10)
        self.decisions = Table(tables.DECISIONS, 10, self._choose)
        self.refusals = Table(tables.REFUSALS, 8, self._choose)

    def _choose(self, row: Row) -> None:
        self.chosen = dict(row)

    @param.depends("period", "model", watch=True)
    async def refresh(self) -> None:
        """Show the store as it is now, unless something else is wanted meanwhile."""
        wanted = Wanted(self.period, self.model)
        view = await asyncio.to_thread(self._shared.get, wanted)
        if wanted != Wanted(self.period, self.model):
            return
        changed = view != self.view
        if view is not self.view:
            self._show(view)
        if self._unsettled and not changed and not view.problem:
            self._fill(view)  # once more: a table that was being drawn loses what it is sent
        self._unsettled = changed

    def _show(self, view: View) -> None:
        if view.problem and self.view:
            view = replace(self.view, problem=view.problem)  # the last numbers stay
        elif view != self.view:
            names = sorted({*view.names, self.model} - {ALL_MODELS})
            self.param["model"].objects = [ALL_MODELS, *names]
            for chart in self.charts.values():
                chart.show(view)
            self._fill(view)
        self.view = view

    def _fill(self, view: View) -> None:
        self.models.show(tables.models(view))
        self.rules.show(view.rules)
        self.points.show(view.points)
        self.decisions.show(view.decisions)
        self.refusals.show(view.refusals)

    def layout(self) -> list[Any]:
        """The parts of the page, from top to bottom."""
        view, chosen = self.param.view, self.param.chosen
        filters = pn.Row(
            pn.widgets.RadioButtonGroup.from_param(
                self.param.period, button_type="primary", button_style="outline"
            ),
            pn.widgets.Select.from_param(self.param.model, name="", width=220),
            _pane(pn.bind(markup.status, view)),
        )
        charts = {name: _section(name, chart.pane) for name, chart in self.charts.items()}
        numbers = pn.Column(
            _pane(pn.bind(markup.headlines, view)),
            pn.Row(*list(charts.values())[:2]),
            pn.Row(*list(charts.values())[2:]),
            _section("Models", self.models.pane),
            _section("Decisions: click one to read it in full", self.decisions.pane),
            _section("In full", _pane(pn.bind(markup.details, chosen)), visible=chosen.rx.bool()),
            pn.Row(
                _section(
                    "Refused requests", self.refusals.pane, _pane(pn.bind(markup.leaks, view))
                ),
                _section("Refused by rule", self.rules.pane),
            ),
            _section("Guardrail rules", self.points.pane, _pane(pn.bind(markup.labels, view))),
            visible=pn.bind(lambda view: bool(view and view.totals and not view.empty), view),
            sizing_mode="stretch_width",
        )
        return [filters, _pane(pn.bind(markup.notice, view)), numbers]


def _pane(content: Any) -> Any:
    """Our own markup; whatever is a record's in it was escaped."""
    return pn.pane.HTML(content, stylesheets=[markup.STYLE], sizing_mode="stretch_width")


def _section(title: str, *content: Any, **options: Any) -> Any:
    """A part of the page with its heading."""
    look = {"border": "1px solid #8884", "border-radius": "8px", "padding": "10px 14px"}
    options |= {"styles": look, "margin": 6, "sizing_mode": "stretch_width"}
    return pn.Column(_pane(f"<h2>{title}</h2>"), *content, **options)


# Serving.


def has_login() -> bool:
    """Whether Panel asks every visitor to log in; raises NotServed where it could not."""
    if not pn.config.oauth_provider:
        return False
    if not pn.config.cookie_secret:
        raise NotServed(
            "a login needs PANEL_COOKIE_SECRET, a long random text, to sign its cookies."
        )
    return not (pn.config.oauth_optional or pn.config.oauth_guest_endpoints)


def shared_view(refresh: float) -> Shared[Wanted, View]:
    """What all viewers of this process share. Nothing is ever written: no segment, no lease."""

    def first() -> Shared[Wanted, View]:
        settings, clock = Settings.read(), SystemClock()
        records = Records.open(
            settings.data,
            settings.wal,
            clock,
            background=False,
            cache_bytes=CACHE_BYTES,
            keyring=Keyring.for_command(settings.encryption),
        )
        return Shared(lambda wanted: read(records, wanted, clock), refresh * 0.9, clock)

    shared: Shared[Wanted, View] = pn.state.as_cached("ai-gateway", first)
    return shared


def page(refresh: float = REFRESH_SECONDS) -> Any:
    """What one visitor gets, looking at the store every ``refresh`` seconds."""
    pn.extension("tabulator")
    template = pn.template.FastListTemplate(
        title="AI Gateway",
        design=Fast,
        header_background="#12344d",
        accent_base_color="#0072B2",
        main_layout=None,
        busy_indicator=None,
    )
    visit = pn.state.curdoc.session_context.request
    if not serving.may_look(Settings.read(), visit.remote_ip, visit.host, login=has_login()):
        template.main.append(_pane(markup.STRANGER))
        return template
    viewed = Page(shared_view(refresh))
    template.main.extend(viewed.layout())

    async def loaded() -> None:  # not before: what changes until then does not reach the browser
        pn.state.add_periodic_callback(viewed.refresh, period=int(refresh * 1000))
        await viewed.refresh()

    pn.state.onload(loaded)
    return template


def cai_client() -> Any:
    """Cloudera AI's API client, which only its workloads can import."""
    return importlib.import_module("cmlapi").default_client()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop."""
    settings = Settings.read()
    parser = argparse.ArgumentParser(description="The gateway's dashboard.")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument(
        "--port", type=int, default=serving.default_port(settings), help="default: %(default)s"
    )
    parser.add_argument(
        "--refresh", type=float, default=REFRESH_SECONDS, help="seconds; default: %(default)s"
    )
    options = parser.parse_args(arguments)
    try:
        serving.check_host(options.host, login=has_login())
        shared_view(options.refresh)
        server = pn.serve(
            lambda: page(options.refresh),
            address=options.host,
            port=options.port,
            oauth_provider=pn.config.oauth_provider,
            show=False,
            start=False,
            verbose=False,
        )
        bokeh_settings.allowed_ws_origin = serving.origins(
            settings, options.host, server.port, cai_client
        )
    except (NotServed, OSError, ValueError, ImportError) as error:
        sys.exit(f"The dashboard was not started: {error}")
    print(f"Dashboard at http://{options.host}:{server.port}", flush=True)
    server.start()
    server.io_loop.start()


if __name__ == "__main__":
    if cai.in_kernel():
        cai.run_outside(serving.SCRIPT, [])
    else:
        main()
elif pn.state.served:
    page().servable()
