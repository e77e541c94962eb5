"""A portal that would not work, or would give more than it seems, does not start."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ai_gateway.manifest.load import load
from ai_gateway.settings import Settings
from tests.conftest import ROOT
from tests.portal.conftest import SECRET, SHOWN
from tests.portal.test_own_keys import CAI, on_platform

VARIABLES = {"AI_GATEWAY_API_KEY": "a-key", "PORTAL_CLIENT_SECRET": SECRET}


def problems(shown: dict[str, Any], tmp_path: Path, workers: int = 1, **changed: str) -> str:
    """What ``check`` says of a bundle."""
    (tmp_path / "policies").mkdir(exist_ok=True)
    if not (tmp_path / "judge_prompts").exists():
        (tmp_path / "judge_prompts").symlink_to(ROOT / "judge_prompts")
    (tmp_path / "routes.yaml").write_text(yaml.safe_dump(shown))
    _, found = load(Settings.read(tmp_path, VARIABLES | changed), workers=workers)
    return "\n".join(map(str, found))


@pytest.fixture
def shown() -> dict[str, Any]:
    """What docs/portal.md shows, to be changed."""
    return copy.deepcopy(SHOWN)


def at(shown: dict[str, Any], key: str) -> tuple[Any, str]:
    """Where ``a.b`` stands: what holds it, and the last part."""
    *path, last = key.split(".")
    for part in path:
        shown = shown[part]
    return shown, last


def test_the_page_shows_what_starts(shown, tmp_path) -> None:
    """With a sign-in, and on Cloudera AI without."""
    assert problems(shown, tmp_path) == ""
    for url in ("http://[::1]:8080", "http://localhost", "https://a.example:8443"):
        shown["portal"]["oidc"]["redirect_url"] = f"{url}/portal/callback"
        assert problems(shown, tmp_path) == ""
    assert problems(on_platform(shown), tmp_path, **CAI) == ""


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("portal.oidc.issuer", "logn", "did you mean login?"),
        ("portal.oidc.client_id", "a b", "String should match pattern"),
        ("portal.oidc.client_secret", " ", "a secret, or none at all"),
        ("portal.oidc.redirect_url", "https://gateway.example/", "https://HOST/portal/callback"),
        (
            "portal.oidc.redirect_url",
            "https://a.example/portal/callback?a=b",
            "https://HOST/portal",
        ),
        ("portal.oidc.redirect_url", "https://ü.example/portal/callback", "https://HOST/portal"),
        ("portal.oidc.redirect_url", "https://a@b.example/portal/callback", "https://HOST/portal"),
        ("portal.oidc.redirect_url", "HTTPS://a.example/portal/callback", "in lower case"),
        ("portal.oidc.redirect_url", "https://A.example/portal/callback", "in lower case"),
        ("portal.oidc.redirect_url", "https://a.example:443/portal/callback", "in lower case"),
        ("portal.oidc.redirect_url", "http://gateway.example/portal/callback", "https: over http"),
        ("portal.oidc.token_url", "http://login.example/token", "https: keys that come over http"),
        ("portal.oidc.token_url", "https://169.254.169.254/", "not link-local"),
        ("portal.oidc.authorization_url", "https://login.example/a b", "without spaces"),
        ("portal.oidc.authorization_url", "javascript:alert(1)", "no such URL"),
        ("portal.oidc.scopes", ["email"], "openid among them"),
        ("portal.oidc.scopes", ["openid email"], "String should match pattern"),
        ("portal.oidc.idle", "9h", "as long as session"),
        ("portal.oidc.session", "31d", "less than or equal"),
        ("portal.oidc.audience", "a", "portal.oidc.audience"),
        ("portal.keys.routes", [], "wanted at least 1 of them"),
        ("portal.keys.routes", ["chta"], "did you mean chat?"),
        ("portal.keys.routes", ["portal-me"], "as these are keys"),
        ("portal.keys.models", ["model-b"], "one of model-a"),
        ("portal.keys.scopes", ["keys"], "that make no keys"),
        ("portal.keys.scopes", ["admin"], "that make no keys"),
        ("portal.keys.scopes", ["routes"], "change no bundle"),
        ("portal.keys.scopes", ["policies"], "change no bundle"),
        ("portal.keys.scopes", ["reports"], "claims.scopes of portal.oidc or its issuer"),
        ("portal.keys.most", 0, "greater than or equal to 1"),
    ],
)
def test_what_is_declared_wrong_is_said(shown, tmp_path, key, value, said) -> None:
    """At its own key, with what would be right."""
    holder, last = at(shown, key)
    holder[last] = value
    found = problems(shown, tmp_path)
    assert f"{key}" in found
    assert said in found
    assert found.count("\n") == 0  # no consequence of it is said
    assert SECRET not in found


def test_an_issuer_that_nobody_uses_is_said(shown, tmp_path) -> None:
    """A portal without a sign-in needs none."""
    found = shown | on_platform(copy.deepcopy(shown)) | {"jwt": shown["jwt"]}
    assert "no route that takes jwt" in problems(found, tmp_path, **CAI)


def test_scopes_need_somebody_who_says_them(shown, tmp_path) -> None:
    """The issuer's claims or the portal's own; of the platform's users nobody does."""
    shown["portal"]["keys"]["scopes"] = ["reports"]
    shown["jwt"][0]["claims"] = {"scopes": "scope"}
    assert problems(shown, tmp_path) == ""
    shown["portal"]["oidc"]["claims"] = {"tenant": "tenant"}
    assert "claims.scopes" in problems(shown, tmp_path)
    shown["portal"]["oidc"]["claims"] = {"scopes": "scope"}
    assert problems(shown, tmp_path) == ""
    assert "claims.scopes" in problems(on_platform(shown), tmp_path, **CAI)


def test_an_issuer_without_a_configuration_needs_both_addresses(shown, tmp_path) -> None:
    """One that is no URL has nowhere to look."""
    shown["jwt"][0] |= {"issuer": "urn:login", "jwks_url": "https://login.example/keys"}
    assert "authorization_url and token_url" in problems(shown, tmp_path)
    shown["portal"]["oidc"]["token_url"] = "https://login.example/token"
    assert "authorization_url and token_url" in problems(shown, tmp_path)
    shown["portal"]["oidc"]["authorization_url"] = "https://login.example/authorize"
    assert problems(shown, tmp_path) == ""


def route(shown: dict[str, Any], function: str) -> dict[str, Any]:
    """The route of one of the portal's functions."""
    name = f"functions.portal.{function}:handle"
    return next(each for each in shown["routes"] if each.get("function") == name)


@pytest.mark.parametrize(
    ("function", "changed", "said"),
    [
        ("page", {"auth": "session"}, "none: who signs in is nobody yet"),
        ("page", {"path": "/me"}, "GET /portal, where the page looks for it"),
        ("callback", {"auth": "api-key"}, "none: who signs in is nobody yet"),
        ("keys", {"auth": "none"}, "session or platform: it is for people alone"),
        ("keys", {"auth": ["session", "api-key"]}, "session or platform: it is for people alone"),
        ("keys", {"auth": []}, "session or platform: it is for people alone"),
        ("logout", {"auth": ["session", "platform"]}, "session: it is for people alone"),
        ("use", {"auth": "platform"}, "session too: people sign in"),
        ("use", {"methods": ["POST"]}, "GET /portal/use, where the page looks for it"),
        ("me", {"cors": "https://app.example"}, "none: the page is of the gateway's own origin"),
        ("login", {"rateLimit": None}, "such as 600/min: whoever asks is nobody yet"),
        ("callback", {"rateLimit": None}, "such as 600/min: whoever asks is nobody yet"),
    ],
)
def test_a_route_of_another_form_is_said(shown, tmp_path, function, changed, said) -> None:
    """Where it stands, and whom it takes."""
    route(shown, function).update(changed)
    assert said in problems(shown, tmp_path, **CAI)


def test_a_portal_is_whole(shown, tmp_path) -> None:
    """Each function that the page asks for has a route."""
    for function in ("use", "login"):
        missing = copy.deepcopy(shown)
        missing["routes"].remove(route(missing, function))
        found = problems(missing, tmp_path)
        assert f"no route with functions.portal.{function}:handle" in found


def test_a_route_without_a_portal_is_said(shown, tmp_path) -> None:
    """Not when the portal is there and merely wrong."""
    assert "and no portal" not in problems(shown | {"portal": {"keys": {}}}, tmp_path)
    del shown["portal"]
    found = problems(shown, tmp_path)
    assert "functions.portal.keys:handle, and no portal" in found


def test_a_session_is_the_portals_alone(shown, tmp_path) -> None:
    """A cookie, which a browser sends by itself, is no credential for models."""
    shown["routes"][0]["auth"] = ["api-key", "session"]
    assert "session on the portal's routes alone" in problems(shown, tmp_path)


def test_nobody_signs_in_where_the_platform_tells(shown, tmp_path) -> None:
    """Routes for it that stayed are said, and those that still want a session."""
    kept = [copy.deepcopy(route(shown, name)) for name in ("login", "logout", "me")]
    found = on_platform(shown)
    found["routes"] = [each for each in found["routes"] if each["path"] != "/portal/me"] + kept
    said = problems(found, tmp_path, **CAI)
    assert "functions.portal.login:handle, and no portal.oidc" in said
    assert "platform, or portal.oidc as well" in said


def test_a_route_of_an_unknown_function_is_said_once(shown, tmp_path) -> None:
    """By who looks for functions."""
    route(shown, "me")["function"] = "functions.portal.mee:handle"
    found = problems(shown, tmp_path)
    assert "no route with functions.portal.me:handle" in found
    assert "functions.portal.mee" in found


def test_several_workers_need_a_shared_store(shown, tmp_path) -> None:
    """A session of one would be unknown to the others."""
    assert "a session of one is unknown" in problems(shown, tmp_path, workers=2)
    state = {"GATEWAY_STATE": "redis://127.0.0.1:1"}
    assert problems(shown, tmp_path, workers=2, **state) == ""
    for entry in on_platform(shown)["routes"]:
        entry.pop("rateLimit", None)
    assert problems(shown, tmp_path, workers=2, **CAI) == ""
