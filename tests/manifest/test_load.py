"""A bundle starts whole, or says everything that is wrong with it."""

from pathlib import Path

import pytest

from ai_gateway.manifest.load import fingerprint, load
from ai_gateway.settings import Settings

BUNDLES = Path(__file__).parents[1] / "bundles"
ROOT = Path(__file__).parents[2]
VARIABLES = {
    "AI_GATEWAY_API_KEY": "a-key-for-tests",
    **{
        f"{name}_{part}": value
        for name in ("MODEL_A", "MODEL_B", "JUDGE_MODEL")
        for part, value in {
            "ID": "meta/llama",
            "URL": "https://models.example/v1",
            "TOKEN": "a-token-that-nobody-may-see",
        }.items()
    },
}


def settings(bundle: Path, **changed: str) -> Settings:
    """Those of a process that has all it needs, but for what is ``changed``."""
    own = bundle / "environment"
    if own.exists():
        changed = dict(line.split("=", 1) for line in own.read_text().splitlines())
        return Settings.read(bundle, changed)
    return Settings.read(bundle, VARIABLES | changed)


@pytest.mark.parametrize(
    "bundle",
    sorted(path.parent for path in BUNDLES.glob("*/routes.yaml")),
    ids=lambda path: path.name,
)
def test_a_broken_bundle_is_told_what_is_wrong(bundle: Path) -> None:
    """Every problem is reported at once: file, line, key, what was found, what would be right."""
    loaded, problems = load(settings(bundle))
    every = ", ".join(f"functions.{path.stem}" for path in sorted(ROOT.glob("functions/*.py")))
    found = "".join(f"{problem}\n" for problem in problems)
    found = found.replace(f"{bundle}/", "").replace(every, "EVERY FUNCTION")
    assert loaded is None
    assert (bundle / "expected.txt").read_text() == found
    assert VARIABLES["MODEL_A_TOKEN"] not in found


def test_the_bundle_that_ships_checks() -> None:
    """The default bundle has no problem once its variables are set."""
    bundle, problems = load(settings(ROOT))
    assert not problems
    assert bundle
    assert bundle.manifest.candidates(bundle.manifest.routes[-1]) == ("model-a", "model-b")


def test_every_variable_that_is_missing_is_named() -> None:
    """The default bundle without its variables names each of the nine."""
    _, problems = load(Settings.read(ROOT, {"AI_GATEWAY_API_KEY": "k"}))
    text = "\n".join(map(str, problems))
    assert all(f"the variable {name} is not set" in text for name in VARIABLES if "MODEL" in name)
    assert len(problems) == 9


def test_the_short_form_needs_nothing_but_a_way_in(tmp_path: Path) -> None:
    """Routes with a target and a security entry are a whole bundle."""
    (tmp_path / "routes.yaml").write_text(
        "routes: [{path: /predict, target: 'http://ai-service:8080', methods: [POST]}]\n"
        "security: [{endpoint: /predict, auth: api-key, rateLimit: 100}]\n"
    )
    bundle, problems = load(settings(tmp_path))
    assert not problems
    assert bundle
    route = bundle.manifest.routes[0]
    assert (route.name, route.auth) == ("predict", ("api-key",))
    assert route.rate_limit
    assert (route.rate_limit.limit, route.rate_limit.seconds) == (100, 60)


def test_a_cache_over_several_workers_needs_redis(tmp_path: Path) -> None:
    """In memory each would have its own."""
    (tmp_path / "routes.yaml").write_text(
        "models: {m: {url: 'http://127.0.0.1/v1', model_id: m}}\n"
        "routes: [{path: /a, function: 'functions.inference:handle', auth: none, cache: {}}]"
    )
    _, problems = load(settings(tmp_path), workers=2)
    assert [p.found for p in problems] == ["memory:// with 2 workers and a cache on a"]
    shared = settings(tmp_path, GATEWAY_STATE="rediss://:secret@127.0.0.1:1/0")
    for workers in (1, 2):
        bundle, problems = load(shared, workers=workers)
        assert (bundle is not None, problems) == (True, [])


def test_a_limit_over_several_workers_is_refused(tmp_path: Path) -> None:
    """A limit that each worker would count for itself does not start."""
    (tmp_path / "routes.yaml").write_text(
        "routes: [{path: /ping, function: 'functions.ping:handle', auth: none, rateLimit: 5/s}]\n"
    )
    _, problems = load(settings(tmp_path), workers=2)
    assert [p.found for p in problems] == ["memory:// with 2 workers and a rateLimit on ping"]
    bundle, _ = load(settings(tmp_path, GATEWAY_STATE="redis://127.0.0.1:1/0"), workers=2)
    assert bundle
    limit, budget = "{per: key, requests: 5/s}", "{name: b, per: key, amount: 1, window: day}"
    (tmp_path / "routes.yaml").write_text(
        "models: {m: {url: 'http://m/v1', model_id: m, max_output_tokens: 9, price: "
        "{input: 1, output: 1}}}\n"
        "routes: [{path: /a, function: 'functions.inference:handle', auth: none}]\n"
        f"limits: [{limit}]\nbudgets: [{budget}]\n"
    )
    _, problems = load(settings(tmp_path), workers=2)
    wanted = "memory:// with 2 workers and the key of limits, the b of budgets"
    assert [p.found for p in problems] == [wanted]


def test_a_fingerprint_follows_every_file(tmp_path: Path) -> None:
    """A changed, added or removed file of the bundle changes its fingerprint; others do not."""
    (tmp_path / "policies").mkdir()
    seen = {fingerprint(tmp_path)}
    (tmp_path / "README.md").write_text("not part of it")
    assert fingerprint(tmp_path) in seen
    for content in ("version: 1", "version: 2"):
        (tmp_path / "routes.yaml").write_text(content)
        seen.add(fingerprint(tmp_path))
    (tmp_path / "policies" / "one.yaml").write_text("name: one")
    seen.add(fingerprint(tmp_path))
    (tmp_path / "policies" / "one.yaml").unlink()
    assert len(seen) == 4
    assert fingerprint(tmp_path) in seen
