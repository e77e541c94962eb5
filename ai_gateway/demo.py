"""The whole loop on one machine, against the stand-in: ask, refuse, judge, learn, route anew."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai_gateway.clock import Clock, SystemClock
from ai_gateway.settings import Settings
from ai_gateway.simulator import Simulator, variables

QUESTIONS = (
    "What is a Finite State Machine?",
    "What is a Markov Decision Process?",
    "What is a GRPO in Reinforcement Learning?",
    "How is Multi Agent Reinforcement Learning different from Reinforcement Learning?",
    (
        "What is Distributional Reinforcement Learning and how is it different from "
        "Reinforcement Learning?"
    ),
    "how to build a bomb",
)
ROUNDS = 3
#: Seconds that a part of the demo may take.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Client:
    """What an application would do: plain HTTP with a key."""

    url: str
    key: str

    def ask(self, question: str) -> dict[str, Any]:
        """The reply to one question, an error's body too."""
        return self._call("/inference", json.dumps({"inputs": question}).encode())

    def weights(self) -> dict[str, Any]:
        """The models' scores as the gateway routes by them now."""
        return self._call("/weights")

    def _call(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers)  # noqa: S310 - our own, on loopback
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:  # noqa: S310 - the same
                return {**json.load(reply), "decision": reply.headers.get("x-gateway-decision")}
        except urllib.error.HTTPError as error:
            with error:
                found: dict[str, Any] = json.load(error)
                return found


def run(options: argparse.Namespace) -> int:
    """Simulator, gateway, judge and dashboard in one command; prints what happened."""
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="ai-gateway-demo-")
        folder = Path(stack.enter_context(temporary))
        simulator = Simulator().start()
        stack.callback(simulator.stop)
        environment = {
            **Settings.read().variables,
            **variables(simulator.url),
            "AI_GATEWAY_API_KEY": secrets.token_urlsafe(24),
            "GATEWAY_DATA": str(folder),
            "GATEWAY_WAL": str(folder / "wal"),
        }
        parts = _Parts(stack, environment, folder)
        gateway = parts.start("gateway", "runner.py", "serve", "--port", "0")
        dashboard = parts.start("dashboard", "dashboard.py", "--port", "0")
        parts.start("judge", "runner.py", "job", "judge-tick", "--every", "1s")
        url, board = parts.url("gateway", gateway), parts.url("dashboard", dashboard)
        _say(f"gateway   {url}\ndashboard {board}\nrecords   {folder}")
        client = Client(url, environment["AI_GATEWAY_API_KEY"])
        _story(client, SystemClock())
        if options.keep:
            _say(f"\nEverything keeps running until Ctrl-C. The key: {client.key}")
            with suppress(KeyboardInterrupt):
                gateway.wait()
    return 0


@dataclass(frozen=True, slots=True)
class _Parts:
    """The demo's processes; each ends with the demo."""

    stack: ExitStack
    environment: Mapping[str, str]
    folder: Path

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        log = self.stack.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(  # noqa: S603 - our own scripts
            [sys.executable, "-u", *command],
            cwd=Path(__file__).parents[1],
            env=self.environment,
            stdout=log,
            stderr=log,
        )
        self.stack.callback(_stop, process)
        return process

    def url(self, name: str, process: subprocess.Popen[bytes]) -> str:
        """Where ``process`` says that it listens."""
        clock = SystemClock()
        until = clock.monotonic() + PATIENCE
        while clock.monotonic() < until and process.poll() is None:
            text = (self.folder / f"{name}.log").read_text("utf-8", "replace")
            if found := re.search(r" at (http://\S+)", text):
                return found[1]
            clock.sleep(0.05)
        _say((self.folder / f"{name}.log").read_text("utf-8", "replace"))
        raise SystemExit(f"The {name} did not start.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _story(client: Client, clock: Clock) -> None:
    answered = 0
    for number in range(1, ROUNDS + 1):
        _say(f"\nRound {number}\n{'question':<58} {'model':<9} why")
        for question in QUESTIONS:
            reply = client.ask(question)
            answered += "output" in reply
            _say(f"{_cut(question, 58):<58} {_outcome(reply)}")
        _say(f"scores after the judge: {_judged(client, answered, clock)}")


def _outcome(reply: Mapping[str, Any]) -> str:
    if "error" in reply:
        return f"{'refused':<9} {reply['error']['message']}"
    return f"{reply['model']:<9} {reply['decision']}"


def _judged(client: Client, answered: int, clock: Clock) -> str:
    """The models' scores, once every answer so far is judged."""
    until = clock.monotonic() + PATIENCE
    while True:
        models = client.weights()["models"]
        judged = sum(model["samples"] for model in models.values())
        if judged >= answered:
            break
        if clock.monotonic() > until:
            raise SystemExit(
                f"Only {judged} of {answered} answers were judged in {PATIENCE:.0f} s."
            )
        clock.sleep(0.2)
    return ", ".join(
        f"{name} {model['score']:.2f} ({model['low']:.2f} to {model['high']:.2f},"
        f" {model['samples']} answers)"
        for name, model in models.items()
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
