"""Secrets: found where they stand, by what their issuers publish.

No key stands in this file: all are made of parts when the tests run, most of them by
``evals.secret_vectors``, which knows nothing of the rules.
"""

import base64
import json
import logging
import time
from itertools import groupby, pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ai_gateway.access.keys import new_text
from ai_gateway.guardrails.check import Finding
from ai_gateway.guardrails.checks import secrets
from ai_gateway.guardrails.engine import Guardrails
from ai_gateway.guardrails.policy import Policy
from ai_gateway.guardrails.scene import Text
from ai_gateway.guardrails.secret.doubt import entropy
from ai_gateway.guardrails.secret.scan import KINDS
from evals.secret_vectors import (
    BASE62,
    HEX,
    TOKENS,
    Vector,
    gitlab_routable,
    grafana,
    negatives,
    pem,
    pick,
    positives,
    with_crc,
)
from tests.guardrails.finding import findings

PASSWORD = "k7" + "Vq2" + "zR9wLm"
GITHUB = with_crc("ghp" + "_")


def check(**fields: object) -> secrets.Parameters:
    """The check, with some fields set."""
    common = {"name": "keys", "type": "secrets", "stages": ("input",), "action": "block"}
    return secrets.Parameters.model_validate(common | fields)


def find(text: str, **fields: object) -> list[Finding]:
    """What the check finds at its threshold."""
    parameters = check(**fields)
    return [one for one in findings(parameters, text) if one.score >= parameters.threshold]


def told(text: str, **fields: object) -> list[tuple[str, str]]:
    """Each finding's kind with what stands at its place."""
    return [(one.rule, text[one.start : one.end]) for one in find(text, **fields)]


def by_family(vectors: list[Vector]) -> list[object]:
    """One case a family."""
    ordered = sorted(vectors, key=lambda vector: vector.family)
    return [
        pytest.param(list(group), id=family)
        for family, group in groupby(ordered, key=lambda vector: vector.family)
    ]


@pytest.mark.parametrize("vectors", by_family(list(positives(seed=20, each=18))))
def test_each_kind_is_found_at_its_exact_place(vectors: list[Vector]) -> None:
    """In every context, as its kind, as one finding; a redaction leaves SECRET."""
    for vector in vectors:
        found = find(vector.text)
        assert (vector.family, vector.start, vector.end) in [
            (one.rule, one.start, one.end) for one in found
        ]
        assert {one.kind for one in found} == {"SECRET"}


def test_there_are_vectors_for_every_kind() -> None:
    """A kind that nobody tries would not be known to work."""
    assert {vector.family for vector in positives(seed=1, each=1)} == set(KINDS)


@pytest.mark.parametrize("vectors", by_family(list(negatives(seed=20, each=30))))
def test_what_only_looks_like_a_secret_passes(vectors: list[Vector]) -> None:
    """Hashes, ids, images, placeholders, templates, certificates and talk about secrets."""
    assert [(vector.text, told(vector.text)) for vector in vectors if find(vector.text)] == []


@pytest.mark.parametrize("make", [GITHUB, with_crc("npm" + "_"), gitlab_routable, grafana])
def test_a_wrong_checksum_is_no_token(make) -> None:
    """With its checksum it is certain, with another it stays below the threshold."""
    token = make(Random(3))
    assert [one.score for one in findings(check(), token)] == [1.0]
    at = token.index("_" if "_" in token[:5] else "-") + 3
    wrong = token[:at] + ("a" if token[at] != "a" else "b") + token[at + 1 :]
    assert [one.score for one in findings(check(), wrong)] == [0.3]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgres://app:{}@db/app", PASSWORD),
        ("postgres://app:{}@db/app", "p@ss" + "W0rd"),
        ("two: redis://:{}@a,redis://b", PASSWORD),
        ('password = "{}"', PASSWORD),
        ('"password": "{}"', PASSWORD),
        ('{{\\"password\\": \\"{}\\"}}', PASSWORD),
        ('password: str = "{}"', PASSWORD),
        ("token: password = '{}'", PASSWORD),
        ("The password is {}.", PASSWORD),
        ("x --db-password {} --fast", PASSWORD),
        ("<token>{}</token>", PASSWORD),
        ("//registry.corp.net/:_auth={}", PASSWORD),
        ("https://api.telegram.org/bot{}/getMe", TOKENS["telegram-token"](Random(1))),
        ("Authorization: Basic {}", base64.b64encode(b"user:" + PASSWORD.encode()).decode()),
    ],
)
def test_only_the_secret_itself_is_marked(text: str, secret: str) -> None:
    """Not the name, the quotes, the user, the address or the full stop around it."""
    whole = text.format(secret)
    assert [value for _, value in told(whole)] == [secret]


@pytest.mark.parametrize(
    "text",
    [
        "token = make(" + PASSWORD + ")",
        f'password = "{PASSWORD}',
        f'password = "{PASSWORD}\nnext"',
        f"<password>{PASSWORD}@host",
        f"secret: /etc/keys/{PASSWORD}.pem",
        "chunk_tokenizer: tiktoken:cl100k_base",
        'token: " capital"',
        'secret: "one two3 and a sentence"',
        "password = 1234567890123",
        "password: aaaaaaaaaaa1",
        "password = x",
        "curl -u admin:**** https://x",
    ],
)
def test_values_that_are_no_secret_pass(text: str) -> None:
    """Calls, values that do not end, paths, names, sentences, numbers, and what repeats itself."""
    assert told(text) == []


def test_a_token_in_an_assignment_is_one_finding() -> None:
    """The surer rule has the place: the token's, not the assignment's."""
    token = GITHUB(Random(5))
    assert told(f'github_token = "{token}"') == [("github-token", token)]
    assert told(f'github_token = "{token}"', kinds=["assignment"]) == [("assignment", token)]


def test_a_long_value_is_marked_whole() -> None:
    """With quotes and without, whatever its length."""
    value = pick(Random(6), BASE62, 3_000)
    assert told(f"token={value} next") == [("assignment", value)]
    assert told(f'token="{value}"') == [("assignment", value)]


def test_tokens_side_by_side_are_all_found() -> None:
    """One character between them is enough; none makes them something else."""
    first, second = GITHUB(Random(1)), GITHUB(Random(2))
    assert told(f"{first},{second}") == [("github-token", first), ("github-token", second)]
    assert told(first + second) == []


@pytest.mark.parametrize("before", ["\\n", "%20", "=", '"', "(", "\u4f60"])
def test_a_token_begins_behind_signs_and_escapes(before: str) -> None:
    """Also behind an escape that ends in a letter or a digit."""
    token = GITHUB(Random(8))
    assert told(f"x{before}{token}") == [("github-token", token)]


@pytest.mark.parametrize("hidden", ["\u200b", "\u00ad", "\u2060", "\ufe0f"])
def test_invisible_characters_hide_nothing(hidden: str) -> None:
    """The place is the token's with all that stands within it."""
    token = GITHUB(Random(4))
    split = hidden.join(token)
    assert told(f"caf\u00e9 {hidden} {split}{hidden}.") == [("github-token", split)]


def test_a_private_key_is_marked_whole_and_without_what_follows() -> None:
    """From its first line to its last; where that is missing, to the end of the base64."""
    key = pem(Random(2)).replace("\\n", "\n")
    head = key.partition("-----END")[0].rstrip()
    assert "-----END" in key
    assert told(f"Look: {key}\nWhy?") == [("private-key", key)]
    assert told(f"Look: {head}\n\nWhy is it refused?") == [("private-key", head)]


def test_a_private_key_without_a_key_passes() -> None:
    """The lines alone, as documents show them."""
    begin, end = (f"-----{side} PRIVATE KEY-----" for side in ("BEGIN", "END"))
    assert told(f"{begin}\n...\n{end} and {begin}") == []


@pytest.mark.parametrize("header", [["HS256"], {"typ": "JWT", "kid": "1234567"}, "no JSON"])
def test_three_parts_without_an_algorithm_are_no_jwt(header: object) -> None:
    """The header has to be a JSON object with ``alg``."""
    text = header if isinstance(header, str) else json.dumps(header)
    first = "eyJ" + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    if isinstance(header, dict):
        first = first.removeprefix("eyJ")
    body = pick(Random(1), BASE62, 40)
    assert told(f"{first}.{body}.{body}") == []


def test_the_jwt_that_everybody_shows_passes() -> None:
    """The example of jwt.io, whatever its signature."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "John Doe"}]
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode()
        for part in parts
    ]
    shown = ".".join(part.rstrip("=") for part in (*encoded, pick(Random(1), BASE62, 43)))
    assert [one.score for one in findings(check(), shown)] == [0.3]


def test_a_discord_token_holds_a_user() -> None:
    """The same shape around something else, a file's name say, passes."""
    user, body = pick(Random(1), BASE62, 23), pick(Random(1), BASE62, 27)
    assert told(f"M{user}.museum.{body}") == []


def test_a_hash_near_aws_is_no_secret_key() -> None:
    """Forty hexadecimal digits are a commit."""
    assert told(f"aws commit {pick(Random(1), HEX, 40)}") == []
    assert told(f"nobody's key: {pick(Random(1), BASE62, 40)}\n", kinds=["aws-secret-key"]) == []


def test_every_kind_is_explained() -> None:
    """The page of checks names all of them."""
    page = Path(__file__).parents[2] / "docs" / "checks.md"
    section = page.read_text(encoding="utf-8").partition("## `secrets`")[2].partition("\n## ")[0]
    assert [kind for kind in KINDS if f"`{kind}`" not in section] == []


def test_kinds_can_be_chosen_and_left_out() -> None:
    """``kinds`` names those that are looked for, ``except`` those that are not."""
    stripe, github = TOKENS["stripe-key"](Random(1)), GITHUB(Random(1))
    text = f"{stripe} {github}"
    assert told(text, kinds=["stripe-key"]) == [("stripe-key", stripe)]
    assert told(text, **{"except": ["stripe-key"]}) == [("github-token", github)]


@pytest.mark.parametrize(
    "fields",
    [
        {"kinds": ["no-such-kind"]},
        {"kinds": []},
        {"except": ["no-such-kind"]},
        {"kinds": ["jwt"], "except": ["jwt"]},
        {"entropy": 9},
    ],
)
def test_a_check_that_could_find_nothing_is_refused(fields: dict[str, object]) -> None:
    """Kinds that there are not, none at all, and more bits than characters have."""
    with pytest.raises(ValidationError):
        check(**fields)


def test_entropy_says_from_which_assigned_values_count() -> None:
    """Eight different characters have three bits each; tokens with a prefix are not asked."""
    text = 'password = "abcd' + '12!?"'
    assert told(text, entropy=3.0)
    assert told(text, entropy=3.1) == []
    assert told(GITHUB(Random(1)), entropy=6)
    assert (entropy(""), entropy("aabb"), entropy("abcd")) == (0.0, 1.0, 2.0)


def test_no_secret_is_told(caplog: pytest.LogCaptureFixture, capfd) -> None:
    """Neither findings nor verdicts nor logs nor what is printed repeat what was found."""
    caplog.set_level(logging.DEBUG)
    policy = {"version": 1, "name": "p", "checks": [check().model_dump(by_alias=True)]}
    guardrails = Guardrails([Policy.model_validate(policy)])
    said = []
    for vector in positives(seed=2, each=1):
        inspection = guardrails.inspect([Text(vector.text, "input")])
        assert (inspection.action, inspection.failed) == ("block", [])
        secret = vector.text[vector.start : vector.end]
        said.append(secret in f"{find(vector.text)} {inspection.verdicts}")
    assert not any(said)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


PIECES = [
    *("sk-", "gh" + "p_", "ey" + "J", "AKIA", "://", ":", "@", "password", "=", '"', "'", "aws "),
    *("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "token", " is ", "Bearer "),
    *("server=", ";pwd=", "curl -u ", ".", "-", "_", "a1B2", "\\n", "\n", " ", "<", ">", "\ud800"),
    *("\u200b", "\U0001f600", "\u00e9", "Zz9" * 12, "0" * 9, "\x00"),
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=60).map("".join))
def test_places_are_in_the_text_and_apart(text: str) -> None:
    """Whatever stands there: findings are ordered, not empty, within the text, and scored."""
    found = findings(check(), text)
    places = [(one.start, one.end) for one in found]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert all(0 < one.score <= 1 for one in found)


@pytest.mark.parametrize("seed", range(4))
def test_the_cost_is_linear_in_hostile_texts(seed: int) -> None:
    """Sixteen times the text takes far less than the 256 times of a quadratic cost."""
    random = Random(seed)
    text = "".join(random.choices(PIECES, k=40_000))
    matcher = secrets.build(check())

    def cost(length: int) -> float:
        part, costs = text[:length], []
        for _ in range(3):
            start = time.process_time()
            findings_of(matcher, part)
            costs.append(time.process_time() - start)
        return min(costs)

    cost(100)
    assert cost(96_000) < 60 * max(cost(6_000), 0.0005)
    for piece in PIECES:
        start = time.process_time()
        findings_of(matcher, piece * (96_000 // len(piece)))
        assert time.process_time() - start < 1


def test_no_text_is_too_much_to_find_a_secret_behind_it() -> None:
    """Beginnings of all kinds, of which the patterns need as many states as they can."""
    random, token = Random(9), GITHUB(Random(9))
    starts = [make(random)[:12] for make in TOKENS.values()] + PIECES
    text = "".join(random.choices(starts, k=60_000))
    assert ("github-token", token) in told(f"{text} {token} {text}")


def findings_of(matcher, text: str) -> list[Finding]:
    """What a matcher that is built finds."""
    return list(matcher.find(type("Read", (), {"source": text})(), None))


@given(st.integers(0, 2**64))
def test_the_gateways_own_keys_are_found(seed) -> None:
    """Every key that is issued, whole, also behind Bearer; what is shown of it is no secret."""
    prefix, key = new_text(Random(seed))
    assert told(f"curl -H 'X-API-Key: {key}' http://gateway") == [("ai-gateway-key", key)]
    assert told(f"Authorization: Bearer {key}") == [("ai-gateway-key", key)]
    assert told(f"The key {prefix} has expired.") == []
    assert told(f"{key[:-1]} is cut off") == []
