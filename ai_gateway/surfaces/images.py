"""The images API as callers send it."""

from __future__ import annotations

#: The keys that the gateway, a guardrail or a model acts on.
PROTOCOL = frozenset(
    (
        *("background", "input_fidelity", "model", "moderation", "n", "output_compression"),
        *("output_format", "partial_images", "prompt", "quality", "response_format", "size"),
        *("stream", "style", "user"),
    )
)
#: The fields of a form that hold pictures.
FILES = frozenset({"image", "image[]", "mask"})
