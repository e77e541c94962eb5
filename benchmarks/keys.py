"""CPU that an issued key takes of a request, and of whoever changes one, on one core.

Usage: python -m benchmarks.keys [--calls 20000]

Prints the best of five runs for 1, 1,000 and 100,000 keys: in microseconds a call, the look-up by a
hash that is known and by one that is not, all of the identity of a request (header, hash, look-up)
by an issued key and by the administrator's, and whether it may use the route; in milliseconds, how
long it takes to put one more key in force.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, cast

from ai_gateway.access.allowed import allow
from ai_gateway.access.identity import Identity
from ai_gateway.access.issued import IssuedKeys
from ai_gateway.access.keys import Key, digest, row
from ai_gateway.clock import SystemClock
from ai_gateway.manifest.model import Route
from ai_gateway.records import Records
from ai_gateway.settings import Settings

RUNS: Final = 5
ADMIN: Final = "a" * 48
ROUTE: Final = Route(name="inference", path="/inference", auth=("api-key", "platform"))


class Nowhere:
    """A store that takes all and holds nothing."""

    def publish(self, _table: str, _rows: Iterable[Mapping[str, Any]]) -> None:
        """Forget them."""

    def unseen(self, _table: str, _seen: Collection[str]) -> tuple[frozenset[str], list[Any]]:
        """Nothing."""
        return frozenset(), []


def text(number: int) -> str:
    """A key's text."""
    return f"agw_{number:08d}_{'x' * 43}"


def issued(number: int) -> dict[str, Any]:
    """The row of a new key."""
    identity = f"{number:032x}"
    key = Key(
        id=identity,
        prefix=text(number)[:12],
        digest=digest(text(number)),
        name="benchmark",
        owner="",
        team="",
        tenant="default",
        scopes=frozenset(),
        routes=None,
        models=frozenset({"model-a"}),
        created_at=0,
        created_by="admin",
        family=identity,
    )
    return row(key, "issued", at=0, by="admin", event_id=identity)


def best(work: Callable[[], object], calls: int) -> float:
    """Microseconds a call."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for _ in range(calls):
            work()
        taken.append((time.perf_counter() - began) / calls * 1e6)
    return min(taken)


def main() -> None:
    """Print a line for each number of keys."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    calls = parser.parse_args().calls
    settings = Settings.read(environment={"AI_GATEWAY_API_KEY": ADMIN})
    print("keys   known unknown issued  admin  route µs   one more ms")
    for count in (1, 1_000, 100_000):
        keys = IssuedKeys(cast("Records", Nowhere()), SystemClock())
        keys.add([issued(number) for number in range(count)])
        identity = Identity.of(settings, loopback=True, keys=keys)
        known, unknown = digest(text(count // 2)), digest("unknown")
        by_key = {"authorization": f"Bearer {text(count // 2)}"}
        by_admin = {"authorization": f"Bearer {ADMIN}"}
        caller = identity.caller(ROUTE, "POST", by_key)
        works: tuple[Callable[[], object], ...] = (
            lambda: keys.find(known),  # noqa: B023 - called here
            lambda: keys.find(unknown),  # noqa: B023 - called here
            lambda: identity.caller(ROUTE, "POST", by_key),  # noqa: B023 - called here
            lambda: identity.caller(ROUTE, "POST", by_admin),  # noqa: B023 - called here
            lambda: allow(ROUTE, caller),  # noqa: B023 - called here
        )
        figures = " ".join(f"{best(work, calls):6.2f}" for work in works)
        more = min(_one_more(keys, count + number) for number in range(RUNS))
        print(f"{count:6} {figures}      {more:8.2f}")


def _one_more(keys: IssuedKeys, number: int) -> float:
    began = time.perf_counter()
    keys.add([issued(number)])
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()
