"""The Open Inference Protocol's wire: the path names the model, the body does not.

https://github.com/kserve/open-inference-protocol, version 2
"""

from __future__ import annotations

import re
from urllib.parse import quote

import httpx

#: Below a model's own URL.
INFER = "/infer"

_BASE = re.compile(rb"(?P<base>.*?/v2)(?:/models(?:/.*)?)?/?")


def url(base: httpx.URL, model_id: str) -> httpx.URL:
    """Where the model ``model_id`` is; ``NAME/versions/VERSION`` is one of its versions.

    ``base`` ends in ``/v2``; what stands after it, as in a copied URL, is replaced.
    """
    own, mark, query = base.raw_path.partition(b"?")
    found = _BASE.fullmatch(own)
    kept = found["base"] if found else own.rstrip(b"/")
    model = quote(model_id, safe="/").encode("ascii")
    return base.copy_with(raw_path=kept + b"/models/" + model + mark + query)
