"""A log line is one entry, says which request it is of, and holds no secret."""

import json
import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_gateway.contract import Caller, Event
from ai_gateway.manifest.model import Route
from ai_gateway.settings import Settings
from ai_gateway.telemetry import access, logs
from ai_gateway.telemetry.current import CURRENT, Request
from ai_gateway.telemetry.logs import JsonLines, TextLines, configure, escaped, secrets

log = logging.getLogger("ai_gateway.test")
FORGED = "all well\n2026-01-01 CRITICAL ai_gateway.access forged \x1b[31m\u2028\x85\r\x00"


def record(message, error=None) -> logging.LogRecord:
    """A record as a logger would make it."""
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("ai_gateway.x", logging.ERROR, "x.py", 1, message, None, info)


def raised(error: Exception) -> Exception:
    """``error`` with a traceback."""
    with pytest.raises(type(error)):
        _raise(error)
    return error


def _raise(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


def test_json_is_one_object_a_line(told) -> None:
    """Time in UTC, level, logger and message, whatever they are."""
    log.warning("%d of %s", 3, "four")
    (line,) = told()
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "WARNING", "logger": "ai_gateway.test", "message": "3 of four"}


@example("\ud800")
@given(st.text(alphabet=st.characters(codec=None, exclude_categories=())))
def test_no_text_forges_a_line(text) -> None:
    """Whatever a message and an exception say, JSON stays one line, and can be read back."""
    line = JsonLines({}).format(record(text, ValueError(text)))
    assert line.isprintable()
    found = json.loads(line)
    assert found["level"] == "ERROR"
    if text.isascii():
        assert found["message"] == text
    lines = TextLines({}).format(record(text, ValueError(text))).split("\n")
    assert all(each.isprintable() for each in lines)
    assert all(each.startswith("  | ") for each in lines[1:])


def test_text_escapes_what_a_terminal_would_obey(lines) -> None:
    """A line's end, a colour, a separator of Unicode: shown, not done."""
    lines(GATEWAY_LOG_FORMAT="text")
    log.error("%s", FORGED)
    (line,) = lines()
    assert line.endswith("forged \\u001b[31m\\u2028\\u0085\\r\\u0000")
    assert escaped("plain") == "plain"
    assert json.loads(f'"{escaped(chr(0xE0001))}"') == chr(0xE0001)


def test_no_name_forges_a_field(lines) -> None:
    """A caller's id that a token's issuer made up stays one field of its line."""
    lines(GATEWAY_LOG_FORMAT="text")
    caller = Caller(id="x status=200\n", scheme="jwt")
    access.tell(request_id="1", route="r", method="GET", status=401, seconds=0, caller=caller)
    (line,) = lines()
    assert line.endswith('status=401 ms=0 tenant=default key_id="x status=200\\n"')


def test_the_request_that_a_thread_serves_is_told(told) -> None:
    """A module that logs knows nothing of the request; its line does."""
    event = Event("a" * 32, Route(path="/x", name="x"), "GET", "/x", 0.0)
    token = CURRENT.set(Request(event))
    log.info("of a request")
    CURRENT.reset(token)
    log.info("of none")
    first, second = told()
    assert (first["request_id"], first["route"]) == ("a" * 32, "x")
    assert "request_id" not in second


def test_an_exception_is_one_field_with_its_causes(told) -> None:
    """Where it came from, what it says, and what caused it, in the order in which it happened."""
    try:
        _raise(ValueError("second"), raised(KeyError("first")))
    except ValueError:
        log.exception("failed")
    (line,) = told()
    text = line["exception"]
    assert text.index("KeyError: 'first'") < text.index("ValueError: second")
    assert "test_logs.py" in text


def test_an_exception_in_text_stands_behind_bars(lines) -> None:
    """Its lines can be read, and none of them begins like an entry."""
    lines(GATEWAY_LOG_FORMAT="text")
    log.error("failed", exc_info=raised(ValueError("a\nb")))
    first, *rest = lines()
    assert " ERROR ai_gateway.test failed" in first
    assert rest[-2:] == ["  | ValueError: a", "  | b"]


@pytest.mark.parametrize(("privacy", "said"), [("full", True), ("redacted", False)])
def test_what_an_exception_says_is_content(told, privacy, said) -> None:
    """It may be of the request's text, so it is told only where that may be kept."""
    route = Route(path="/x", name="x", privacy=privacy)
    token = CURRENT.set(Request(Event("a" * 32, route, "GET", "/x", 0.0)))
    log.error("failed", exc_info=raised(KeyError("my IBAN")))
    CURRENT.reset(token)
    (line,) = told()
    assert ("my IBAN" in line["exception"]) is said
    assert "KeyError" in line["exception"]


def test_an_exception_without_words_or_end_is_still_told() -> None:
    """One that cannot be turned to text, and one that is its own cause."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    error = raised(Mute())
    error.__cause__ = error
    found = json.loads(JsonLines({}).format(record("x", error)))
    assert found["exception"].count("Mute: ?") == 5
    assert "exception" not in json.loads(JsonLines({}).format(record("x")))


def test_no_line_holds_a_secret(lines) -> None:
    """Keys, tokens, passwords in addresses: their variable's name stands in their place."""
    variables = {
        "MODEL_A_TOKEN": "canary-token-1",
        "GATEWAY_STATE": "redis://u:canary-password@host",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=canary-2",
        "SHORT_KEY": "of",
        "BROKEN": "http://[",
        "PLAIN": "http://host",
    }
    lines(GATEWAY_LOG_FORMAT="json", **variables)
    log.error(
        "%s of %s", list(variables.values()), "x", exc_info=raised(ValueError("canary-token-1"))
    )
    (line,) = lines()
    assert "canary" not in line
    assert "${MODEL_A_TOKEN}" in line
    assert "${GATEWAY_STATE: password}" in line
    assert secrets({"A_KEY": " spaced-value "}) == {"spaced-value": "${A_KEY}"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GATEWAY_LOG_FORMAT": "xml"}, "GATEWAY_LOG_FORMAT: 'xml' was found; json or text"),
        ({"GATEWAY_LOG_LEVEL": "loud"}, "GATEWAY_LOG_LEVEL: 'loud' was found; one of debug, info"),
    ],
)
def test_nonsense_is_told(variables, said) -> None:
    """What was found, and what would be right."""
    assert said in (configure(Settings.read(None, variables)) or "")


def test_the_format_fits_where_it_is_read(lines, tmp_path, monkeypatch) -> None:
    """JSON where standard output is no terminal; text where it is one."""
    lines(GATEWAY_LOG_LEVEL="Warning")  # pytest's output is none
    log.info("not this")
    log.warning("x")
    (line,) = lines()
    assert json.loads(line)["message"] == "x"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    lines(GATEWAY_LOG_LEVEL="warning")
    log.warning("x")
    (line,) = lines()
    assert line.endswith(" WARNING ai_gateway.test x")


def test_an_exporter_that_fails_tells_so_once_a_minute(told) -> None:
    """It would tell of each batch that it loses."""
    exporter = logging.getLogger("opentelemetry.exporter")
    for _ in range(3):
        exporter.warning("away")
    log.warning("ours")
    assert [line["message"] for line in told()] == ["away", "ours"]
    assert logs.FORMATS == ("json", "text")
