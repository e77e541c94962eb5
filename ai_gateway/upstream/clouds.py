"""Tokens that the libraries of AWS and Google make out of a cloud's own credentials.

Both libraries are optional; they find credentials as every client of theirs does (variables, files,
the machine's own role), and renew what ends. Neither a credential nor a token is ever logged.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timezone
from functools import partial
from typing import Any

from ai_gateway.clock import Clock
from ai_gateway.errors import UpstreamDenied
from ai_gateway.manifest.credentials import Aws, Google

#: The extra, and the module that tells whether it is installed.
EXTRAS = {"aws": "aws_bedrock_token_generator", "google": "google.auth"}

_SKEW = 120.0  # seconds before its end that a token is made anew: a long answer begins with it
#: Seconds that a Bedrock token is used. It is made without a call, and good for at least ten
#: minutes: botocore renews role credentials that long before their end.
_BEDROCK = 300.0
_WAIT = 10.0  # seconds for Google's token endpoint
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

log = logging.getLogger(__name__)

#: A token, and until when it is to be used (seconds since the epoch).
Mint = Callable[[], tuple[str, float]]


@dataclass(frozen=True, slots=True)
class _Held:
    token: str = field(repr=False)
    until: float


class Minted:
    """A token that is made when it is first needed, and anew before it ends, by one thread."""

    renewable = True

    def __init__(self, cloud: str, begin: Callable[[], Mint], clock: Clock) -> None:
        self._cloud = cloud
        self._begin = begin
        self._clock = clock
        self._mint: Mint | None = None
        self._held: _Held | None = None
        self._lock = threading.Lock()

    def token(self) -> str:
        """The token; raises UpstreamDenied where there are no credentials to make one from."""
        held = self._held
        if held is None or self._clock.now() >= held.until:
            with self._lock:
                held = self._held
                if held is None or self._clock.now() >= held.until:
                    held = self._held = self._made()
        return held.token

    def renew(self) -> None:
        """Make another before the next use."""
        self._held = None

    def _made(self) -> _Held:
        try:
            self._mint = self._mint or self._begin()
            return _Held(*self._mint())
        except Exception as error:  # noqa: BLE001 - of either library's many kinds
            # Its kind alone: the text could hold what a token endpoint said.
            log.error("no %s credentials: %s", self._cloud, type(error).__name__)  # noqa: TRY400 - a trace may hold the credentials
            message = f"The gateway's own {self._cloud} credentials for this model cannot be had."
            raise UpstreamDenied(message) from None


def aws(spec: Aws, clock: Clock) -> Minted:
    """Short-term API keys for Amazon Bedrock (``bedrock:CallWithBearerToken``)."""
    return Minted("AWS", partial(_bedrock, spec, clock), clock)


def google(spec: Google, clock: Clock) -> Minted:
    """OAuth 2.0 access tokens for Google Cloud."""
    return Minted("Google", partial(_oauth, spec), clock)


def _bedrock(spec: Aws, clock: Clock) -> Mint:
    from aws_bedrock_token_generator import BedrockTokenGenerator  # noqa: PLC0415 - an extra
    from botocore.session import Session  # noqa: PLC0415 - the same

    credentials = Session(profile=spec.profile).get_credentials()
    if credentials is None:
        raise LookupError("no AWS credentials")

    def mint() -> tuple[str, float]:
        frozen = credentials.get_frozen_credentials()
        return BedrockTokenGenerator().get_token(frozen, spec.region), clock.now() + _BEDROCK

    return mint


def _oauth(spec: Google) -> Mint:
    from google import auth  # noqa: PLC0415 - an extra
    from google.auth.transport.requests import Request  # noqa: PLC0415 - the same

    file, scopes = spec.key_file, [_SCOPE]
    library: Any = auth  # which is typed in part
    found = library.load_credentials_from_file(file, scopes) if file else library.default(scopes)
    credentials = found[0]
    request = partial(Request(), timeout=_WAIT)

    def mint() -> tuple[str, float]:
        credentials.refresh(request)
        ends = credentials.expiry.replace(tzinfo=timezone.utc).timestamp()
        return credentials.token, ends - _SKEW

    return mint
