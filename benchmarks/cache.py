"""CPU that the cache stage takes of a request, on one core, without a model or the network.

Usage: python -m benchmarks.cache [--calls 20000]

Prints the best of five runs, in microseconds a call: a route that declares no cache, one whose
request is not looked for, a miss that is kept, a hit, and a hit that is replayed as a stream. The
prompt has 200 characters, the answer 1,000.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from random import Random
from typing import Any

from ai_gateway.answer.cached import Caching
from ai_gateway.answer.call import Answer, Call
from ai_gateway.answer.embedding import Embedding
from ai_gateway.answer.places import places
from ai_gateway.answer.record import Decision
from ai_gateway.answer.route import pinned
from ai_gateway.answer.weights import UNJUDGED
from ai_gateway.cache.caches import MEMORY, Caches
from ai_gateway.cache.declared import Cache
from ai_gateway.clock import SystemClock
from ai_gateway.contract import Event
from ai_gateway.manifest.model import Manifest, Model, Route
from ai_gateway.metrics import Metrics

RUNS = 5
ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "x" * 1000},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 50, "completion_tokens": 250, "total_tokens": 300},
}
CLOCK = SystemClock()
CHOICE = pinned("m", UNJUDGED)


def unanswered(_call: Call) -> Answer:
    """No question is embedded here."""
    raise NotImplementedError


MODELS = {"m": Model(url="http://m/v1", model_id="m")}
STAGE = Caching(
    Manifest(models=MODELS),
    places(MODELS),
    ("manifest", "policies"),
    Caches.of(MEMORY, CLOCK),
    Embedding(unanswered, CLOCK, Random(1)),
    Metrics(),
    CLOCK,
)


#: Without a cache, and with one.
ROUTES = (Route(path="/r", name="r"), Route(path="/r", name="r", cache=Cache()))


def one(number: int, cache: int, *, stream: bool = False, **body: object) -> None:
    """A request with that number in it, through the stage as the gateway calls it."""
    messages = [{"role": "user", "content": f"{number:0200}"}]
    event = Event("1", ROUTES[cache], "POST", "/r", 0.0)
    decision = Decision(event)
    call = Call(event, "chat", {"messages": messages, **body}, "m", stream=stream)

    def fresh() -> Answer:
        decision.choice, decision.served, decision.finish_reason = CHOICE, "m", "stop"
        return Answer("m", "x", ANSWER)

    answer = fresh() if event.route.cache is None else STAGE.answer(call, decision, fresh)
    for _ in answer.chunks or ():
        pass


def cpu(work: Callable[[int], None], calls: int) -> float:
    """Microseconds of CPU a call, the best of some runs."""
    best = float("inf")
    for run in range(RUNS):
        began = time.process_time()
        for number in range(run * calls, (run + 1) * calls):
            work(number)
        best = min(best, (time.process_time() - began) / calls * 1e6)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="CPU that the cache stage takes of a request.")
    parser.add_argument("--calls", type=int, default=20_000)
    calls = parser.parse_args().calls
    one(0, 1, temperature=0)
    bare = cpu(lambda number: one(number, 0, temperature=0), calls)
    print(f"{'no cache declared':<28} {bare:7.2f} µs, of which all is this benchmark's own work")
    rows: dict[str, Callable[[int], None]] = {
        "not looked for (temperature)": lambda number: one(number, 1),
        "miss, kept": lambda number: one(number + 1, 1, temperature=0),
        "hit": lambda _: one(0, 1, temperature=0),
        "hit as a stream": lambda _: one(0, 1, temperature=0, stream=True),
    }
    for name, work in rows.items():
        print(f"{name:<28} {cpu(work, calls) - bare:7.2f} µs more")


if __name__ == "__main__":
    main()
