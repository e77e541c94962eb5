"""A changed bundle takes force in the running process."""

import hashlib
import threading
import time

import pytest

from ai_gateway.reload import Reloader
from runner import application

PING = '  - {path: /ping, methods: [GET], function: "functions.ping:handle", auth: none}\n'


@pytest.fixture
def gateway(start):
    """A gateway on a bundle that may be written to."""
    return start(PING)


@pytest.fixture
def reloader(gateway):
    """Follows the gateway's bundle, and swaps its application."""
    app = gateway.client.application

    def swap(bundle) -> None:
        app.wsgi_app.app = application(gateway.service.snapshot(bundle)).wsgi_app

    running = Reloader(gateway.service, gateway.snapshot.bundle, swap, every=0.05).start()
    yield running
    running.stop()


def write(gateway, old, new) -> None:
    """Change the bundle's routes.yaml, all at once: a half-written file is a bundle too."""
    path = gateway.service.settings.bundle / "routes.yaml"
    changed = path.with_suffix(".new")
    changed.write_text(path.read_text().replace(old, new))
    changed.replace(path)


def until(condition) -> None:
    """Wait for ``condition``, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_changed_file_takes_force(gateway, reloader) -> None:
    """A route that is added to the file is served soon after, without a restart."""
    assert gateway.client.get("/pong").status_code == 404
    write(gateway, PING, PING + PING.replace("/ping", "/pong"))
    until(lambda: gateway.client.get("/pong").status_code == 200)
    assert gateway.client.get("/ping").status_code == 200


def test_a_bundle_that_does_not_check_changes_nothing(gateway, reloader, caplog) -> None:
    """The old bundle stays in force; log, readiness and metric say that the new one is refused."""
    healthy = PING + PING.replace("/ping", "/readyz").replace(".ping:", ".readyz:")
    write(gateway, PING, healthy)
    until(lambda: gateway.client.get("/readyz").status_code == 200)
    write(gateway, "functions.ping:", "functions.pong:")
    until(lambda: gateway.client.get("/readyz").json["bundle"] != "current")
    assert gateway.client.get("/ping").status_code == 200
    assert gateway.client.get("/readyz").json["bundle"] == "the one on disk has 1 problem"
    assert "found functions.pong" in caplog.text
    assert b"ai_gateway_bundle_current 0.0" in gateway.service.metrics.expose()
    write(gateway, "functions.pong:", "functions.ping:")
    until(lambda: gateway.client.get("/readyz").json["bundle"] == "current")
    assert b"ai_gateway_bundle_current 1.0" in gateway.service.metrics.expose()


def test_a_bundle_that_cannot_be_put_in_force_changes_nothing(gateway, caplog) -> None:
    """Whatever breaks while a checked bundle is swapped in, the follower lives and says so."""
    forced = []

    def swap(bundle) -> None:
        forced.append(bundle)
        if len(forced) == 1:
            raise RuntimeError("broken-canary")

    running = Reloader(gateway.service, gateway.snapshot.bundle, swap, every=0.01).start()
    write(gateway, "routes:", "# a\nroutes:")
    until(lambda: gateway.service.state.problems)
    assert "found RuntimeError" in str(gateway.service.state.problems[0])
    assert "broken-canary" in caplog.text
    write(gateway, "routes:", "# b\nroutes:")
    until(lambda: len(forced) == 2)
    running.stop()
    assert not gateway.service.state.problems


def test_a_change_before_the_follower_started_is_seen(gateway) -> None:
    """What changes between the bundle's loading and the first look takes force as well."""
    write(gateway, "routes:", "# changed\nroutes:")
    forced = []
    running = Reloader(gateway.service, gateway.snapshot.bundle, forced.append, every=0.01).start()
    until(lambda: forced)
    running.stop()
    path = gateway.service.settings.bundle / "routes.yaml"
    assert forced[0].digest == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_limits_live_on(gateway, reloader) -> None:
    """A reload does not hand out a fresh limit."""
    write(gateway, "auth: none", "auth: none, rateLimit: 2/hour")
    reloader.reload()
    statuses = []
    for _ in range(3):
        statuses.append(gateway.client.get("/ping").status_code)
        reloader.reload()
    assert statuses == [200, 200, 429]


def test_no_request_fails_while_bundles_change(gateway, reloader) -> None:
    """Under load every request is answered by one bundle or the next, never by none."""
    stop, failed = threading.Event(), []

    def load() -> None:
        client = gateway.client.application.test_client()
        while not stop.is_set():
            if client.get("/ping").status_code != 200:
                failed.append(1)

    threads = [threading.Thread(target=load, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            write(gateway, "routes:", f"# {number}\nroutes:")
            assert reloader.reload()
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_folder_that_is_away_does_not_switch_guardrails_off(start) -> None:
    """A reload that finds no policy where there were some is refused."""
    gateway = start(PING, policies={"p": POLICY})
    reloader = Reloader(gateway.service, gateway.snapshot.bundle, lambda bundle: None)
    (gateway.service.settings.bundle / "policies" / "p.yaml").unlink()
    assert not reloader.reload()
    assert gateway.service.state.problems[0].found == "no policy"


POLICY = """
version: 1
name: p
checks:
  - {name: c, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
"""
