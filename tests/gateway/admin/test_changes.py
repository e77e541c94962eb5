"""What the admin API changes is in the log, in force or taken back, and lost by nobody."""

import json
import threading

import pytest

from ai_gateway.reload import Reloader
from tests.gateway.admin.conftest import ADMIN


def test_every_change_and_every_attempt_is_in_the_log(admin) -> None:
    """Who, what, before and after, and what became of it; secrets never."""
    admin = admin()
    body = {"path": "/predict", "target": "http://ai-service:8080"}
    admin.call("POST", "/api/v1/routes", body)
    admin.call("POST", "/api/v1/routes", body)
    admin.call("PUT", "/api/v1/security/predict", {"authType": "none"})
    admin.call("DELETE", "/api/v1/routes/predict", **{"If-Match": "*"})
    admin.call("DELETE", "/api/v1/routes/predict")
    admin.call("POST", "/api/v1/reload")
    admin.call("POST", "/api/v1/reload", **{"Content-Type": "text/plain"})
    assert admin.audit() == [
        ("route.create", "/predict", "done"),
        ("route.create", "/predict", "conflict"),
        ("security.put", "/predict", "done"),
        ("route.delete", "predict", "done"),
        ("route.delete", "predict", "precondition_required"),
        ("bundle.reload", "bundle", "done"),
        ("bundle.reload", "/api/v1/reload", "unsupported_media_type"),
    ]
    reply = admin.call("GET", "/api/v1/audit?action=route.create&limit=1&who=admin")
    (entry,) = reply.json["entries"]
    assert entry["outcome"] == "conflict"
    done = admin.call("GET", "/api/v1/audit?outcome=done&action=route.create").json["entries"][0]
    assert json.loads(done["after"])["value"] == {"name": "predict", **body}
    assert (done["who"], done["scheme"]) == ("admin", "api-key")
    etag = admin.call("GET", "/api/v1/routes").headers["etag"]
    assert json.loads(done["before"])["bundle"] == etag.strip('"')
    assert admin.gateway.key not in str(admin.gateway.rows("audit"))


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "since=x", "password=x", "a=" + "&a=" * 30]
)
def test_a_wrong_question_to_the_log_is_told(admin, query) -> None:
    """PEERS 15: the log is read in bounds."""
    assert admin().call("GET", f"/api/v1/audit?{query}").status_code == 400


def test_a_reload_tells_what_is_wrong(admin) -> None:
    """A file that somebody broke by hand is not in force, nor can it be edited further."""
    admin = admin()
    path = admin.gateway.service.settings.bundle / "routes.yaml"
    path.write_text(admin.text.replace("functions.ping", "functions.pong"))
    reply = admin.call("POST", "/api/v1/reload")
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "invalid_bundle")
    assert "functions.pong" in reply.json["error"]["message"]
    assert admin.gateway.client.get("/ping").status_code == 200
    body = {"path": "/predict", "target": "http://ai-service"}
    assert admin.call("POST", "/api/v1/routes", body).status_code == 400
    path.write_text("routes: [")
    assert admin.call("POST", "/api/v1/routes", body).status_code == 409
    assert admin.call("GET", "/api/v1/routes").status_code == 409
    assert admin.audit()[-1] == ("route.create", "/predict", "conflict")


def test_a_change_that_cannot_be_put_in_force_is_taken_back(admin) -> None:
    """Whatever breaks after the file was written, the file is what it was."""
    admin = admin()
    before, calls = admin.text, []
    swap = admin.reloader._apply

    def broken(bundle):
        calls.append(bundle)
        if len(calls) == 1:
            raise RuntimeError("broken-canary")
        swap(bundle)

    admin.reloader._apply = broken
    body = {"path": "/predict", "target": "http://ai-service"}
    reply = admin.call("POST", "/api/v1/routes", body)
    assert (reply.status_code, len(calls)) == (400, 2)
    assert "canary" not in reply.text
    assert admin.text == before
    assert admin.gateway.client.get("/ping").status_code == 200


def test_writers_at_once_lose_nothing(admin) -> None:
    """Of changes to the same version one wins and the others are told; additions all come in."""
    admin = admin()
    seen = admin.call("GET", "/api/v1/routes").headers["etag"]
    statuses: dict[str, list[int]] = {"conditional": [], "plain": []}

    def add(kind, number, **headers):
        body = {"path": f"/{kind}/{number}", "target": "http://ai-service"}
        statuses[kind].append(admin.call("POST", "/api/v1/routes", body, **headers).status_code)

    threads = [
        threading.Thread(target=add, args=("conditional", n), kwargs={"If-Match": seen})
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses["conditional"]) == [201, 412, 412]
    threads = [threading.Thread(target=add, args=("plain", n)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses["plain"] == [201] * 3
    paths = [each["path"] for each in admin.call("GET", "/api/v1/routes").json["routes"]]
    assert sum(path.startswith(("/plain/", "/conditional/")) for path in paths) == 4
    assert len(admin.audit()) == 6


def test_replicas_share_versions_and_go_back(admin, tmp_path) -> None:
    """The bundle's own files stay; a change is in force here at once, elsewhere at a look."""
    admin = admin(ADMIN + "bundles: shared\n")
    before = admin.text
    assert admin.call("GET", "/api/v1/versions").json == {"versions": [0], "current": 0}
    body = {"path": "/predict", "target": "http://ai-service"}
    assert admin.call("POST", "/api/v1/routes", body).status_code == 201
    assert admin.text == before
    assert admin.gateway.client.post("/predict", data="{}").status_code == 403
    assert admin.call("GET", "/api/v1/versions").json == {"versions": [0, 1], "current": 1}
    service = admin.gateway.service
    forced: list = []
    other = Reloader(service, admin.gateway.snapshot.bundle, forced.append, every=60.0).start()
    other.stop()
    assert [route.name for route in forced[0].manifest.routes][-1] == "predict"
    wrong = {"path": "/x", "target": "http://ai-service", "guardrails": ["nope"]}
    refused = admin.call("POST", "/api/v1/routes", wrong).json["error"]["message"]
    assert refused.startswith("routes.yaml:")
    assert admin.call("POST", "/api/v1/versions", {"number": 0}).status_code == 200
    assert admin.call("POST", "/api/v1/versions", {"number": 0}).status_code == 409
    assert admin.call("POST", "/api/v1/versions", {"number": 9}).status_code == 404
    assert admin.call("GET", "/api/v1/versions").json == {"versions": [0, 1, 2], "current": 2}
    assert admin.call("GET", "/api/v1/routes/predict").status_code == 404


def test_a_bundle_in_its_own_folder_has_no_versions(admin) -> None:
    """Whoever keeps the folder keeps its history."""
    assert admin().call("GET", "/api/v1/versions").status_code == 409
