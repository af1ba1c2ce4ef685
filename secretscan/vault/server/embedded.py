"""The embedded vault as one object: start it, use it, and nothing of it is left."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rewriters import Plaintext
from secretscan import events
from secretscan.vault import pacing

from .faults import Faults
from .https import Front
from .loopback import Listener
from .proxy import Proxy
from .records import Stored, VaultSettings, Write
from .service import Served, Service, check_vault_name
from .state import Clock, Vault, VersionId, random_version_id
from .tls import make_identity

if TYPE_CHECKING:
    from secretscan.vault.client import Vault as Client

    from .credential import LocalCredential


class EmbeddedVault:
    """A Key Vault-compatible server on loopback, in memory only.

    `names`: the vaults that there are, the first one being the default; with `open_names` any other is made on first
    use. `port`: where the default vault listens; 0 takes a free one, as the other vaults always do. `ca_file`: where
    to write the authority's certificate, which must not exist yet; by default it goes to a private folder. `suffix`:
    the cloud's, for `azure_url` and the challenge. `clock`: Unix seconds, for the times it writes down. `stopwatch`:
    steady seconds, for delays and limits. `version_id`: makes the ids of versions.

    Raises `ValueError` for a vault name that the service would not allow, `OSError` if the port or the file is taken.
    """

    def __init__(
        self,
        names: Sequence[str] = ("local",),
        *,
        open_names: bool = False,
        faults: Faults | None = None,
        settings: VaultSettings | None = None,
        clock: Clock = time.time,
        stopwatch: Clock = time.monotonic,
        version_id: VersionId = random_version_id,
        port: int = 0,
        ca_file: Path | None = None,
        suffix: str = "vault.azure.net",
    ) -> None:
        if not names:
            raise ValueError("an embedded vault needs at least one name")
        self._names = tuple(check_vault_name(name) for name in names)
        self._service = Service(
            self._names,
            open_names=open_names,
            suffix=suffix,
            settings=settings or VaultSettings(),
            faults=faults or Faults(),
            clock=clock,
            stopwatch=stopwatch,
            version_id=version_id,
        )
        identity = make_identity(suffix)
        self.ca_pem: str = identity.ca_pem
        self._context = identity.context
        self._folder: Path | None = None
        self._listeners: dict[str, Listener] = {}
        self._lock = threading.Lock()
        # Listening comes first, so that a port in use leaves no file behind.
        self._listen(self._names[0], port)
        self._proxy = Listener(0, Proxy(self._service, self._context).converse)
        try:
            self.ca_file: Path = self._write_ca(ca_file)
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"EmbeddedVault(names={self._names!r})"

    def close(self) -> None:
        """End every connection and remove the certificate's file. May be called again."""
        self._proxy.close()
        with self._lock:
            listeners = tuple(self._listeners.values())
        for listener in listeners:
            listener.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        elif hasattr(self, "ca_file"):
            self.ca_file.unlink(missing_ok=True)

    # --- where it is --------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The vaults given at start."""
        return self._names

    def url(self, name: str | None = None) -> str:
        """`https://localhost:PORT` of the vault; each has a port of its own.

        The SDK's check of the challenge cannot hold for such a host: pass `verify_challenge_resource=False` with it.
        """
        return f"https://localhost:{self._listen(self._vault(name).name).port}"

    def azure_url(self, name: str | None = None) -> str:
        """`https://NAME.vault.azure.net`, which leads here through the proxy only."""
        return f"https://{self._vault(name).name}.{self._service.suffix}"

    @property
    def host_port(self) -> str:
        """`localhost:PORT` of the default vault."""
        return self.url().removeprefix("https://")

    @property
    def proxy_url(self) -> str:
        """The CONNECT proxy, for `proxies={"https": ...}` of the SDK."""
        return f"http://127.0.0.1:{self._proxy.port}"

    # --- who may use it -----------------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """The bearer token that is good now."""
        return self._service.token

    def renew_token(self) -> None:
        """Let the token run out: what was handed out before is refused, and credentials hand out the new one."""
        self._service.renew_token()

    def credential(self) -> LocalCredential:
        """A credential for the SDK, which always hands out the token that is good at that time."""
        from .credential import LocalCredential

        return LocalCredential(lambda: self._service.token, self._service.suffix)

    def client(
        self,
        name: str | None = None,
        *,
        listener: events.Listener = events.silent,
        cancellation: events.Cancellation | None = None,
        clock: pacing.Clock = pacing.CLOCK,
    ) -> Client:
        """secretscan's own client of a vault, on the production path: its real name, through the proxy. To be closed.

        Raises `ValueError` for a vault that there is not.
        """
        from secretscan.vault.client import Vault as Client

        return Client(
            self.azure_url(name),
            self.credential(),
            auth="local",
            proxy=self.proxy_url,
            ca_file=str(self.ca_file),
            use_environment=False,
            writes=pacing.LOCAL,
            reads=pacing.LOCAL,
            clock=clock,
            cancellation=cancellation,
            listener=listener,
        )

    # --- for tests ----------------------------------------------------------------------------------------------

    @property
    def requests(self) -> tuple[Served, ...]:
        """What was asked so far, without values."""
        return self._service.log

    @property
    def failures(self) -> tuple[str, ...]:
        """Mistakes of the server itself, which a test should find none of."""
        with self._lock:
            listeners = (self._proxy, *self._listeners.values())
        return tuple(failure for listener in listeners for failure in listener.failures)

    def stored(self, name: str | None = None) -> tuple[Stored, ...]:
        """Everything in a vault, read past its interface."""
        return self._vault(name).stored()

    def plant_managed(
        self, secret: str, value: Plaintext, name: str | None = None, *, content_type: str = "application/x-pkcs12"
    ) -> None:
        """Put the secret of a certificate there, as only the service itself could (`managed: true`)."""
        self._vault(name).plant(secret, Write(value, content_type=content_type))

    # --- within -------------------------------------------------------------------------------------------------

    def _vault(self, name: str | None) -> Vault:
        found = self._service.vault(name or self._names[0])
        if found is None:
            raise ValueError(f"no vault {name!r} here; there are: {', '.join(self._names)}")
        return found

    def _listen(self, name: str, port: int = 0) -> Listener:
        with self._lock:
            if name not in self._listeners:
                front = Front(self._service, self._context, self._vault(name), local=True)
                self._listeners[name] = Listener(port, front.converse)
            return self._listeners[name]

    def _write_ca(self, path: Path | None) -> Path:
        if path is None:
            self._folder = Path(tempfile.mkdtemp(prefix="secretscan-vault-"))
            path = self._folder / "ca.pem"
        with path.open("x", encoding="ascii") as file:
            file.write(self.ca_pem)
        return path
