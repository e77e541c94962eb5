"""The runner's commands as a person or a platform starts them: real processes."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ai_gateway.clock import SystemClock
from ai_gateway.records import Records, to_rows
from ai_gateway.simulator import variables
from tests.conftest import KEY, MODELS, ROOT
from tests.processes import coverage, served

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path, simulator) -> dict[str, str]:
    """What a platform sets."""
    return {
        "PATH": os.defpath,
        "AI_GATEWAY_API_KEY": KEY,
        "GATEWAY_DATA": str(tmp_path / "data"),
        **variables(simulator.url),
        **coverage(),
    }


def run(environment, *arguments) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [sys.executable, "runner.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ask(url, inputs, **more) -> httpx.Response:
    """One question."""
    headers = {"X-API-Key": KEY}
    return httpx.post(
        f"{url}/inference", json={"inputs": inputs, **more}, headers=headers, timeout=30
    )


def test_check_finds_nothing_in_the_bundle_that_ships(environment) -> None:
    """A bundle that is right is exit 0 and one line."""
    done = run(environment, "check")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert re.search(r"\d\d routes, 3 models", done.stdout)


def test_check_and_serve_say_what_is_wrong_and_exit(environment) -> None:
    """A bundle that is wrong is exit 1 with every problem; serve starts on none."""
    bundle = str(ROOT / "tests" / "bundles" / "all-at-once")
    for command in ("check", "serve"):
        done = run(environment, command, "--bundle", bundle)
        assert (done.returncode, done.stdout) == (1, "")
        assert "15 problems; nothing was started" in done.stderr


def test_serve_without_a_models_variables_says_which_are_missing(environment) -> None:
    """The stand-in is never reached by forgetting a variable."""
    done = run({name: environment[name] for name in ("PATH", "AI_GATEWAY_API_KEY")}, "serve")
    assert done.returncode == 1
    assert "the variable MODEL_A_URL is not set" in done.stderr


def test_a_job_ticks_once(environment) -> None:
    """A tick prints what it did and exits 0; of an unknown job it is said which there are."""
    keyless = {name: value for name, value in environment.items() if "API_KEY" not in name}
    done = run(keyless, "job", "judge-tick")
    assert done.returncode == 0
    assert json.loads(done.stdout)["judged"] == 0
    done = run(environment, "job", "judge-tock")
    assert done.returncode == 1
    assert "judge-tick, compact" in done.stderr


def test_sigterm_lets_requests_finish_and_flushes_records(environment, simulator) -> None:
    """Who was being answered gets the answer; the record is in Parquet when the process is gone."""
    simulator.faults["model-a"] = "latency=1.0"
    with served(environment) as (url, process), ThreadPoolExecutor(8) as pool:
        replies = [pool.submit(ask, url, "What is GRPO?", model_name="model-a") for _ in range(8)]
        while simulator.counts["model-a"] < 8:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert [reply.result().status_code for reply in replies] == [200] * 8
        assert process.wait(30) == 0
    assert list((ROOT / environment["GATEWAY_DATA"]).glob("requests/date=*/*.parquet"))


def test_sighup_reloads_without_a_failed_request(environment, tmp_path) -> None:
    """Under load a changed bundle takes force on SIGHUP, and no request fails."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "judge_prompts").symlink_to(ROOT / "judge_prompts")
    routes = '  - {path: /ping, methods: [GET], function: "functions.ping:handle", auth: none}\n'
    (bundle / "routes.yaml").write_text(MODELS + routes)
    stop, statuses = threading.Event(), []

    def load(url) -> None:
        with httpx.Client() as client:
            while not stop.is_set():
                statuses.append(client.get(f"{url}/ping").status_code)

    with served(environment, "--bundle", str(bundle)) as (url, process):
        threads = [threading.Thread(target=load, args=(url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        while not statuses:
            time.sleep(0.01)
        (bundle / "routes.yaml").write_text(MODELS + routes + routes.replace("/ping", "/pong"))
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while httpx.get(f"{url}/pong").status_code != 200:
            assert time.monotonic() < deadline
        stop.set()
        for thread in threads:
            thread.join()
    assert set(statuses) == {200}


def test_what_the_server_refuses_goes_by_the_bundle_in_force(environment, tmp_path) -> None:
    """A reload that raises a route's limit raises the server's own, and its refusals know it."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "judge_prompts").symlink_to(ROOT / "judge_prompts")
    routes = '  - {path: /ping, function: "functions.ping:handle", auth: none, max_body: 10}\n'
    (bundle / "routes.yaml").write_text(MODELS + routes)
    with served(environment, "--bundle", str(bundle)) as (url, process):
        assert httpx.post(f"{url}/ping", content=b"x" * 20).status_code == 413
        changed = MODELS + routes.replace("10", "100")
        (bundle / "routes.yaml").write_text(changed)
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while httpx.post(f"{url}/ping", content=b"x" * 20).status_code != 200:
            assert time.monotonic() < deadline
        assert httpx.post(f"{url}/ping", content=b"x" * 200).status_code == 413
    with Records.open(
        environment["GATEWAY_DATA"], tmp_path / "wal", SystemClock(), background=False
    ) as records:
        rows = sorted(to_rows(records.scan("requests")), key=lambda row: row["received_at"])
    assert rows[0]["manifest_hash"] != rows[-1]["manifest_hash"]
    digest = hashlib.sha256(changed.encode()).hexdigest()
    assert rows[-1]["manifest_hash"] == f"sha256:{digest}"


def test_several_workers_share_one_port(environment, tmp_path) -> None:
    """Two processes serve, each with a write-ahead file of its own; no request is lost."""
    with served(environment, "--workers", "2") as (url, _), ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: ask(url, "What is GRPO?"), range(40)))
        assert {reply.status_code for reply in replies} == {200}
    ids = {reply.json()["request_id"] for reply in replies}
    assert len(ids) == 40
    with Records.open(
        environment["GATEWAY_DATA"], tmp_path / "wal", SystemClock(), background=False
    ) as records:
        assert ids == {row["request_id"] for row in to_rows(records.scan("requests"))}


def test_what_the_server_refuses_is_recorded(environment, tmp_path) -> None:
    """A body beyond every route's limit is refused before any function, and has its row."""
    with served(environment) as (url, _):
        reply = httpx.post(
            f"{url}/inference", content=b"x" * 10_000_001, headers={"X-API-Key": KEY}
        )
        assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_large")
    data = environment["GATEWAY_DATA"]
    with Records.open(data, tmp_path / "wal", SystemClock(), background=False) as records:
        (row,) = to_rows(records.scan("requests"))
    assert (row["status"], row["route"]) == (413, "inference")


def test_simulate_says_how_it_is_reached(environment) -> None:
    """The stand-in prints the variables that point at it, and ends on SIGTERM."""
    command = [sys.executable, "runner.py", "simulate", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        lines = [process.stdout.readline() for _ in range(9)]
        said = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        token = {"Authorization": f"Bearer {said['MODEL_A_TOKEN']}"}
        assert httpx.get(f"{said['MODEL_A_URL']}/models", headers=token).status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("job", "judge-tick", "--simulate"),
        ("check", "--simulate"),
        ("demo", "--bundle", "."),
        ("simulate", "--bundle", "."),
    ],
)
def test_no_option_is_accepted_and_ignored(environment, arguments) -> None:
    """Only `serve` and `demo` reach the stand-in, and only what reads a bundle takes one."""
    done = run(environment, *arguments)
    assert done.returncode == 2
    assert "unrecognized arguments" in done.stderr


def test_answers_of_the_stand_in_are_marked(environment) -> None:
    """`serve --simulate` says with every answer that it is made up."""
    own = {name: environment[name] for name in ("PATH", "AI_GATEWAY_API_KEY", "GATEWAY_DATA")}
    with served(own, "--simulate") as (url, _):
        assert ask(url, "What is GRPO?").headers["x-gateway-simulated"] == "true"


def test_the_demo_tells_the_whole_story(environment) -> None:
    """One command shows routed models, the refusal, the judge's scores and moved weights."""
    done = run({"PATH": os.defpath}, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("policy; propensity=0.5\n") == 5
    assert done.stdout.count("refused") == 3
    assert "propensity=0.95" in done.stdout
    scores = re.findall(r"model-a (\S+) .*model-b (\S+) ", done.stdout)
    assert len(scores) == 3
    assert float(scores[-1][0]) > float(scores[-1][1])


def test_a_caller_who_leaves_ends_the_upstreams_call(environment, simulator, tmp_path) -> None:
    """Streamed or silent, a caller's leaving is noticed, closes the upstream and is recorded."""
    headers = {"X-API-Key": KEY}
    body = {"model": "model-a", "messages": [{"role": "user", "content": "What is GRPO?"}]}
    simulator.faults["model-a"] = "slow-first-byte=20"
    with served(environment) as (url, _), httpx.Client(headers=headers) as client:
        for stream in (True, False):
            with pytest.raises(httpx.ReadTimeout):
                client.post(
                    f"{url}/v1/chat/completions", json={**body, "stream": stream}, timeout=1
                )
        deadline = time.monotonic() + 5
        while len(rows(environment, tmp_path)) < 2:
            assert time.monotonic() < deadline + 10
            time.sleep(0.5)
    assert [row["status"] for row in rows(environment, tmp_path)] == [499, 499]


def rows(environment, tmp_path) -> list[dict]:
    """What is recorded so far."""
    data = environment["GATEWAY_DATA"]
    with Records.open(data, tmp_path / "wal", SystemClock(), background=False) as records:
        found: list[dict] = to_rows(records.scan("requests"))
    return found


def test_a_stream_arrives_as_it_is_made(environment, simulator) -> None:
    """Over a real connection the first chunk is there long before the last."""
    simulator.faults["model-a"] = "chunk-delay=0.05"
    body = {
        "model": "model-a",
        "stream": True,
        "max_tokens": 20,
        "messages": [{"role": "user", "content": "What is GRPO?"}],
    }
    with (
        served(environment) as (url, _),
        httpx.stream(
            "POST",
            f"{url}/v1/chat/completions",
            json=body,
            headers={"X-API-Key": KEY},
            timeout=30,
        ) as reply,
    ):
        times = [time.monotonic() for line in reply.iter_lines() if line]
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert times[-1] - times[0] > 0.05
