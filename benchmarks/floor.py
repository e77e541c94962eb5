"""The floor: a one-route Flask application on our server and transport that parses and forwards.

python -m benchmarks.floor PORT URL     # of the upstream, up to /v1
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import flask
import orjson

from ai_gateway import hosting
from ai_gateway.clock import SystemClock
from ai_gateway.manifest.model import Model
from ai_gateway.upstream import Stream, Upstreams

_SECONDS = 60.0


def application(upstreams: Upstreams, model: Model) -> flask.Flask:
    """One route."""
    app = flask.Flask("floor", static_folder=None)

    @app.post("/v1/chat/completions")
    def chat() -> flask.Response:
        body = orjson.loads(flask.request.get_data())
        deadline = time.monotonic() + _SECONDS
        if body.get("stream"):
            source = upstreams.stream(model, "/chat/completions", body, deadline)
            return flask.Response(_events(source), mimetype="text/event-stream")
        answer = upstreams.send(model, "/chat/completions", body, deadline)
        return flask.Response(orjson.dumps(answer.body), mimetype="application/json")

    return app


def _events(source: Stream) -> Iterator[bytes]:
    for _, data in source:
        yield b"data: %b\n\n" % orjson.dumps(data)
    yield b"data: [DONE]\n\n"


def main() -> None:
    """Serve it."""
    port, url = sys.argv[1:3]
    model = Model(url=url, model_id="meta/llama-3.1-8b-instruct", max_connections=4000)
    app = application(Upstreams(SystemClock(), {}), model)
    sys.exit(hosting.serve(app, hosting.ServerOptions(port=int(port)), ready=_say))


def _say(url: str) -> None:
    print(url, flush=True)


if __name__ == "__main__":
    main()
