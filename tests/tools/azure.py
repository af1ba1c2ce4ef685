"""The sign-in service of Azure on loopback, behind the same proxy as the embedded vault.

Programs that know nothing of tests reach both under their real names: the environment names the proxy and the
authorities. A token is handed to whoever brings a client id and a signed assertion, and only for the vault.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

from secretscan.vault.server import EmbeddedVault
from secretscan.vault.server.loopback import Connection, Listener
from secretscan.vault.server.tls import make_identity

LOGIN = "login.microsoftonline.com"
_CONNECT = re.compile(rb"CONNECT ([\w.-]+):443 HTTP/1\.1\r\n")
_TOKEN = re.compile(r"/([\w-]+)/oauth2/(?:v2\.0/)?token\Z")
_DISCOVERY = re.compile(r"/([\w-]+)/(?:v2\.0/)?\.well-known/openid-configuration\Z")


@dataclass(frozen=True)
class SignIn:
    """Who asked for a token: the tenant, the client, and the account that the assertion was issued to."""

    tenant: str
    client: str
    subject: str


@dataclass
class Azure:
    """The vault and the sign-in service, for programs that are started."""

    vault: EmbeddedVault
    folder: Path
    sign_ins: list[SignIn] = field(default_factory=list)

    def __post_init__(self) -> None:
        identity = make_identity("microsoftonline.com")
        self._context = identity.context
        self._listener = Listener(0, self._converse)
        self.ca_file = self.folder / "authorities.pem"
        self.ca_file.write_text(identity.ca_pem + self.vault.ca_pem)

    def close(self) -> None:
        self._listener.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a program's environment needs."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self._listener.port}",
            "SSL_CERT_FILE": str(self.ca_file),
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
        }

    def answer(self, method: str, path: str, body: str) -> tuple[int, dict[str, Any]]:
        """The service's answer to one request."""
        path = path.partition("?")[0]
        base = f"https://{LOGIN}"
        if found := _DISCOVERY.match(path):
            place = f"{base}/{found[1]}"
            return 200, {
                "token_endpoint": f"{place}/oauth2/v2.0/token",
                "authorization_endpoint": f"{place}/oauth2/v2.0/authorize",
                "issuer": f"{place}/v2.0",
            }
        if path == "/common/discovery/instance":
            place = f"{base}/common/v2.0/.well-known/openid-configuration"
            metadata = [{"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": [LOGIN]}]
            return 200, {"tenant_discovery_endpoint": place, "metadata": metadata}
        if method == "POST" and (found := _TOKEN.match(path)):
            return self._token(found[1], {key: values[0] for key, values in parse_qs(body).items()})
        return 404, {"error": "not_found"}

    def _token(self, tenant: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        wanted = form.get("scope", form.get("resource", ""))
        subject = _subject(form.get("client_assertion", ""))
        if "https://vault.azure.net" not in wanted or not form.get("client_id") or not subject:
            return 401, {
                "error": "invalid_client",
                "error_description": "this is for the vault, and needs an assertion",
            }
        self.sign_ins.append(SignIn(tenant, form["client_id"], subject))
        token = {"token_type": "Bearer", "access_token": self.vault.token, "resource": "https://vault.azure.net"}
        return 200, token | {"expires_in": 3600, "ext_expires_in": 3600, "expires_on": "4102444800"}

    def _converse(self, connection: Connection) -> None:
        connection.socket.settimeout(30)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.socket.recv(1)
            if not byte or len(head) > 8192:
                return
            head += byte
        request = _CONNECT.match(head)
        if request is None:
            return
        if request[1].decode() == LOGIN:
            connection.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            connection.socket = self._context.wrap_socket(connection.socket, server_side=True)
            with contextlib.suppress(ssl.SSLError):
                _Handler(connection.socket, self)
            return
        port = int(self.vault.proxy_url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as onward:
            onward.sendall(head)
            _relay(connection.socket, onward)


def account_token(namespace: str, account: str) -> str:
    """The token of a pod's service account as the kubelet would project it, unsigned."""
    parts = [{"alg": "none"}, {"sub": f"system:serviceaccount:{namespace}:{account}"}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"


def _subject(assertion: str) -> str:
    """The account of a signed assertion. Whether the signature is good is not looked at."""
    parts = assertion.split(".")
    if len(parts) != 3:
        return ""
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return str(claims.get("sub", ""))


def _relay(one: socket.socket, other: socket.socket) -> None:
    def pour(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=pour, args=(other, one), daemon=True)
    back.start()
    pour(one, other)
    back.join(5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, channel: socket.socket, azure: Azure) -> None:
        self._azure = azure
        super().__init__(channel, ("127.0.0.1", 0), cast(Any, None))

    def log_message(self, *args: object) -> None:
        """Nothing is logged."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        status, answer = self._azure.answer(self.command, self.path, body)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _serve  # noqa: N815  # the names are the base class's


@contextlib.contextmanager
def azure(vault: EmbeddedVault, folder: Path) -> Iterator[Azure]:
    """The service, until the end of the block."""
    running = Azure(vault, folder)
    try:
        yield running
    finally:
        running.close()
