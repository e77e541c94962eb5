"""One model at several endpoints: calls are shared out, and one that fails gets fewer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ai_gateway.answer.places import where
from ai_gateway.simulator import Simulator, variables

ROUTE = """
  - path: /inference
    function: functions.inference:handle
    auth: api-key
    guardrails: []
"""


@pytest.fixture
def other():
    """A second Inference Service, where model-a is deployed as well."""
    with Simulator().start() as running:
        yield running


def models(other, more="") -> str:
    """model-a at both places."""
    return f"    endpoints: [{{url: '{variables(other.url)['MODEL_A_URL']}'}}]\n{more}"


def ask(gateway, times=1):
    """Questions to model-a, one after the other."""
    return [gateway.ask("What is GRPO?", model_name="model-a").status_code for _ in range(times)]


def hosts(gateway) -> list[list[str]]:
    """The endpoints that were asked for each request."""
    return [[each["endpoint"] for each in row["attempts"]] for row in gateway.rows()]


def test_calls_are_shared_out_and_the_row_says_where(start, simulator, other) -> None:
    """Each endpoint gets some; both stand in the records by host and path."""
    gateway = start(ROUTE, models=models(other))
    simulator.faults["model-a"] = "latency=0.1; times=1"  # so that the other one is the faster
    assert ask(gateway, 4) == [200] * 4
    assert (simulator.counts["model-a"], other.counts["model-a"]) == (1, 3)
    one, two = (where(variables(each.url)["MODEL_A_URL"]) for each in (simulator, other))
    assert hosts(gateway) == [[one], [two], [two], [two]]
    assert {row["served"] for row in gateway.rows()} == {"model-a"}


def test_a_retry_goes_to_the_other_endpoint(start, simulator, other) -> None:
    """One endpoint that fails is no reason for a failure."""
    gateway = start(ROUTE + "    retries: {backoff: 10ms}\n", models=models(other))
    simulator.faults["model-a"] = "status=500"
    assert ask(gateway, 6) == [200] * 6
    assert simulator.counts["model-a"] <= 2
    registry = gateway.service.metrics.registry
    retries = registry.get_sample_value("ai_gateway_retries_total", {"model": "model-a"})
    assert retries == simulator.counts["model-a"]


def test_a_breaker_is_the_endpoints_own(start, simulator, other) -> None:
    """The endpoint that fails is left alone while the other one answers."""
    breaker = "    breaker: {failures: 2, share: 0, cooldown: 1m}\n"
    gateway = start(
        ROUTE + "    retries: {backoff: 1ms, attempts: 4}\n", models=models(other, breaker)
    )
    simulator.faults["model-a"] = "status=500"
    other.faults["model-a"] = "latency=0.05"
    assert ask(gateway, 12) == [200] * 12
    assert simulator.counts["model-a"] <= 2
    other.faults["model-a"] = "status=500"
    assert ask(gateway, 4)[-1] == 503
    text = gateway.service.metrics.expose().decode()
    assert text.count("ai_gateway_circuit{") == 2
    flying = "ai_gateway_endpoint_in_flight"
    assert [line[-3:] for line in text.splitlines() if line.startswith(flying)] == ["0.0"] * 2


def test_by_latency_the_slower_endpoint_gets_less(start, simulator, other) -> None:
    """However idle it is; what is in flight at the faster one weighs too."""
    gateway = start(ROUTE, models=models(other, "    balance: latency\n"))
    simulator.faults["model-a"] = "latency=0.3"
    ask(gateway, 2)
    with ThreadPoolExecutor(4) as pool:
        client = gateway.client.application.test_client
        body = {"inputs": "What is GRPO?", "model_name": "model-a"}
        replies = pool.map(
            lambda _: client().post("/inference", json=body, headers=gateway.headers), range(20)
        )
        assert {reply.status_code for reply in replies} == {200}
    assert other.counts["model-a"] > 2 * simulator.counts["model-a"]


def test_a_stream_is_in_flight_to_its_end(start, simulator, other) -> None:
    """Its latency is that of its first event; busy it is as long as it runs."""
    routes = ROUTE.replace("/inference", "/v1/chat/completions")
    routes = routes.replace("functions.inference", "functions.v1.chat_completions")
    gateway = start(routes, models=models(other))
    body = {"model": "model-a", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    replies = [
        gateway.client.post("/v1/chat/completions", json=body, headers=gateway.headers)
        for _ in range(4)
    ]
    balancer = gateway.service.tries.turns.balancer
    assert sorted(balancer.flying().values()) == [2, 2]
    for reply in replies:
        reply.close()
    assert sorted(balancer.flying().values()) == [0, 0]


def test_an_endpoint_has_its_own_name_and_token(start, simulator, other) -> None:
    """What differs there is said there; the rest is the model's."""
    own = variables(other.url)
    endpoint = f"{{url: '{own['MODEL_A_URL']}', credentials: {{token: other-token}}}}"
    gateway = start(ROUTE, models=f"    endpoints: [{endpoint}]\n")
    ask(gateway, 2)
    (seen,) = [each for each in other.requests if each.body]
    assert seen.headers["authorization"] == "Bearer other-token"
    assert seen.body["model"] == own["MODEL_A_ID"]


def test_what_a_reload_left_out_is_forgotten(start, other) -> None:
    """Endpoints, gates and circuits of models that are gone leave the metrics too."""
    more = "    breaker: {failures: 2}\n    concurrency: {limit: 2}\n"
    gateway = start(ROUTE, models=models(other, more))
    ask(gateway, 2)
    assert "model-a" in gateway.service.metrics.expose().decode()
    bundle = gateway.snapshot.bundle
    left = {name: each for name, each in bundle.manifest.models.items() if name != "model-a"}
    manifest = bundle.manifest.model_copy(update={"models": left})
    gateway.service.forget(type(bundle)(**{**vars_of(bundle), "manifest": manifest}))
    text = gateway.service.metrics.expose().decode()
    assert "ai_gateway_circuit{" not in text
    assert "ai_gateway_model_in_flight{" not in text
    assert "ai_gateway_endpoint_in_flight{" not in text


def vars_of(bundle) -> dict:
    """The fields of a frozen bundle."""
    return {name: getattr(bundle, name) for name in bundle.__slots__}
