"""What the process was started with: the one module that reads the environment."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ai_gateway.certificates import TlsFiles

#: Where CAI says which port it forwards to; the first that is set counts.
PORTS = ("CDSW_APP_PORT", "CDSW_READONLY_PORT")


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment, read once. Secrets stay out of ``repr``."""

    bundle: Path = Path()
    data: str = "./data"
    wal: Path = Path("data/wal")
    state: str = "memory://"
    admin_key: str | None = field(default=None, repr=False)
    trust_platform: bool = False
    on_cai: bool = False
    #: Every variable, for ``${NAME}`` in the operator's own file.
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def port(self) -> int:
        """Where CAI wants an application to listen, else 8080."""
        return int(next(filter(None, map(self.variables.get, PORTS)), 8080))

    @property
    def task(self) -> list[str]:
        """What the runner does where it gets no arguments, inside CAI's kernel."""
        return shlex.split(self.variables.get("GATEWAY_TASK") or "serve")

    @property
    def log_format(self) -> str:
        """How log lines are written: json or text; empty for what fits the terminal."""
        return self.variables.get("GATEWAY_LOG_FORMAT", "").strip().lower()

    @property
    def log_level(self) -> str:
        """From which level on they are, as long as nobody changes it."""
        return self.variables.get("GATEWAY_LOG_LEVEL", "").strip().lower() or "info"

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """What events are signed with where a callback has no secret of its own."""
        return tuple(self.variables.get("GATEWAY_WEBHOOK_SECRET", "").split())

    @property
    def tls(self) -> TlsFiles | None:
        """The server's certificate and its kin; None where it speaks plain HTTP."""
        names = ("GATEWAY_TLS_CERT", "GATEWAY_TLS_KEY", "GATEWAY_TLS_CLIENT_CA")
        certificate, key, client_ca = (self.variables.get(name, "").strip() for name in names)
        if not (certificate or key or client_ca):
            return None
        return TlsFiles(certificate, key, client_ca or None)

    @property
    def encryption(self) -> tuple[str, str]:
        """The keys of what is stored, and the file with them instead; empty for what is not set."""
        names = ("GATEWAY_ENCRYPTION_KEY", "GATEWAY_ENCRYPTION_KEY_FILE")
        keys, path = (self.variables.get(name, "").strip() for name in names)
        return keys, path

    @classmethod
    def read(
        cls, bundle: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Settings:
        """The settings of this process, or of ``environment``."""
        variables = dict(os.environ if environment is None else environment)
        data = variables.get("GATEWAY_DATA") or "./data"
        local = "://" not in data
        wal = variables.get("GATEWAY_WAL") or (f"{data}/wal" if local else "./wal")
        on_cai = "CDSW_ENGINE_ID" in variables or "CDSW_DOMAIN" in variables
        admin_key = variables.get("AI_GATEWAY_API_KEY")
        if on_cai:  # an AMP sets an optional variable that was left blank to nothing
            admin_key = admin_key or None
        return cls(
            bundle=bundle or Path(),
            data=data,
            wal=Path(wal),
            state=variables.get("GATEWAY_STATE") or "memory://",
            admin_key=admin_key,
            trust_platform=variables.get("GATEWAY_TRUST_PLATFORM") == "1",
            on_cai=on_cai,
            variables=variables,
        )
