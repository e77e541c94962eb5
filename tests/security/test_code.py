"""What the code must not do at all, read from its own text: run data, or compare secrets early."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCES = [*ROOT.glob("ai_gateway/**/*.py"), *ROOT.glob("functions/**/*.py"), ROOT / "runner.py"]
#: Names of what is worth guessing.
SECRET = re.compile(
    r"(secret|token|digest|password|signature|api_?key|admin_?key|credential|cookie|csrf|nonce"
    r"|verifier|challenge)s?$",
    re.IGNORECASE,
)
#: Equalities of digests and the like that nobody has to guess, and why.
NO_SECRET = {
    "ai_gateway/control/changes.py": "two versions of the bundle",
    "ai_gateway/control/places.py": "two versions of the bundle",
    "ai_gateway/manifest/checks/routes.py": "whether a route declares any credentials",
}
RUNS = re.compile(
    r"(eval|exec|compile|__import__|Template|from_string|render_template\w*)$"
    r"|(os|posix)\.(system|popen|exec\w*|spawn\w*|fork\w*|posix_spawn\w*)$"
    r"|(subprocess|pickle|marshal|shelve|ctypes|pty|runpy|multiprocessing|jinja2|mako)\."
    r"|create_subprocess_\w+$|yaml\.(load|unsafe_load|full_load)\w*$"
)
#: Modules that start programs or run files, for a person or a platform and not for a request.
PROGRAMS = {
    "ai_gateway/cai.py": "the runner outside CAI's kernel",
    "ai_gateway/demo.py": "the parts of the demo",
    "ai_gateway/hosting/supervisor.py": "the workers of one gateway",
}
COMPARED = [
    "if key == self.admin_key: ...",
    "def f(a, token): return a.token != token",
    "ok = request.cookies['csrf'] == session.csrf_token",
    "ok = sent_digest == known",
]
RUN = [
    *("eval(text)", "exec(code, {})", "compile(text, '', 'exec')", "__import__(name)"),
    *("os.system(line)", "os.popen(line)", "os.execvp(a, b)", "subprocess.run(line)"),
    *(
        "pickle.loads(data)",
        "marshal.loads(data)",
        "jinja2.Environment()",
        "yaml.unsafe_load(text)",
    ),
    *("flask.render_template_string(text)", "string.Template(text)", "yaml.load(text)"),
    *("asyncio.create_subprocess_exec('a')", "ctypes.CDLL(path)", "runpy.run_path(path)"),
]
BANDIT = {
    "S307": "eval(text)",
    "S102": "exec(text)",
    "S301": "import pickle\npickle.loads(data)",
    "S302": "import marshal\nmarshal.loads(data)",
    "S602": "import subprocess\nsubprocess.run(line, shell=True)",
    "S605": "import os\nos.system(line)",
    "S506": "import yaml\nyaml.load(text, Loader=yaml.Loader)",
    "S608": 'query = f"SELECT * FROM keys WHERE text = {text}"',
    "S701": "import jinja2\njinja2.Environment()",
    "S105": 'password = "sk-1234"',
    "S324": "import hashlib\nhashlib.md5(b'')",
    "S501": "import httpx\nhttpx.get('https://x', verify=False)",
    "S113": "import requests\nrequests.get('https://x')",
}


def parsed() -> Iterator[tuple[str, ast.Module]]:
    """Each module that is served, by its path."""
    for path in SOURCES:
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def compared(tree: ast.Module) -> list[str]:
    """Comparisons that end at the first difference, of two values of which one may be a secret."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        and not any(isinstance(side, ast.Constant) for side in (node.left, *node.comparators))
        and any(map(SECRET.search, _names(node)))
    ]


def _names(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id
        elif isinstance(inner, ast.Attribute):
            yield inner.attr


def runs(tree: ast.Module) -> list[str]:
    """Calls that run text as code, take bytes for objects, start programs or fill in templates."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [said for call in calls if RUNS.match(said := _called(ast.unparse(call.func)))]


def _called(function: str) -> str:
    """``re.compile`` and the like make no code; methods of ours may be called ``compile`` too."""
    last = function.rpartition(".")[2]
    known = re.match(
        r"(os|posix|subprocess|pickle|marshal|shelve|ctypes|pty|runpy|yaml|jinja2|mako)\.", function
    )
    if known or last.startswith(
        ("render_template", "create_subprocess", "from_string", "Template")
    ):
        return function if known else last
    return function


def test_secrets_are_compared_in_constant_time() -> None:
    """No `==` meets a secret; what checks one calls `hmac.compare_digest` on digests."""
    found = {path: said for path, tree in parsed() if (said := compared(tree))}
    assert set(found) <= set(NO_SECRET), found
    identity = (ROOT / "ai_gateway/access/identity.py").read_text(encoding="utf-8")
    assert "hmac.compare_digest(sent, self.admin_digest)" in identity


@pytest.mark.parametrize("line", COMPARED)
def test_a_comparison_of_a_secret_would_be_found(line) -> None:
    """The check above sees what it looks for."""
    assert compared(ast.parse(line))


def test_nothing_that_is_served_runs_data() -> None:
    """No eval, exec, pickle, template or program in what answers requests."""
    found = {path: said for path, tree in parsed() if (said := runs(tree))}
    assert set(found) <= set(PROGRAMS), found


@pytest.mark.parametrize("line", RUN)
def test_a_call_that_runs_data_would_be_found(line) -> None:
    """The check above sees what it looks for."""
    assert runs(ast.parse(line))


def test_no_function_reaches_what_starts_programs() -> None:
    """Whatever a function imports, directly or by way of others, starts none."""
    imports = {path: set(_imported(tree)) for path, tree in parsed()}
    reached = {path for path in imports if path.startswith("functions/")}
    waiting = list(reached)
    while waiting:
        for module in imports[waiting.pop()]:
            for path in (
                f"{module.replace('.', '/')}.py",
                f"{module.replace('.', '/')}/__init__.py",
            ):
                if path in imports and path not in reached:
                    reached.add(path)
                    waiting.append(path)
    assert len(reached) > 100
    assert not reached & set(PROGRAMS)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("folder", ["functions", "ai_gateway"])
def test_the_linter_refuses_what_is_dangerous(folder) -> None:
    """`make check` has bandit's rules on where requests are answered."""
    lines = "\n".join(BANDIT.values())
    name = str(ROOT / folder / "new_file.py")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--stdin-filename", name, "-"],
        input=lines,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [rule for rule in BANDIT if rule not in done.stdout] == []


def test_a_package_of_it_holds_no_hook() -> None:
    """What is packaged is `ai_gateway` alone: Python and data, nothing that runs by itself."""
    kinds = {path.suffix for path in (ROOT / "ai_gateway").rglob("*") if path.is_file()}
    assert not kinds & {".pth", ".so", ".dll", ".dylib", ".exe", ".sh", ".pkl", ".pickle"}
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'packages = ["ai_gateway"]' in text
    names = {path.name for path in Path(ROOT / "ai_gateway").rglob("*.py")}
    assert not names & {"sitecustomize.py", "usercustomize.py", "setup.py", "conftest.py"}
