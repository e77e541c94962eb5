"""A whole gateway with the portal of docs/portal.md, and a real provider to sign in at."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import pytest
import yaml
from flask.testing import FlaskClient

from tests.access.oidc import provider, rsa_signer
from tests.conftest import ROOT, Gateway

SECRET = "the-secret-of-the-client"
HOST = "https://gateway.example"
SESSION = "__Host-gateway-session"
SIGN_IN = "__Host-gateway-sign-in"
JSON = {"Content-Type": "application/json"}

#: What docs/portal.md shows.
SHOWN: dict[str, Any] = yaml.safe_load(
    re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "portal.md").read_text(), re.DOTALL)[0]
)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """As a test does itself."""


@dataclass
class Browser:
    """Somebody's browser: the gateway's cookies, and the way over the provider."""

    client: FlaskClient
    gateway: Gateway

    def leave(self) -> str:
        """Begin to sign in; where the provider sends the browser back."""
        reply = self.client.get("/portal/login")
        assert reply.status_code == 303
        with pytest.raises(HTTPError) as redirected:
            build_opener(_Stay).open(reply.location)
        redirected.value.close()
        back = redirected.value.headers["Location"]
        assert back.startswith(f"{HOST}/portal/callback?")
        return back.removeprefix(HOST)

    def sign_in(self) -> str:
        """Sign in; where that leads."""
        reply = self.client.get(self.leave())
        assert reply.status_code == 303
        return reply.location

    def me(self):
        """Who is signed in."""
        return self.client.get("/portal/me")

    @property
    def headers(self) -> dict[str, str]:
        """As the page's own requests have them."""
        return {**JSON, "X-CSRF-Token": self.me().json["csrf"], "Sec-Fetch-Site": "same-origin"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str):
        """A request of the page's own."""
        wanted = self.headers | headers
        return self.client.open(path, method=method, json=body, headers=wanted)

    def make(self, name: str = "laptop", **more: Any):
        """A new key."""
        return self.ask("POST", "/portal/keys", {"name": name, **more})

    def cookie(self, name: str = SESSION) -> str | None:
        """The value of a cookie."""
        found = self.client.get_cookie(name)
        return found.value if found else None


def parameters(url: str) -> dict[str, str]:
    """Those of a URL, each once."""
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}


def text(shown: dict[str, Any]) -> str:
    """What follows ``routes:`` in a bundle."""
    rest = {name: value for name, value in shown.items() if name not in ("routes", "models")}
    return "\n" + yaml.safe_dump(shown["routes"]) + yaml.safe_dump(rest)


@pytest.fixture
def idp():
    """A provider with one client and one key."""
    with provider(rsa_signer()) as found:
        found.client_id, found.client_secret = "ai-gateway-portal", SECRET
        found.said = {"tenant": "acme"}
        found.now = time.time
        yield found


@pytest.fixture
def shown(idp):
    """What docs/portal.md shows, with this provider in the place of its."""
    found = yaml.safe_load(yaml.safe_dump(SHOWN))
    found["jwt"][0]["issuer"] = idp.url
    return found


@pytest.fixture
def begin(start):
    """Starts a gateway on a bundle that a test changes, and hands out browsers."""

    def run(shown, **changed: str):
        return start(text(shown), **{"PORTAL_CLIENT_SECRET": SECRET} | changed)

    return run


@pytest.fixture
def gateway(begin, shown):
    """The portal as the page shows it."""
    return begin(shown)


def browse(gateway: Gateway) -> Browser:
    """A browser without a cookie."""
    return Browser(gateway.client.application.test_client(), gateway)


@pytest.fixture
def browser(gateway) -> Browser:
    """One that is not signed in."""
    return browse(gateway)


@pytest.fixture
def alice(browser):
    """One that is."""
    assert browser.sign_in() == "/portal"
    return browser
