"""Issued keys through a whole gateway: made, listed, followed, ended, and by whom."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from random import Random

import pytest

from ai_gateway.service import Service
from runner import application
from tests.gateway.keys.conftest import ADMIN, ask, code, issue, key

JSON = {"content-type": "application/json"}


@contextmanager
def another(gateway, seed=2):
    """A second process on the same bundle and data, which follows the store."""
    service = Service(gateway.service.settings, random=Random(seed))
    try:
        service.keys.start()
        yield application(service.snapshot(gateway.snapshot.bundle)).test_client()
    finally:
        service.close()


def until(holds, seconds=2.0):
    """Wait until it holds; no longer than keys may take."""
    by = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < by
        time.sleep(0.02)


def test_a_key_is_made_used_and_ended(gateway) -> None:
    """It is told once, its rows are its tenant's and its own, and revoked it is a wrong key."""
    made = issue(gateway, owner="alice", team="research", tenant="acme")
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    headers = {"Authorization": f"Bearer {made.json['key']}"}
    assert ask(gateway, headers).status_code == 200
    path = f"/api/v1/keys/{made.json['id']}"
    shown = gateway.client.get(path, headers=ADMIN)
    assert shown.json == {name: made.json[name] for name in made.json if name != "key"}
    assert shown.json["status"] == "active"
    ended = gateway.client.delete(path, headers=ADMIN | JSON)
    assert (ended.status_code, ended.json["status"]) == (200, "revoked")
    assert code(ask(gateway, headers)) == (401, "invalid_api_key")
    answered, refused = (row for row in gateway.rows() if row["route"] == "inference")
    assert (answered["tenant"], answered["key_id"]) == ("acme", made.json["id"])
    assert (refused["tenant"], refused["key_id"]) == ("default", "anonymous")


def test_other_processes_know_within_two_seconds(gateway) -> None:
    """Of a new key, of its rotation and of its end; one that starts later knows at once."""
    with another(gateway) as other:
        made = issue(gateway).json
        headers = {"X-API-Key": made["key"]}

        def status():
            return other.post("/inference", json={"inputs": "a"}, headers=headers).status_code

        until(lambda: status() == 200)
        gateway.client.delete(f"/api/v1/keys/{made['id']}", headers=ADMIN | JSON)
        until(lambda: status() == 401)
    kept = key(gateway)
    with another(gateway, seed=3) as later:
        assert later.post("/inference", json={"inputs": "a"}, headers=kept).status_code == 200


def test_a_store_that_is_away_closes_for_keys_alone(gateway, tmp_path) -> None:
    """At start nobody comes in by an issued key; the administrator does, and models answer."""
    headers = key(gateway)
    folder = tmp_path / "data" / "keys"
    folder.rename(tmp_path / "keys")
    folder.write_text("no folder")
    with another(gateway) as other:
        ask_other = {"json": {"inputs": "a"}}
        assert other.post("/inference", headers=headers, **ask_other).status_code == 401
        assert other.post("/inference", headers=ADMIN, **ask_other).status_code == 200
        listed = other.get("/api/v1/keys", headers=ADMIN)
        assert code(listed) == (503, "store_unavailable")
        folder.unlink()
        (tmp_path / "keys").rename(folder)
        until(lambda: other.post("/inference", headers=headers, **ask_other).status_code == 200)


def test_a_rotated_key_and_its_follower_work_side_by_side(gateway) -> None:
    """For the overlap that was asked for; without one the old key ends at once."""
    made = issue(gateway, routes=["inference"]).json
    old, path = {"X-API-Key": made["key"]}, f"/api/v1/keys/{made['id']}/rotate"
    after = gateway.client.post(path, json={"overlap": "1h"}, headers=ADMIN)
    assert (after.status_code, after.json["routes"]) == (201, ["inference"])
    new = {"X-API-Key": after.json["key"]}
    assert [ask(gateway, each).status_code for each in (old, new)] == [200, 200]
    again = gateway.client.post(path, headers=ADMIN | JSON)
    assert code(again) == (409, "conflict")
    path = f"/api/v1/keys/{after.json['id']}/rotate"
    last = gateway.client.post(path, json={"overlap": 0}, headers=ADMIN)
    assert last.status_code == 201
    assert [ask(gateway, each).status_code for each in (old, new)] == [200, 401]
    day = gateway.client.post(f"/api/v1/keys/{last.json['id']}/rotate", headers=ADMIN | JSON)
    assert day.status_code == 201  # without a body the overlap is a day


def test_keys_are_listed_without_what_they_are_made_of(gateway) -> None:
    """By prefix, owner and tenant; no text and no hash, whoever asks."""
    made = [issue(gateway, owner=f"o{number}", tenant="acme").json for number in range(3)]
    get = gateway.client.get
    listed = get("/api/v1/keys?tenant=acme&limit=2", headers=ADMIN)
    assert (listed.json["object"], len(listed.json["data"])) == ("list", 2)
    assert listed.json["has_more"]
    for each in made:
        assert each["key"] not in listed.text
        assert "digest" not in listed.text
    (one,) = get(f"/api/v1/keys?prefix={made[1]['prefix']}", headers=ADMIN).json["data"]
    assert one["id"] == made[1]["id"]
    assert get("/api/v1/keys?owner=o2", headers=ADMIN).json["data"][0]["owner"] == "o2"
    for query in (
        "limit=0",
        "limit=1001",
        "colour=red",
        "owner=a&owner=b",
        "&".join("abcdefghijkl"),
    ):
        assert get(f"/api/v1/keys?{query}", headers=ADMIN).status_code == 400, query


def test_only_keys_with_the_scope_manage_keys(gateway) -> None:
    """Another key is refused before the function; what it made itself a key may end."""
    plain, maker = key(gateway), key(gateway, scopes=["keys"], tenant="acme")
    for method, path in (("GET", "/api/v1/keys"), ("POST", "/api/v1/keys")):
        reply = gateway.client.open(path, method=method, json={"name": "a"}, headers=plain)
        assert code(reply) == (403, "forbidden")
    child = issue(gateway, maker)
    assert (child.status_code, child.json["tenant"]) == (201, "acme")
    path = f"/api/v1/keys/{child.json['id']}"
    assert gateway.client.delete(path, headers=maker | JSON).status_code == 200
    assert ask(gateway, {"X-API-Key": child.json["key"]}).status_code == 401


def test_what_belongs_to_another_is_not_found(gateway) -> None:
    """CVE-2026-30886: not shown, not ended, not followed, whatever the id."""
    other = issue(gateway).json
    maker = key(gateway, scopes=["keys"])
    path = f"/api/v1/keys/{other['id']}"
    replies = [
        gateway.client.get(path, headers=maker),
        gateway.client.delete(path, headers=maker | JSON),
        gateway.client.post(f"{path}/rotate", headers=maker | JSON),
        gateway.client.get("/api/v1/keys/no-such-key", headers=maker),
    ]
    assert {(*code(each), each.json["error"]["message"]) for each in replies} == {
        (404, "not_found", "There is no such key.")
    }
    assert ask(gateway, {"X-API-Key": other["key"]}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"user_role": "proxy_admin"}, 400),
        ({"admin": True}, 400),
        ({"allowed_routes": ["*"]}, 400),
        ({"id": "0" * 32}, 400),
        ({"created_by": "admin"}, 400),
        ({"tenant": "rival"}, 403),
        ({"team": "sales"}, 403),
        ({"scopes": ["keys", "admin"]}, 403),
        ({"routes": None}, 403),
        ({"routes": ["inference", "limited"]}, 403),
        ({"models": ["model-b"]}, 403),
        ({"models": None}, 403),
        ({"expires_in": "1d"}, 403),
        ({"expires_at": None}, 403),
        ({"routes": ["*"]}, 400),
        ({"routes": ["no-such-route"]}, 403),
        ({"parent": "0" * 32}, 400),
    ],
)
def test_nobody_makes_a_key_that_is_more_than_his_own(gateway, asked, status) -> None:
    """CVE-2026-47101, CVE-2026-47102: what is sent is not what is stored; no key comes of it."""
    bounds = {"routes": ["inference", "keys-issue"], "models": ["model-a"], "expires_in": "1h"}
    maker = key(gateway, scopes=["keys"], tenant="acme", **bounds)
    assert issue(gateway, maker, **asked).status_code == status
    assert len(gateway.service.keys.keys) == 1


def test_a_body_must_say_that_it_is_json(gateway) -> None:
    """What a form of another site can send changes no key."""
    made = issue(gateway).json
    for method, path in (
        ("POST", "/api/v1/keys"),
        ("POST", f"/api/v1/keys/{made['id']}/rotate"),
        ("DELETE", f"/api/v1/keys/{made['id']}"),
    ):
        reply = gateway.client.open(path, method=method, data='{"name": "a"}', headers=ADMIN)
        assert code(reply) == (415, "unsupported_media_type")
    twice = gateway.client.post(
        "/api/v1/keys", data='{"name":"a","name":"b"}', headers=ADMIN | JSON
    )
    assert code(twice) == (400, "invalid_json")
    assert len(gateway.service.keys.keys) == 1


@pytest.mark.parametrize(
    "sent",
    [
        "' OR '1'='1",
        "'; DROP TABLE keys; --",
        "agw_%",
        "agw_________",
        "{{7*7}}",
        "${AI_GATEWAY_API_KEY}",
        "../../etc/passwd",
        "null",
        "None",
        "undefined",
        "sk-1234",
        "x" * 10_000,
        "ключ",
        "\x7f",
        "*",
        "admin",
    ],
)
def test_what_stands_in_a_header_is_looked_up_and_nothing_else(gateway, sent) -> None:
    """CVE-2026-42208: any text that is no key is the same 401; there is no default one either."""
    key(gateway)
    told = set()
    for name, value in (
        ("X-API-Key", sent),
        ("api-key", sent),
        ("Authorization", f"Bearer {sent}"),
    ):
        latin = value.encode().decode("latin-1")
        reply = gateway.client.post("/inference", json={"inputs": "a"}, headers={name: latin})
        told.add((*code(reply), reply.json["error"]["message"]))
        assert sent == "null" or sent not in reply.text
    assert told == {(401, "invalid_api_key", "The API key is not one that this gateway knows.")}


def test_no_text_of_a_key_is_kept_anywhere(gateway, tmp_path, caplog) -> None:
    """litellm#8075 and others: not in a file, a log, a metric, an error or a list of keys."""
    caplog.set_level(logging.DEBUG)
    made = issue(gateway, scopes=["keys"]).json
    headers = {"X-API-Key": made["key"]}
    after = gateway.client.post(f"/api/v1/keys/{made['id']}/rotate", headers=headers | JSON).json
    seen = [
        ask(gateway, headers),
        ask(gateway, {"X-API-Key": made["key"] + "x"}),
        gateway.client.get(f"/api/v1/keys/{made['key']}", headers=headers),
        gateway.client.get(f"/api/v1/keys?prefix={made['key']}", headers=headers),
        issue(gateway, headers, parent=made["key"][:10]),
        gateway.client.post("/v1/chat/completions", data=b"{", headers=headers),
        gateway.client.delete(f"/api/v1/keys/{made['id']}", headers=headers | JSON),
        ask(gateway, headers),
        gateway.client.get("/metrics", headers=ADMIN),
    ]
    gateway.service.records.flush()
    texts = [reply.get_data() for reply in seen] + [caplog.text.encode()]
    texts += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    texts.append(repr(gateway.service.keys.keys).encode())
    texts.append(str(gateway.rows()).encode())
    texts.append(str(gateway.rows("keys")).encode())
    texts.append(str(gateway.rows("audit")).encode())
    for told in (made["key"], after["key"]):
        secret = told.rpartition("_")[2].encode()
        assert not [text for text in texts if secret in text]


def test_what_changed_is_in_the_audit_log(gateway) -> None:
    """A key's making and end, and what was refused, with who asked for it."""
    made = issue(gateway, scopes=["keys"]).json
    headers = {"X-API-Key": made["key"]}
    assert issue(gateway, headers, tenant="rival").status_code == 403
    gateway.client.delete(f"/api/v1/keys/{made['id']}", headers=ADMIN | JSON)
    told = [(row["who"], row["action"], row["outcome"]) for row in gateway.rows("audit")]
    assert told == [
        ("admin", "key.issue", "done"),
        (made["id"], "key.issue", "forbidden"),
        ("admin", "key.revoke", "done"),
    ]


def test_the_metrics_tell_how_many_keys_are_live(gateway) -> None:
    """And how old what this process knows of them is."""
    key(gateway)
    text = gateway.client.get("/metrics", headers=ADMIN).text
    assert 'ai_gateway_issued_keys{what="live"} 1.0' in text
    assert 'ai_gateway_issued_keys{what="unread_seconds"}' in text
