"""The model endpoints that the stand-in serves, and where each of them is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from ai_gateway.simulator import guards
from ai_gateway.simulator.conversation import Conversation
from ai_gateway.simulator.judge import judge
from ai_gateway.simulator.models import careful, shallow

#: Any other token or key serves as well, but for one that starts with ``expired``.
BEARER = "simulated"

TEXT = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
)
_EMBED = ("/v1/embeddings",)
_RANK = ("/v1/rerank", "/v1/ranking")
_MEDIA = (
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
)
_CHAT = TEXT[:1]
_CLASSIFY = ("/v1/classify",)
_TENSORS = ("/v2/models/{model}", "/v2/models/{model}/infer", "/v2/models/{model}/ready")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: its name in the URL, its model's id, its base paths, and what it can do.

    ``paths`` are those of the table in ``service`` that it serves besides models and health.
    ``speak`` gets what the model can ``hear`` of a conversation, the last user message where
    nothing else is said, and a key that every choice in the answer follows from.
    """

    name: str
    model_id: str
    bases: tuple[str, ...]
    speak: Callable[..., str] = careful
    paths: tuple[str, ...] = TEXT
    hear: Callable[[Conversation], str] = attrgetter("question")


def _guard(name: str, speak: Callable[..., str]) -> Endpoint:
    return Endpoint(name, f"simulated/{name}", ("v1",), speak, _CHAT, guards.whole)


ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint("model-a", "simulated/model-a", ("v1",), careful),
        Endpoint("model-b", "simulated/model-b", ("openai/v1", "v1"), shallow),
        Endpoint("judge", "simulated/judge", ("v1",), judge),
        Endpoint("embedder", "simulated/embedder", ("v1",), paths=_EMBED),
        Endpoint("ranker", "simulated/ranker", ("v1",), paths=_RANK),
        Endpoint("media", "simulated/media", ("v1",), paths=_MEDIA),
        Endpoint("classifier", "classifier", ("v2",), paths=_TENSORS),
        Endpoint("jailbreak-detect", "simulated/jailbreak-detect", ("v1",), paths=_CLASSIFY),
        _guard("content-safety", guards.content_safety),
        _guard("topic-control", guards.topic_control),
        _guard("llama-guard", guards.llama_guard),
        _guard("policy-check", guards.policy_check),
    )
}
#: Anthropic's own API, which is no endpoint of the Inference Service.
CLAUDE = Endpoint("anthropic", "claude-simulated", ("v1",), careful, TEXT[3:])

_PREFIXES = {"model-a": "MODEL_A", "model-b": "MODEL_B", "judge": "JUDGE_MODEL"}


def variables(url: str) -> dict[str, str]:
    """The environment that points the default bundle's models at the stand-in on ``url``."""
    return {
        f"{prefix}_{key}": value
        for name, prefix in _PREFIXES.items()
        for key, value in (
            ("ID", ENDPOINTS[name].model_id),
            ("URL", _base(url, name)),
            ("TOKEN", BEARER),
        )
    }


def endpoints(url: str) -> dict[str, str]:
    """Every endpoint's base URL on ``url``, by name: what stands before the API's own paths.

    The Inference Service's by their names, and ``anthropic`` and ``azure``, which ask for keys in
    headers of their own. Azure's deployments are ``model-a`` and its like.
    """
    return {
        **{name: _base(url, name) for name in ENDPOINTS},
        "anthropic": f"{url}/anthropic/v1",
        "azure": f"{url}/azure/openai",
    }


def _base(url: str, name: str) -> str:
    return f"{url}/namespaces/serving-default/endpoints/{name}/{ENDPOINTS[name].bases[0]}"
