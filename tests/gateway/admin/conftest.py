"""The admin API through a whole gateway, and a target that it may proxy to."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ai_gateway.reload import Reloader
from runner import application
from tests.conftest import Gateway

ADMIN = """
  # the control plane
  - {path: /ping, methods: [GET], function: "functions.ping:handle", auth: none} # open
  - {path: /chat, function: "functions.v1.chat_completions:handle", auth: [api-key, platform]}
  - {path: /api/v1/routes, methods: [GET, POST], function: "functions.admin.routes:handle", auth: [api-key, platform], max_body: 100000}
  - {path: "/api/v1/routes/{name}", methods: [GET, PUT, DELETE], function: "functions.admin.route:handle", auth: [api-key, platform]}
  - {path: "/api/v1/security/{endpoint:path}", methods: [PUT], function: "functions.admin.security:handle", auth: [api-key, platform]}
  - {path: /api/v1/metrics, methods: [GET], function: "functions.admin.metrics:handle", auth: [api-key, platform]}
  - {path: /api/v1/models, methods: [GET], function: "functions.admin.models:handle", auth: [api-key, platform]}
  - {path: /api/v1/policies, methods: [GET], function: "functions.admin.policies:handle", auth: [api-key, platform]}
  - {path: "/api/v1/policies/{name}", methods: [GET, PUT, DELETE], function: "functions.admin.policy:handle", auth: [api-key, platform]}
  - {path: /api/v1/weights, methods: [GET], function: "functions.weights:handle", auth: [api-key, platform]}
  - {path: /api/v1/reload, methods: [POST], function: "functions.admin.reload:handle", auth: [api-key, platform]}
  - {path: /api/v1/versions, methods: [GET, POST], function: "functions.admin.versions:handle", auth: [api-key, platform]}
  - {path: /api/v1/audit, methods: [GET], function: "functions.admin.audit:handle", auth: [api-key, platform]}

# whom targets may be
allowed_hosts: [ai-service, model-service, llm-service, 127.0.0.1]
"""  # noqa: E501 - as the shipped bundle has them


POLICY = """# who said so: legal
version: 1
name: words
checks:
  - {name: w, type: phrases, stages: [input], action: block, phrases: [xyzzy]}
"""


@dataclass
class Admin:
    """A gateway whose bundle may be written, and what talks to it."""

    gateway: Gateway
    reloader: Reloader
    headers: dict = field(default_factory=dict)

    @property
    def text(self):
        """The manifest as it is on disk."""
        return (self.gateway.service.settings.bundle / "routes.yaml").read_text()

    def call(self, method, path, body=None, **headers):
        """One request of the administrator's, as JSON."""
        given = {**self.gateway.headers, "Content-Type": "application/json", **headers}
        data = body if isinstance(body, str | bytes) or body is None else json.dumps(body)
        return self.gateway.client.open(path, method=method, data=data, headers=given)

    def audit(self):
        """What the log has, oldest first: action, object and outcome."""
        rows = sorted(self.gateway.rows("audit"), key=lambda row: row["number"])
        return [(row["action"], row["object"], row["outcome"]) for row in rows]


@pytest.fixture
def admin(start):
    """A gateway that can be changed."""

    def run(routes=ADMIN, **more):
        gateway = start(routes, policies={"words": POLICY, **more.pop("policies", {})}, **more)
        app = gateway.client.application

        def swap(bundle) -> None:
            app.wsgi_app.app = application(gateway.service.snapshot(bundle)).wsgi_app

        return Admin(gateway, Reloader(gateway.service, gateway.snapshot.bundle, swap))

    return run


@pytest.fixture
def target():
    """A model service that says what it was sent."""

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            reply = json.dumps({"path": self.path, "got": json.loads(body)}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
