"""The wire: TLS, HTTP/1.1, bounds on what is read. What the requests mean is the service's affair."""

from __future__ import annotations

import re
import socket
import ssl
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any, Final, cast

from .errors import ServiceError, unknown_vault
from .loopback import Connection
from .service import Answer, Call, Service
from .shapes import encode, error
from .state import Vault

BODY_LIMIT: Final = 1 << 20
"""Bytes of a request body: room for the longest value and all tags with every character escaped, and little more."""

_HANDSHAKE_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 60.0
_LOCAL_HOST: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)


class Front:
    """Converses on one port or behind the proxy, for the vault that the port or the proxy's target stands for."""

    def __init__(self, service: Service, context: ssl.SSLContext, vault: Vault, *, local: bool) -> None:
        self.service = service
        self._context = context
        self._vault = vault
        self._local = local

    def converse(self, connection: Connection) -> None:
        """Speak TLS and HTTP until the client has had enough."""
        connection.socket.settimeout(_HANDSHAKE_SECONDS)
        connection.socket = self._context.wrap_socket(connection.socket, server_side=True)
        connection.socket.settimeout(_IDLE_SECONDS)
        _Handler(connection, self)

    def choose(self, host: str) -> Vault:
        """The vault for a `Host` header. A page of a browser cannot bring a name of its own (DNS rebinding).

        Raises `ServiceError`.
        """
        if self._local and _LOCAL_HOST.fullmatch(host):
            return self._vault
        name = self.service.named_by(host)
        if name == self._vault.name or (name and self._local):
            found = self.service.vault(name)
            if found is not None:
                return found
        raise unknown_vault(host if re.fullmatch(r"[\w.:-]{1,255}", host) else "that was sent")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one TLS record
    disable_nagle_algorithm = True

    def __init__(self, connection: Connection, front: Front) -> None:
        self._front = front
        super().__init__(connection.socket, ("127.0.0.1", 0), cast(Any, None))

    def log_message(self, *args: object) -> None:
        """Nothing is logged."""

    def version_string(self) -> str:
        return "secretscan"

    def date_time_string(self, timestamp: float | None = None) -> str:
        now = time.time() + self._front.service.faults.clock_skew if timestamp is None else timestamp
        return formatdate(now, usegmt=True)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refusals of the HTTP layer, in the service's shape and without the request's own words."""
        self.close_connection = True
        body = encode(error(ServiceError(int(code), "BadParameter", "The request is not acceptable.")))
        self._send(Answer(int(code), (("Content-Type", "application/json; charset=utf-8"),), body))

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        host = self.headers.get("Host", "")
        try:
            vault = self._front.choose(host)
        except ServiceError as refusal:
            headers = (("Content-Type", "application/json; charset=utf-8"),)
            self._send(Answer(refusal.status, headers, encode(error(refusal))))
            return
        call = Call(
            self.command,
            self.path,
            host,
            self.headers.get("Authorization"),
            self.headers.get("x-ms-client-request-id"),
            body,
        )
        self._send(self._front.service.answer(call, vault))

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = _serve  # noqa: N815  # the names are the base class's

    def _body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding") is not None:
            self.send_error(411)
            return None
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or len(self.headers.get_all("Content-Length", [])) > 1:
            self.send_error(400)
            return None
        if len(length) > 9 or int(length) > BODY_LIMIT:
            self.send_error(413)
            return None
        self._acknowledge()
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        return body

    def _acknowledge(self) -> None:
        # Behind a proxy urllib3 leaves Nagle's algorithm on: it holds the body back until the head is acknowledged,
        # which the kernel would put off for 40 ms.
        if hasattr(socket, "TCP_QUICKACK"):
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _send(self, answer: Answer) -> None:
        if answer.drop:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, text in answer.headers:
            self.send_header(name, text)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()
