"""From the text in routes.yaml to the function itself."""

import sys

import pytest

from ai_gateway.manifest.functions import UnknownFunction, resolve
from functions import ping


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """Writes a module of ``functions`` in a further folder, as a bundle of its own has one."""

    def write(text):
        (tmp_path / "functions").mkdir()
        (tmp_path / "functions" / "broken.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "functions.broken", raising=False)

    return write


def test_a_function_is_found_by_its_module_and_name() -> None:
    """``functions.ping:handle`` is that function."""
    assert resolve("functions.ping:handle") is ping.handle


@pytest.mark.parametrize(
    ("spec", "found", "wanted"),
    [
        ("os:system", "os:system", "functions.MODULE:NAME"),
        ("functions.ping:handles", "functions.ping:handles", "handle"),
        ("functions.pong:handle", "functions.pong", "functions.ping"),
        ("functions.v1.chat:handle", "functions.v1.chat", "functions.v1.chat_completions"),
        ("functions.v0.chat:handle", "functions.v0.chat", "functions.ping"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(spec, found, wanted) -> None:
    """A wrong name is answered by the names beside it."""
    with pytest.raises(UnknownFunction) as raised:
        resolve(spec)
    assert raised.value.found.startswith(found)
    assert wanted in raised.value.wanted


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import no_such_library", "which needs the module no_such_library"),
        ("1 / 0", "which fails to import with ZeroDivisionError"),
        ("raise SystemExit", "which fails to import with SystemExit"),
    ],
)
def test_a_module_that_does_not_import_is_one_problem(broken, text, found) -> None:
    """Whatever a module does when it is imported, the other problems are still told."""
    broken(text)
    with pytest.raises(UnknownFunction) as raised:
        resolve("functions.broken:handle")
    assert found in raised.value.found
