"""What the SDK never sends: bad requests, the proxy's own words, and the certificate."""

from __future__ import annotations

import email.utils
import http.client
import json
import socket
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from secretscan.vault.server import EmbeddedVault, Faults
from secretscan.vault.server.operations import UnknownPath, WrongMethod, route
from secretscan.vault.server.paging import Cursor, read_cursor

QUERY = "?api-version=7.6"


def connect(vault: EmbeddedVault, name: str | None = None) -> http.client.HTTPSConnection:
    host, _, port = vault.url(name).removeprefix("https://").partition(":")
    context = ssl.create_default_context(cadata=vault.ca_pem)
    return http.client.HTTPSConnection(host, int(port), context=context, timeout=5)


def ask(
    vault: EmbeddedVault, method: str, target: str, body: bytes | None = None, /, **headers: str
) -> tuple[int, dict[str, str], Any]:
    headers.setdefault("Authorization", f"Bearer {vault.token}")
    with closing(connect(vault)) as connection:
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, dict(answer.getheaders()), json.loads(content) if content else None


def code(body: Any) -> tuple[str, str]:
    return body["error"]["code"], body["error"]["message"]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic Zm9v"])
def test_without_a_token_there_is_a_challenge(start: Any, authorization: str) -> None:
    status, headers, body = ask(start(), "PUT", "/secrets/a" + QUERY, b"", Authorization=authorization)
    assert status == 401
    assert headers["WWW-Authenticate"] == (
        'Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000", '
        'resource="https://vault.azure.net"'
    )
    assert code(body)[1].startswith("AKV10000: Request is missing a Bearer")


@pytest.mark.parametrize("authorization", ["Bearer wrong", "PoP wrong", "Bearer \u00fc"])
def test_a_wrong_token_is_refused(start: Any, authorization: str) -> None:
    vault = start()
    authorization = authorization.encode().decode("latin-1")
    status, headers, body = ask(vault, "GET", "/secrets" + QUERY, Authorization=authorization)
    assert (status, "WWW-Authenticate" in headers) == (401, True)
    assert vault.token not in json.dumps(body)


@pytest.mark.parametrize(
    ("method", "target", "status", "error"),
    [
        ("GET", "/secrets", 400, "BadParameter"),
        ("GET", "/secrets?api-version=9.9", 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6&maxresults=0", 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6&maxresults=x", 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6&$skiptoken=x", 400, "BadParameter"),
        ("GET", "/secrets?api-version=7.6&" + "&".join("ab") * 20, 400, "BadParameter"),
        ("GET", "/secrets/a%2Fb" + QUERY, 400, "BadParameter"),
        ("GET", "/secrets/a/nosuchversion" + QUERY, 404, "SecretNotFound"),
        ("PUT", "/secrets/" + QUERY, 405, "MethodNotAllowed"),
        ("POST", "/secrets/a" + QUERY, 405, "MethodNotAllowed"),
        ("DELETE", "/secrets" + QUERY, 405, "MethodNotAllowed"),
        ("GET", "/keys" + QUERY, 501, "NotSupported"),
        ("GET", "/" + QUERY, 501, "NotSupported"),
        ("GET", "/secrets/a/b/c/d" + QUERY, 501, "NotSupported"),
    ],
)
def test_requests_that_are_refused(start: Any, method: str, target: str, status: int, error: str) -> None:
    got, headers, body = ask(start(), method, target)
    assert (got, code(body)[0]) == (status, error)
    assert headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"value": 1}',
        b'{"value": null}',
        rb'{"value": "\ud800"}',
        b'{"value": "x", "tags": []}',
        b'{"value": "x", "tags": {"a": 1}}',
        rb'{"value": "x", "tags": {"a": "\ud800"}}',
        b'{"value": "x", "contentType": 1}',
        b'{"value": "x", "attributes": []}',
        b'{"value": "x", "attributes": {"enabled": "no"}}',
        b'{"value": "x", "attributes": {"exp": "soon"}}',
        b'{"value": "x", "attributes": {"exp": true}}',
        b'{"value": "x", "attributes": {"nbf": -1}}',
        b'{"value": "x", "attributes": {"nbf": 1e400}}',
        b'{"value": "x", "attributes": {"nbf": 999999999999999}}',
    ],
    ids=range(20),
)
def test_bodies_that_are_refused(start: Any, body: bytes) -> None:
    vault = start()
    status, _, answer = ask(vault, "PUT", "/secrets/a" + QUERY, body)
    assert (status, code(answer)[0]) == (400, "BadParameter")
    assert vault.stored() == ()


def test_a_body_that_is_too_large_is_not_read(start: Any) -> None:
    vault = start()
    for headers, status in (({"Content-Length": "1048577"}, 413), ({"Content-Length": "9" * 40}, 413)):
        with closing(connect(vault)) as connection:
            connection.putrequest("PUT", "/secrets/a" + QUERY)
            for name, text in headers.items():
                connection.putheader(name, text)
            connection.endheaders()
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Connection")) == (status, "close")
            answer.read()
    assert ask(vault, "PUT", "/secrets/a" + QUERY, b"0\r\n\r\n", **{"Transfer-Encoding": "chunked"})[0] == 411
    assert ask(vault, "PUT", "/secrets/a" + QUERY, b"", **{"Content-Length": "-1"})[0] == 400
    assert ask(vault, "BREW", "/secrets")[0] == 501


def test_an_unknown_host_is_no_vault(start: Any) -> None:
    vault = start(("shop", "other"))
    for host, status in (
        ("evil.example", 400),
        ("shop.vault.azure.net.evil.example", 400),
        ("third.vault.azure.net", 400),
        ("a\u00e4<script>", 400),
        ("OTHER.vault.azure.net:443", 200),
        ("127.0.0.1:1", 200),
    ):
        got, _, body = ask(vault, "GET", "/secrets" + QUERY, Host=host.encode().decode("latin-1"))
        assert got == status, host
        assert "<" not in json.dumps(body)


def test_answers_carry_ids_and_echo_only_harmless_ones(start: Any) -> None:
    vault = start()
    ours = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
    _, headers, _ = ask(vault, "GET", "/secrets" + QUERY, None, **{"x-ms-client-request-id": ours})
    assert headers["x-ms-client-request-id"] == ours
    assert len(headers["x-ms-request-id"]) == 36
    assert headers["Cache-Control"] == "no-cache"
    assert headers["x-ms-keyvault-region"] == "local"
    _, headers, _ = ask(vault, "GET", "/secrets" + QUERY, None, **{"x-ms-client-request-id": "a b; c"})
    assert "x-ms-client-request-id" not in headers


def test_the_date_can_be_wrong_on_order(start: Any) -> None:
    _, headers, _ = ask(start(faults=Faults(clock_skew=3600)), "GET", "/secrets" + QUERY)
    ahead = email.utils.parsedate_to_datetime(headers["Date"]).timestamp() - time.time()
    assert 3500 < ahead < 3700


def test_a_client_that_says_nothing_holds_nobody_up(start: Any) -> None:
    vault = start()
    host, port = "127.0.0.1", int(vault.host_port.partition(":")[2])
    with socket.create_connection((host, port)), socket.create_connection((host, port)) as rude:
        rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert ask(vault, "GET", "/secrets" + QUERY)[0] == 200


def proxy_says(vault: EmbeddedVault, request: bytes) -> bytes:
    host, _, port = vault.proxy_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as channel:
        channel.sendall(request)
        channel.shutdown(socket.SHUT_WR)
        return channel.recv(65536).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"CONNECT shop.vault.azure.net:443 HTTP/1.1", b"200"),
        (b"CONNECT SHOP.VAULT.AZURE.NET:443 HTTP/1.1", b"200"),
        (b"CONNECT shop.vault.azure.net:80 HTTP/1.1", b"403"),
        (b"CONNECT shop.vault.azure.net HTTP/1.1", b"403"),
        (b"CONNECT other.vault.azure.net:443 HTTP/1.1", b"403"),
        (b"CONNECT a.shop.vault.azure.net:443 HTTP/1.1", b"403"),
        (b"CONNECT vault.azure.net:443 HTTP/1.1", b"403"),
        (b"CONNECT login.microsoftonline.com:443 HTTP/1.1", b"403"),
        (b"CONNECT 127.0.0.1:22 HTTP/1.1", b"403"),
        (b"GET http://shop.vault.azure.net/ HTTP/1.1", b"405"),
        (b"nonsense", b"400"),
        (b"\x16\x03\x01", b"400"),
        (b"CONNECT " + b"a" * 9000 + b" HTTP/1.1", b"400"),
    ],
)
def test_the_proxy_leads_to_its_vaults_only(start: Any, request_line: bytes, status: bytes) -> None:
    assert proxy_says(start(("shop",)), request_line + b"\r\nHost: x\r\n\r\n").split(b" ")[1] == status


def test_behind_the_proxy_there_is_one_vault(start: Any) -> None:
    vault = start(("shop", "other"))
    host, _, port = vault.proxy_url.removeprefix("http://").partition(":")
    context = ssl.create_default_context(cadata=vault.ca_pem)
    with closing(http.client.HTTPSConnection(host, int(port), context=context, timeout=5)) as connection:
        connection.set_tunnel("shop.vault.azure.net", 443)
        for name, status in (("other.vault.azure.net", 400), ("localhost", 400), ("shop.vault.azure.net", 401)):
            connection.request("GET", "/secrets" + QUERY, headers={"Host": name})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status


def test_the_authority_can_vouch_for_the_vaults_only(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    vault = EmbeddedVault(ca_file=path)
    with vault:
        ca = x509.load_pem_x509_certificate(path.read_bytes())
        assert path.read_text() == vault.ca_pem
        assert "PRIVATE" not in vault.ca_pem
        constraints = ca.extensions.get_extension_for_class(x509.NameConstraints)
        assert constraints.critical
        named = {str(one.value) for one in constraints.value.permitted_subtrees or ()}
        assert named == {"vault.azure.net", "localhost", "127.0.0.1/32", "::1/128"}
        strict = ssl.create_default_context(cadata=vault.ca_pem)
        strict.verify_flags |= ssl.VERIFY_X509_STRICT
        address = ("127.0.0.1", int(vault.host_port.partition(":")[2]))
        for name in ("localhost", "127.0.0.1", "::1", "shop.vault.azure.net"):
            with socket.create_connection(address) as channel, strict.wrap_socket(channel, server_hostname=name):
                pass
        with socket.create_connection(address) as channel, pytest.raises(ssl.SSLCertVerificationError):
            strict.wrap_socket(channel, server_hostname="login.microsoftonline.com")
    assert not path.exists()


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with EmbeddedVault() as vault:
        left = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert left == [vault.ca_file]
        assert vault.ca_file.parent.stat().st_mode & 0o777 == 0o700
        address = ("127.0.0.1", int(vault.host_port.partition(":")[2]))
    assert list(tmp_path.iterdir()) == []
    vault.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address)


@pytest.mark.parametrize("name", ["", "ab", "1abc", "a--b", "abc-", "a_b", "a" * 25, "a.b"])
def test_vault_names_are_those_of_the_service(name: str) -> None:
    with pytest.raises(ValueError, match="vault name"):
        EmbeddedVault((name,))


@settings(max_examples=200, deadline=None)
@given(method=st.sampled_from(["GET", "PUT", "PATCH", "POST", "DELETE"]), path=st.text(max_size=60))
def test_any_path_is_an_operation_or_none(method: str, path: str) -> None:
    try:
        found = route(method, "/" + path)
    except (UnknownPath, WrongMethod):
        return
    assert path.startswith(("secrets", "deletedsecrets"))
    assert "/" not in found.version


@settings(max_examples=50, deadline=None)
@given(marker=st.text(st.characters(codec="ascii"), max_size=160), rested=st.booleans())
def test_a_cursor_comes_back_from_its_token(marker: str, rested: bool) -> None:
    token = Cursor(marker, rested).token()
    assert read_cursor(token) == Cursor(marker, rested)
    assert token.replace("-", "").replace("_", "").isalnum()
