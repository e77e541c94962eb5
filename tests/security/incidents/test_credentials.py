"""Who may come in: nobody by a trick with a credential, by a default one, or by an empty one."""

import sys
from collections import Counter

import pytest

from ai_gateway.contract import Caller
from ai_gateway.errors import Unauthenticated
from tests.access.oidc import rsa_signer
from tests.conftest import KEY, MODELS, ROOT
from tests.gateway.test_jwt import bearer, good
from tests.manifest.test_load import settings
from tests.security.conftest import told

INJECTIONS = (
    *("' OR '1'='1", "' OR 1=1--", "'; DROP TABLE keys;--", "admin'--", '" OR ""="', "%", "_"),
    *("' UNION SELECT token FROM keys--", "1) OR SLEEP(5)--", "*", "*)(uid=*", "{$ne: null}"),
    *("a-key-for-tests'--", "a-key-for-tests%", "a-key-for-test_", "a_key_for_tests", "[$regex]"),
    *("\\", "%00", "a-key-for-tests%00", "\xff\xfe", "agw_%", "agw_________", "/admin", "${KEY}"),
    *("a-key-for-tests, a-key-for-tests", "A-KEY-FOR-TESTS", "a-key-for-test", "a-key-for-testss"),
)
#: Keys that other gateways, and their examples, come with.
DEFAULTS = (
    *("sk-1234", "admin", "password", "changeme", "secret", "test", "default", "router-key", "key"),
    *(
        "dummy",
        "anything",
        "sk-anything",
        "EMPTY",
        "none",
        "null",
        "None",
        "undefined",
        "0",
        "true",
    ),
    *(
        "ai-gateway",
        "gateway",
        "AI_GATEWAY_API_KEY",
        "${AI_GATEWAY_API_KEY}",
        "your-api-key",
        "sk-",
    ),
    *("edd1c9f034335f136f87ad84b625c8f1", "a-key-for-tests ' '", "master", "root", "letmein"),
)
WAYS = (
    lambda text: {"X-API-Key": text},
    lambda text: {"api-key": text},
    lambda text: {"Authorization": f"Bearer {text}"},
    lambda text: {"Authorization": text},
)
OPEN = '  - {path: /ping, methods: [GET], function: "functions.ping:handle", auth: none}\n'


def test_03_no_text_in_a_key_is_a_query(everything) -> None:
    """Whatever stands in the key's place is compared whole: one 401, to the letter the same."""
    gateway = everything()
    issued = gateway.client.post("/api/v1/keys", json={"name": "a"}, headers=gateway.headers).json
    replies = Counter()
    for text in (*INJECTIONS, issued["prefix"], f"{issued['prefix']}%", issued["key"][:-1] + "_"):
        for way in WAYS:
            reply = gateway.client.get("/v1/models", headers=way(text))
            body = reply.text.replace(reply.headers["x-request-id"], "")
            replies[reply.status_code, body, reply.headers["www-authenticate"]] += 1
    assert [status for status, _, _ in replies] == [401], replies
    listed = gateway.client.get("/api/v1/keys", headers=gateway.headers).json["data"]
    assert [each["id"] for each in listed] == [issued["id"]]


def test_04_tokens_that_begin_alike_are_two_callers(everything, idp) -> None:
    """A token is remembered by all of it: no prefix and no tail of it brings its caller in."""
    gateway = everything()
    alice, bob = (good(idp, sub=name, tid=name, jti="x" * 2000) for name in ("alice", "bobby"))
    assert alice[:60] == bob[:60]
    head, payload, signature = alice.split(".")
    other = good(idp, sub="alice", tid="alice", signer=rsa_signer("rsa-9"))

    body = {"inputs": "Hi", "model_name": "model-a"}

    def ask(text):
        return gateway.client.post("/inference", json=body, headers=bearer(text))

    for _ in range(2):
        assert [ask(text).status_code for text in (alice, bob)] == [200, 200]
    forged = [
        f"{head}.{bob.split('.')[1]}.{signature}",
        f"{head}.{payload}.{bob.split('.')[2]}",
        f"{head}.{payload}.{other.split('.')[2]}",
        f"{head}.{payload}.",
        alice[:-2],
        f"{alice}A",
        f"{alice}.{alice}",
        alice[:20],
    ]
    assert [ask(text).status_code for text in forged] == [401] * len(forged)
    asked = [(row["key_id"], row["tenant"]) for row in gateway.rows() if row["status"] == 200]
    assert asked == [("jwt:idp:alice", "alice"), ("jwt:idp:bobby", "bobby")] * 2


def test_14_an_empty_secret_stops_the_start(tmp_path) -> None:
    """A key or token that is empty, or nothing but blanks, is an error that names it."""
    (tmp_path / "judge_prompts").symlink_to(ROOT / "judge_prompts")
    (tmp_path / "routes.yaml").write_text(MODELS + OPEN)
    for name, key in (
        ("AI_GATEWAY_API_KEY", ""),
        ("MODEL_A_TOKEN", "models.model-a.credentials.token"),
        ("JUDGE_MODEL_TOKEN", "models.judge.credentials.token"),
    ):
        for empty in ("", " ", "\t\n"):
            said = told(settings(tmp_path, **{name: empty}))
            assert name in said or (key and key in said), (name, empty)
    assert told(settings(tmp_path)) == ""
    for written in ('""', '" "', '"file:"'):
        text = (MODELS + OPEN).replace('"${MODEL_A_TOKEN}"', written)
        (tmp_path / "routes.yaml").write_text(text)
        assert "models.model-a.credentials" in told(settings(tmp_path)), written


def test_22_no_credential_is_there_before_the_operator_gives_one(start, tmp_path) -> None:
    """No key works that is in any example, and a route that says nothing of auth is closed."""
    silent = '  - {path: /closed, methods: [GET], function: "functions.ping:handle"}\n'
    keyed = '  - {path: /keyed, methods: [GET], function: "functions.ping:handle", auth: api-key}\n'
    gateway = start(OPEN + silent + keyed)
    for text in DEFAULTS:
        for way in WAYS[:3]:
            for path in ("/closed", "/keyed"):
                assert gateway.client.get(path, headers=way(text)).status_code == 401, text
    assert gateway.client.get("/closed").status_code == 403
    assert gateway.client.get("/keyed").status_code == 401
    given = dict(settings(tmp_path).variables)
    del given["AI_GATEWAY_API_KEY"]
    bundle = type(settings(tmp_path)).read(gateway.service.settings.bundle, given)
    assert "there is no default key" in told(bundle)


def test_23_what_is_right_of_a_key_takes_no_other_steps(everything) -> None:
    """A wrong key takes the same steps of the program however much of it is right."""
    gateway = everything()
    identity = gateway.snapshot.identity
    route = next(
        route for route in gateway.snapshot.bundle.manifest.routes if route.path == "/v1/models"
    )

    def steps(text) -> list[tuple[str, int]]:
        taken: list[tuple[str, int]] = []

        def follow(frame, event, _argument):
            # What the garbage collector calls meanwhile is none of the gateway's steps.
            if "ai_gateway" not in frame.f_code.co_filename:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                taken.append((frame.f_code.co_name, frame.f_lasti))
            return follow

        before = sys.gettrace()
        sys.settrace(follow)
        try:
            with pytest.raises(Unauthenticated):
                identity.caller(route, "GET", {"x-api-key": text})
        finally:
            sys.settrace(before)
        return taken

    wrong = [KEY[:count] + "#" * (len(KEY) - count) for count in range(len(KEY))]
    steps(wrong[0])  # Python 3.12 tells of steps from the second time on
    first = steps(wrong[0])
    assert [steps(text) for text in wrong] == [first] * len(wrong)
    assert len(first) > 100
    caller = identity.caller(route, "GET", {"x-api-key": KEY})
    assert caller == Caller(id="admin", scheme="api-key", admin=True)
