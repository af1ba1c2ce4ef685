"""A CONNECT proxy on loopback that leads `NAME.vault.azure.net:443` to the embedded vault and nothing anywhere else.

With it a client uses the vault's real URL, so that the SDK's check of the challenge stays on. The proxy opens no
connection at all: after its "200" the same socket goes on to the HTTPS side.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Final

from .https import Front
from .loopback import Connection
from .service import Service

_HEAD_LIMIT: Final = 8192
_HEAD_SECONDS: Final = 10.0
_REQUEST: Final = re.compile(rb"([A-Z]{1,16}) (\S{1,300}) HTTP/1\.[01]\r\n")


class Proxy:
    """Converses with one client of the proxy."""

    def __init__(self, service: Service, context: ssl.SSLContext) -> None:
        self._service = service
        self._context = context

    def converse(self, connection: Connection) -> None:
        """Read one CONNECT and hand the connection over, or refuse it."""
        connection.socket.settimeout(_HEAD_SECONDS)
        request = _REQUEST.match(_read_head(connection.socket))
        if request is None:
            _refuse(connection.socket, "400 Bad Request", "This is a proxy for CONNECT requests.")
            return
        method, target = request[1], request[2].decode("ascii", "replace")
        if method != b"CONNECT":
            _refuse(connection.socket, "405 Method Not Allowed", "This proxy knows only CONNECT.")
            return
        host, _, port = target.rpartition(":")
        name = self._service.named_by(host) if port == "443" else None
        vault = self._service.vault(name) if name else None
        if vault is None:
            _refuse(connection.socket, "403 Forbidden", "This proxy leads to the embedded vaults only.")
            return
        connection.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        Front(self._service, self._context, vault, local=False).converse(connection)


def _read_head(channel: socket.socket) -> bytes:
    """The request up to its empty line. Not a byte more is taken, since what follows is TLS."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = channel.recv(1)
        if not byte or len(head) >= _HEAD_LIMIT:
            return b""
        head += byte
    return bytes(head)


def _refuse(channel: socket.socket, status: str, text: str) -> None:
    body = (text + "\n").encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    channel.sendall(head.encode() + body)
