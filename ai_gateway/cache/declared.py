"""What an operator declares about caching, per route. Without it nothing is cached."""

from __future__ import annotations

from pydantic import Field

from ai_gateway.manifest.closed import Closed
from ai_gateway.manifest.units import Duration, Name


class Semantic(Closed):
    """Answers to questions that mean the same. A wrong hit is possible; docs/cache.md says when."""

    model: Name = Field(description="An embeddings model of this bundle.")
    threshold: float = Field(0.95, ge=0.5, le=1, description="Cosine; lower finds more, and worse.")
    entries: int = Field(
        1000, ge=1, le=10_000, description="Questions of one partition that are compared."
    )


class Cache(Closed):
    """How long answers are kept, and which."""

    ttl: Duration = 3600.0
    always: bool = Field(
        default=False,
        description="Also where the temperature is not 0: the first answer is then everybody's.",
    )
    semantic: Semantic | None = None
