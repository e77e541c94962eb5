"""Text stays text: nothing of a request or a bundle is run, nor anything that was not pinned."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from ai_gateway import jobs
from ai_gateway.manifest.model import Job
from tests.conftest import ROOT
from tests.manifest.test_load import settings
from tests.security.conftest import told
from tests.security.test_every_route import path_of

TEMPLATES = (
    *("{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{% for x in (1,) %}49{% endfor %}", "{7*7}"),
    *("{{ ''.__class__.__mro__[1].__subclasses__() }}", "{0.__class__}", "%(seven)s", "{{nonce}}"),
    *("{{config.items()}}", "$(echo 49)", "`echo 49`", "{{question}}", "{answer}", "@(7*7)"),
)
CODE = "__import__('os').system('touch PWNED')"
#: What the interpreter tells of (PEP 578) when another program is started.
PROGRAMS = frozenset({
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"),
    *("os.forkpty", "pty.spawn", "os.startfile", "ctypes.dlopen"),
})  # fmt: skip
_watching: list[str] | None = None


def _hook(event: str, _arguments: object) -> None:
    if _watching is not None and event in PROGRAMS:
        _watching.append(event)


sys.addaudithook(_hook)  # for the life of the process; deaf but for one test


@contextmanager
def started() -> Iterator[list[str]]:
    """The programs that any thread starts in the block."""
    global _watching  # noqa: PLW0603 - a hook cannot be taken away
    _watching = found = []
    try:
        yield found
    finally:
        _watching = None


def test_05_a_template_in_a_text_stays_as_it_is(start) -> None:
    """To a model, to the judge, in a record and in a refusal every brace is a brace."""
    gateway = start(
        '  - {path: /inference, function: "functions.inference:handle", auth: api-key}\n'
    )
    tick = Job(name="judge-tick", function="functions.judge_tick:handle", every="1m")
    for text in TEMPLATES:
        gateway.simulator.faults["model-a"] = f"say={text}"
        assert gateway.ask(text, model_name="model-a").json["output"] == text
        sent = gateway.simulator.requests[-1]
        assert sent.body["messages"][-1]["content"] == text
        unknown = gateway.ask("Hi", model_name=text)
        assert unknown.status_code == 404
        assert "49" not in unknown.text.replace("49{%", "").replace("echo 49", "")
    rows = [row for row in gateway.rows() if row["status"] == 200]
    assert [row["output"] for row in rows] == list(TEMPLATES)
    assert jobs.tick(gateway.service, gateway.snapshot, tick)[1].body["judged"] == len(TEMPLATES)
    prompts = [
        seen.body["messages"][0]["content"]
        for seen in gateway.simulator.requests
        if "/judge/" in seen.path
    ]
    for text in TEMPLATES:
        fenced = re.compile(rf">>>\n{re.escape(text)}\n<<<end [0-9a-f]+>>>")
        assert any(len(fenced.findall(prompt)) == 2 for prompt in prompts), text


def test_06_no_text_is_run_as_code(everything, tmp_path) -> None:
    """Neither a policy, a function's name nor a tag of YAML makes the gateway run what it says."""
    gateway = everything()
    mark = tmp_path / "PWNED"
    code = CODE.replace("PWNED", str(mark))
    headers = {**gateway.headers, "If-Match": "*"}
    checks = (
        f'!!python/object/apply:os.system ["touch {mark}"]',
        f"{{name: a, type: python, action: block, code: {json.dumps(code)}}}",
        f"{{name: a, type: {json.dumps(code)}, action: block}}",
        '{name: a, type: "os:system", action: block}',
        "{name: a, type: regex, action: block, patterns: ['(?{1})']}",
    )
    policies = [f"version: 1\nname: new\nchecks:\n  - {check}\n" for check in checks]
    policies.append(
        f'version: 1\nname: !!python/object/new:os.system ["touch {mark}"]\nchecks: []\n'
    )
    for text in policies:
        reply = gateway.client.put("/api/v1/policies/new", json={"yaml": text}, headers=headers)
        assert reply.status_code == 400, text
    for function in (
        "os:system",
        "functions.ping:__import__",
        "builtins:exec",
        "functions.os:system",
    ):
        body = {"path": "/x", "function": function}
        reply = gateway.client.post("/api/v1/routes", json=body, headers=headers)
        assert reply.status_code == 400, function
        (tmp_path / "routes.yaml").write_text(
            f'version: 1\nroutes:\n  - {{path: /x, auth: none, function: "{function}"}}\n'
        )
        assert "routes.0.function" in told(settings(tmp_path)), function
    for name in ("../../x", "..%2f..%2fx", "/etc/x", "new.yaml/../../x", "%00", "a/b"):
        body = {"yaml": "version: 1\nname: x\nchecks: []\n"}
        reply = gateway.client.put(f"/api/v1/policies/{name}", json=body, headers=headers)
        assert 400 <= reply.status_code < 500, name
    assert not mark.exists()
    folder = gateway.service.settings.bundle
    assert [path.name for path in (folder / "policies").iterdir()] == ["words.yaml"]


def test_08_no_route_starts_a_program(everything) -> None:
    """Whatever is asked of whichever route, by the administrator too, no program is started."""
    gateway = everything()
    bodies = (
        {"command": "touch", "args": ["/tmp/PWNED"], "env": {}, "transport": "stdio"},
        {"mcpServers": {"x": {"command": "sh", "args": ["-c", "touch /tmp/PWNED"]}}},
        {"inputs": "$(touch /tmp/PWNED)", "name": "; touch /tmp/PWNED", "level": "info"},
        {"model": "model-a", "messages": [{"role": "user", "content": "`touch /tmp/PWNED`"}]},
        {"path": "/x", "target": "http://127.0.0.1", "yaml": "!!python/object/apply:os.system [a]"},
    )
    with started() as programs:
        for route in gateway.snapshot.bundle.manifest.routes:
            for method in route.methods:
                for body in bodies:
                    gateway.client.open(
                        f"{path_of(route)}?a=$(touch /tmp/PWNED)",
                        method=method,
                        json=body,
                        headers={**gateway.headers, "User-Agent": "() { :;}; touch /tmp/PWNED"},
                    )
        gateway.rows()
        for tool in ("/mcp", "/mcp-rest/test/tools/list", "/mcp-rest/test/connection", "/sse"):
            assert (
                gateway.client.post(tool, json=bodies[0], headers=gateway.headers).status_code
                == 404
            )
    assert programs == []


def test_20_only_what_is_pinned_is_installed_and_nothing_runs_by_itself() -> None:
    """Every lock has a hash for every release, pip must check them, and no `.pth` is brought."""
    for lock in ROOT.glob("requirements*.txt"):
        text = lock.read_text().replace("\\\n", " ")
        for line in filter(None, text.splitlines()):
            assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[^\s;]+", line), line[:80]
            assert "--hash=sha256:" in line, line[:80]
    scripts = [ROOT / "Makefile", ROOT / ".ci" / "run", *ROOT.glob("deploy/**/*ockerfile*")]
    for script in (script for script in scripts if script.exists()):
        for line in script.read_text().replace("\\\n", " ").splitlines():
            if "pip install" in line and not line.lstrip().startswith("#"):
                assert "--require-hashes" in line or "--no-deps" in line, f"{script}: {line}"
    pinned = re.findall(r"^([\w.-]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    brought = []
    for name in pinned:
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:  # for another platform or version of Python
            continue
        brought += [str(file) for file in files if str(file).endswith((".pth", "sitecustomize.py"))]
    assert brought == []
    tracked = [*ROOT.glob("ai_gateway/**/*"), *ROOT.glob("functions/**/*"), *ROOT.glob("*")]
    assert not [path for path in tracked if path.suffix == ".pth"]
    assert not list((ROOT / ".github").glob("workflows/*"))
