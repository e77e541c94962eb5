"""The dashboard and the alert rules speak of what a gateway exposes, and of nothing else."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import DEPLOY, KUBERNETES, ROOT

FOLDER = DEPLOY / "observability"
BOARD: dict[str, Any] = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))
GROUPS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
VARIABLES = {each["name"]: each for each in BOARD["templating"]["list"]}
PROMTOOL = shutil.which("promtool")

#: What PromQL itself has of words, as far as they are used here.
FUNCTIONS = frozenset(
    (
        *("absent", "and", "bool", "by", "count", "histogram_quantile", "increase"),
        *("max", "min", "on", "rate", "sum", "time"),
    )
)
#: What Prometheus adds to every series.
ADDED = frozenset({"job", "instance"})
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_LABELS = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")


def expressions() -> dict[str, str]:
    """Every expression of both files, by where it stands."""
    of_panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in PANELS
        for target in panel["targets"]
    }
    return {**of_panels, **{rule["alert"]: rule["expr"] for rule in RULES}}


EXPRESSIONS = expressions()


def parsed(expression: str) -> tuple[dict[str, list[tuple[str, str, str]]], set[str]]:
    """The metrics of an expression with their matchers, and the labels that it groups by."""
    grouped = {
        label.strip() for labels in _LABELS.findall(expression) for label in labels.split(",")
    }
    rest = re.sub(r"\[[^\]]*\]", "", _LABELS.sub("", expression))
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name, matchers in _SELECTOR.findall(rest):
        if name not in FUNCTIONS:
            found.setdefault(name, []).extend(_MATCHER.findall(matchers))
    return found, grouped


def test_an_expression_is_taken_apart() -> None:
    """Metrics, matchers and groups, so that what is wrong in one of them is seen."""
    metrics, grouped = parsed('sum by (a, le) (rate(m_bucket{b=~"x|y", c!="1"}[5m])) / up > bool 2')
    assert metrics == {"m_bucket": [("b", "=~", "x|y"), ("c", "!=", "1")], "up": []}
    assert grouped == {"a", "le"}


@pytest.fixture
def exposed(start) -> dict[str, frozenset[str]]:
    """Every series' name that a gateway exposes, with its labels."""
    gateway = start()
    text = gateway.client.get("/metrics", headers=gateway.headers).text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    found = {"up": frozenset()}
    for labels, name in _declared(gateway.service.metrics.registry):
        if kinds.get(f"{name}_total") == "counter":
            found[f"{name}_total"] = labels
        elif kinds.get(name) == "histogram":
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels}
        elif kinds.get(name) == "gauge":
            found[name] = labels
    return found


def _declared(registry):
    """The labels and names of all that was registered, with samples or without."""
    for collector in list(registry._collector_to_names):
        if hasattr(collector, "_labelnames"):
            yield frozenset(collector._labelnames), collector._name
        else:
            for family in collector.collect():
                yield frozenset(family._labelnames), family.name


def test_every_expression_names_what_is_exposed(exposed) -> None:
    """Each metric and each label is one of the gateway's, or of Prometheus itself."""
    for where, expression in EXPRESSIONS.items():
        metrics, grouped = parsed(expression)
        assert metrics, where
        assert metrics.keys() <= exposed.keys(), where
        for name, matchers in metrics.items():
            assert {label for label, _, _ in matchers} <= exposed[name] | ADDED, where
        known = frozenset[str]().union(*(exposed[name] for name in metrics))
        assert grouped <= known | ADDED, where


def test_every_metric_of_the_gateway_has_its_place(exposed) -> None:
    """What is exposed is explained on the page."""
    page = (ROOT / "docs" / "observability.md").read_text("utf-8")
    names = {re.sub("_(bucket|sum)$", "", name) for name in exposed} - {"up"}
    assert len(names) > 25
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


CHAT = """
  - path: /v1/chat/completions
    function: functions.v1.chat_completions:handle
    auth: api-key
    cache: {ttl: 1h}
  - {path: /metrics, methods: [GET], function: "functions.metrics:handle", auth: api-key}
"""


def test_matchers_ask_for_values_that_occur(start) -> None:
    """A misspelt outcome would never match, and nobody would see."""
    gateway = start(CHAT)
    body = {"model": "model-a", "temperature": 0, "messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(2):
        gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
    gateway.client.get("/metrics", headers=gateway.headers)
    text = gateway.client.get("/metrics", headers=gateway.headers).text
    for where, expression in EXPRESSIONS.items():
        for name, matchers in parsed(expression)[0].items():
            for label, operator, value in matchers:
                if label not in ADDED | {"status"} and not value.startswith("$"):
                    assert operator in ("=", "=~", "!="), where
                    for option in value.split("|"):
                        there = rf'^{name}\{{.*{label}="{re.escape(option)}"'
                        assert re.search(there, text, re.MULTILINE), (where, option)


def test_the_dashboard_can_be_imported() -> None:
    """As Grafana exports one: no id, its data source a variable, panels that do not overlap."""
    assert BOARD["id"] is None
    assert BOARD["schemaVersion"] >= 39
    assert BOARD["uid"] == "ai-gateway"
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {
            (column, line)
            for column in range(at["x"], at["x"] + at["w"])
            for line in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps([panel["targets"] for panel in PANELS])))
    assert used == set(VARIABLES)
    assert {panel["type"] for panel in PANELS} == {"timeseries", "stat", "bargauge"}


@pytest.mark.parametrize(
    "metric",
    [
        "requests_total",
        "request_seconds_bucket",
        "time_to_first_token_seconds_bucket",
        "model_tokens_total",
        "model_cost_total",
        "cache_total",
        "guardrail_verdicts_total",
        "guardrail_leaked_characters_total",
        "circuit",
        "model_queued",
        "judge_score",
        "records_lag_seconds",
        "limit_refusals_total",
    ],
)
def test_what_an_operator_looks_for_is_on_the_dashboard(metric) -> None:
    """Requests, latency, tokens, cost, cache, guardrails, models, judge, records, limits."""
    text = " ".join(target["expr"] for panel in PANELS for target in panel["targets"])
    assert re.search(rf"\bai_gateway_{metric}\b", text)


def test_every_alert_says_what_it_means() -> None:
    """Its name, how bad it is, one sentence of what is, and one of what to do."""
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule["alert"].startswith("AIGateway")
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert told <= parsed(rule["expr"])[1] | ADDED, rule["alert"]
    tests = (FOLDER / "alerts-test.yaml").read_text("utf-8")
    assert [name for name in names if tests.count(name) < 2] == []


def test_the_gateway_is_scraped_with_a_key() -> None:
    """By the name that the rules want, at the service's own port, never without credentials."""
    monitor = yaml.safe_load((FOLDER / "servicemonitor.example.yaml").read_text("utf-8"))
    service = yaml.safe_load((KUBERNETES / "service.yaml").read_text("utf-8"))
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["authorization"]["credentials"]
    (scrape,) = yaml.safe_load((FOLDER / "prometheus.example.yaml").read_text("utf-8"))[
        "scrape_configs"
    ]
    assert scrape["job_name"] == service["metadata"]["name"] == "ai-gateway"
    assert scrape["authorization"]["credentials_file"]
    assert scrape["metrics_path"] == endpoint["path"] == "/metrics"


def promtool(*arguments: str) -> str:
    """What promtool says; it must be content."""
    done = subprocess.run(
        [str(PROMTOOL), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


@needs_promtool
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    """Prometheus would load them."""
    assert f"{len(RULES)} rules found" in promtool("check", "rules", "alerts.yaml")
    promtool("check", "config", "--syntax-only", "prometheus.example.yaml")


@needs_promtool
def test_promtool_sees_each_alert_raised_and_not_raised() -> None:
    """By made-up series: a gateway that is well, one that is idle, one where all goes wrong."""
    assert "SUCCESS" in promtool("test", "rules", "alerts-test.yaml")


@needs_promtool
def test_promtool_understands_the_dashboard(tmp_path) -> None:
    """Each query, with Grafana's variables filled in."""
    rules = [
        {
            "record": f"panel:{number}",
            "expr": target["expr"]
            .replace("$__rate_interval", "5m")
            .replace("$job", ".*")
            .replace("$route", ".*")
            .replace("$model", ".*"),
        }
        for number, target in enumerate(target for panel in PANELS for target in panel["targets"])
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(path))
