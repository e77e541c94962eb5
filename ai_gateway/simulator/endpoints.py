"""The model endpoints that the stand-in serves, as Cloudera's Inference Service lays them out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ai_gateway.simulator.judge import judge
from ai_gateway.simulator.models import careful, shallow

#: Any other token serves as well, but for one that starts with ``expired``.
BEARER = "simulated"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: its name in the URL, its model's id, its base paths, and what the model says.

    ``speak`` gets the last user message and a key that every choice in the answer follows from.
    """

    name: str
    model_id: str
    bases: tuple[str, ...]
    speak: Callable[..., str]


ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint("model-a", "simulated/model-a", ("v1",), careful),
        Endpoint("model-b", "simulated/model-b", ("openai/v1", "v1"), shallow),
        Endpoint("judge", "simulated/judge", ("v1",), judge),
    )
}
_PREFIXES = {"model-a": "MODEL_A", "model-b": "MODEL_B", "judge": "JUDGE_MODEL"}


def variables(url: str) -> dict[str, str]:
    """The environment that points the default bundle's models at the stand-in on ``url``."""
    return {
        f"{_PREFIXES[name]}_{key}": value
        for name, endpoint in ENDPOINTS.items()
        for key, value in (
            ("ID", endpoint.model_id),
            ("URL", f"{url}/namespaces/serving-default/endpoints/{name}/{endpoint.bases[0]}"),
            ("TOKEN", BEARER),
        )
    }
