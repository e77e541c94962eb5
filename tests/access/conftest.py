"""Who verifies tokens, by a clock that stands still."""

import pytest

from ai_gateway.access.issuer import Issuer
from ai_gateway.access.jwks import KeyRing
from ai_gateway.access.tokens import Tokens
from ai_gateway.metrics import Metrics
from tests.access.bearer import ISSUER, SIGNERS
from tests.access.oidc import (
    Clock,
    document,
)


@pytest.fixture
def clock():
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def metrics():
    """What was counted."""
    return Metrics()


@pytest.fixture
def tokens(tmp_path, clock, metrics):
    """Verifies by a file with keys of every kind, as the test declares the issuer."""
    ring = KeyRing(clock, {}, metrics)

    def build(*, signers=SIGNERS, **changed):
        path = tmp_path / "keys.json"
        path.write_bytes(document(*signers))
        given = {"issuer": ISSUER, "audience": ["gateway", "other"], "jwks_file": str(path)}
        return Tokens([Issuer.model_validate(given | changed)], ring, clock, metrics)

    yield build
    ring.close()
