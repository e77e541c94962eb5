"""The portal behind the real server, in two processes that share their sessions in Redis."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import yaml

from ai_gateway.settings import Settings
from tests.conftest import KEY, ROOT
from tests.limits.conftest import redis  # noqa: F401 - a fixture
from tests.portal.conftest import SECRET
from tests.portal.test_page import free_port
from tests.processes import served


@pytest.fixture
def bundle(tmp_path, shown):
    """The bundle of docs/portal.md in a folder, and the port that it is to be served on."""
    port = free_port()
    shown["portal"]["oidc"]["redirect_url"] = f"http://127.0.0.1:{port}/portal/callback"
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name in ("functions", "judge_prompts", "policies"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "routes.yaml").write_text(yaml.safe_dump(shown))
    return folder, port


@contextmanager
def serving(bundle, tmp_path, state: str) -> Iterator[str]:
    """Two workers; their URL."""
    folder, port = bundle
    wanted = {"AI_GATEWAY_API_KEY": KEY, "PORTAL_CLIENT_SECRET": SECRET, "GATEWAY_STATE": state}
    wanted["GATEWAY_DATA"] = str(tmp_path / "data")
    around = Settings.read().variables
    environment = {name: around[name] for name in ("HOME", "PATH")} | wanted
    several = ("--bundle", str(folder), "--workers", "2")
    with served(environment, *several, port=port) as (url, _):
        yield url


def test_whoever_signs_in_is_signed_in_everywhere(bundle, tmp_path, redis) -> None:  # noqa: F811 - the fixture
    """Each request is a connection of its own, so that either process gets some of them."""
    with serving(bundle, tmp_path, redis.url) as url, httpx.Client(follow_redirects=True) as people:
        people.headers["Connection"] = "close"
        assert people.get(f"{url}/portal/me").status_code == 401
        page = people.get(f"{url}/portal/login")
        assert page.url == f"{url}/portal"
        assert page.headers["Content-Type"].startswith("text/html")
        tokens = {people.get(f"{url}/portal/me").json()["csrf"] for _ in range(10)}
        assert len(tokens) == 1
        headers = {"X-CSRF-Token": tokens.pop()}
        made = people.post(f"{url}/portal/keys", json={"name": "a"}, headers=headers)
        assert made.status_code == 201
        path = f"{url}/portal/keys/{made.json()['id']}"
        headers["Content-Type"] = "application/json"
        stolen = dict(people.cookies)
        with httpx.Client(cookies=stolen) as thief:
            assert thief.get(f"{url}/portal/me").status_code == 200
        assert people.post(f"{url}/portal/logout", headers=headers).status_code == 200
        for _ in range(10):
            with httpx.Client(cookies=stolen) as thief:
                assert thief.delete(path, headers=headers).status_code == 401
