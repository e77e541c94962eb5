"""Where the dashboard listens, and who may look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ai_gateway.dashboard import serving
from ai_gateway.dashboard.serving import NotServed
from ai_gateway.settings import Settings

CAI = {"CDSW_DOMAIN": "cml.example.com", "CDSW_PROJECT_ID": "p1", "CDSW_ENGINE_ID": "e1"}


def settings(**variables: str) -> Settings:
    """The settings of an environment of these variables alone."""
    return Settings.read(environment=variables)


class Workbench:
    """A fake of Cloudera AI's API client."""

    def __init__(self, *applications: tuple[str, str, str]) -> None:
        self.asked: list[tuple[str | None, dict[str, Any]]] = []
        self._applications = [
            SimpleNamespace(subdomain=subdomain, script=script, status=status, name=subdomain)
            for subdomain, script, status in applications
        ]

    def list_applications(self, project_id: str | None, **options: Any) -> Any:
        self.asked.append((project_id, options))
        return SimpleNamespace(applications=self._applications)


def nobody() -> Any:
    """The client off Cloudera AI: there is none, and nobody asks for it."""
    raise AssertionError("asked for cmlapi")


def no_module() -> Any:
    """What an import of cmlapi does where it is not installed."""
    raise ModuleNotFoundError("No module named 'cmlapi'")


@pytest.mark.parametrize(
    ("variables", "port"),
    [
        ({}, 8081),
        ({"CDSW_APP_PORT": "8100"}, 8100),
        ({"CDSW_APP_PORT": "8100", "CDSW_READONLY_PORT": "8090"}, 8090),
    ],
)
def test_the_port_is_the_read_only_one_where_there_is_one(
    variables: dict[str, str], port: int
) -> None:
    """A page that only shows takes Cloudera AI's read-only port, then its other, else 8081."""
    assert serving.default_port(settings(**variables)) == port


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "dashboard.example.com"])
def test_the_network_sees_nothing_without_a_login(host: str) -> None:
    """A host beyond loopback is refused unless visitors log in; loopback never is."""
    with pytest.raises(NotServed, match="PANEL_OAUTH_PROVIDER"):
        serving.check_host(host, login=False)
    serving.check_host(host, login=True)
    serving.check_host("127.0.0.1", login=False)


@pytest.mark.parametrize(
    ("address", "host", "may"),
    [
        ("127.0.0.1", "127.0.0.1:8081", True),
        ("127.0.0.1", "localhost", True),
        ("::1", "[::1]:8081", True),
        ("127.0.0.1", "board.example.com", True),
        ("127.0.0.1", "evil.example.com:8081", False),
        ("127.0.0.1", "", False),
        ("10.0.0.7", "127.0.0.1:8081", False),
        ("10.0.0.7", "board.example.com", False),
    ],
)
def test_a_visitor_from_afar_or_by_another_name_must_log_in(
    address: str, host: str, *, may: bool
) -> None:
    """Without a login only this machine sees the page, by a name that is its own."""
    here = settings(GATEWAY_DASHBOARD_ORIGIN="app.example.com, board.example.com:443")
    assert serving.may_look(here, address, host, login=False) is may
    assert serving.may_look(here, address, host, login=True)


def test_behind_cais_proxy_any_name_will_do() -> None:
    """The workbench's proxy has logged the visitor in, and may ask for whatever host it likes."""
    assert serving.may_look(settings(**CAI), "127.0.0.1", "10.9.8.7:8090", login=False)
    assert not serving.may_look(settings(**CAI), "10.0.0.7", "10.9.8.7:8090", login=False)


def test_off_cai_only_loopback_may_open_the_websocket() -> None:
    """The origins are the loopback names with the port, and nothing else."""
    found = serving.origins(settings(), "127.0.0.1", 8081, nobody)
    assert found == ["127.0.0.1:8081", "localhost:8081", "[::1]:8081"]


def test_named_origins_win() -> None:
    """The variable's hosts are taken as they are, on Cloudera AI too, without asking it."""
    named = settings(**CAI, GATEWAY_DASHBOARD_ORIGIN="a.example.com, [::1]:80,10.0.0.7:8081,")
    found = serving.origins(named, "127.0.0.1", 8081, nobody)
    assert found == ["a.example.com", "[::1]:80", "10.0.0.7:8081"]


@pytest.mark.parametrize(
    "origin", ["*", "*.example.com", "a.example.com:*", "https://a.example.com", "a/b", "a b"]
)
def test_no_origin_is_a_pattern_or_an_address(origin: str) -> None:
    """A star would let any page read the data: it is refused, with what would be right."""
    with pytest.raises(NotServed, match=r"app\.example\.com"):
        serving.origins(settings(GATEWAY_DASHBOARD_ORIGIN=origin), "127.0.0.1", 8081, nobody)


def test_a_public_host_needs_its_name() -> None:
    """Behind 0.0.0.0 nobody knows which name browsers use: it must be said."""
    with pytest.raises(NotServed, match="GATEWAY_DASHBOARD_ORIGIN"):
        serving.origins(settings(), "0.0.0.0", 8081, nobody)


def test_on_cai_the_application_is_looked_up() -> None:
    """Of the project's applications those count that run the dashboard and are not over."""
    workbench = Workbench(
        ("gateway-1", "runner.py", "APPLICATION_RUNNING"),
        ("dashboard-1", "dashboard.py", "APPLICATION_STARTING"),
        ("dashboard-2", "/home/cdsw/dashboard.py", "APPLICATION_RUNNING"),
        ("dashboard-old", "dashboard.py", "APPLICATION_STOPPED"),
        ("dashboard-bad", "dashboard.py", "APPLICATION_FAILED"),
    )
    found = serving.origins(settings(**CAI), "127.0.0.1", 8090, lambda: workbench)
    assert found == ["dashboard-1.cml.example.com", "dashboard-2.cml.example.com"]
    assert workbench.asked == [("p1", {"page_size": 100})]


def test_on_cai_without_an_answer_the_variable_is_asked_for() -> None:
    """A missing client, no application and a hostile subdomain each stop the start."""
    for client in (no_module, Workbench, lambda: Workbench(("*", "dashboard.py", "RUNNING"))):
        with pytest.raises(NotServed, match="GATEWAY_DASHBOARD_ORIGIN"):
            serving.origins(settings(**CAI), "127.0.0.1", 8090, client)
