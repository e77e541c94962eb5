"""What keeps answers coming while an upstream fails: each part alone, no part knows the pipeline.

``declared`` says what an operator may write, ``failures`` tells one failure from another,
``retrying`` says when to try again, ``ordering`` which models to try, ``circuit`` which of them to
leave alone, ``gate`` how many calls at once, ``balancer`` at which endpoint, ``aside``
runs what no caller may feel, and ``gauges`` shows how all of them are. What is put together of them
round each call is ``ai_gateway.answer.turns`` and ``tries``.
"""

from ai_gateway.resilience.balancer import Balancer, Lease
from ai_gateway.resilience.circuit import Circuit, Circuits, Pass
from ai_gateway.resilience.declared import (
    Balance,
    Breaker,
    Canary,
    ColdStart,
    Concurrency,
    Fallback,
    Retries,
    Shadow,
)
from ai_gateway.resilience.failures import Busy, CircuitOpen, blames, counts, kinds, matches
from ai_gateway.resilience.gate import Gate, Gates, Slot
from ai_gateway.resilience.ordering import mixed, order
from ai_gateway.resilience.retrying import Schedule

__all__ = [
    "Balance",
    "Balancer",
    "Breaker",
    "Busy",
    "Canary",
    "Circuit",
    "CircuitOpen",
    "Circuits",
    "ColdStart",
    "Concurrency",
    "Fallback",
    "Gate",
    "Gates",
    "Lease",
    "Pass",
    "Retries",
    "Schedule",
    "Shadow",
    "Slot",
    "blames",
    "counts",
    "kinds",
    "matches",
    "mixed",
    "order",
]
