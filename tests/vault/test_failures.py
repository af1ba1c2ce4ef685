"""Every way in which a vault, a sign-in or a network says no: the message that a person gets."""

from __future__ import annotations

import http.server
import socket
import threading
from contextlib import contextmanager

import pytest
import requests
import urllib3
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseTimeoutError
from azure.identity import AzureCliCredential, EnvironmentCredential

from rewriters import Plaintext
from secretscan.errors import ConfigurationError, SecretscanError, VaultRefused, VaultUnreachable
from secretscan.vault.answers import Answer, Place
from secretscan.vault.client import Vault
from secretscan.vault.denials import forbidden
from secretscan.vault.failures import explain
from secretscan.vault.server import Denial, Deny, EmbeddedVault, Faults, Operation
from secretscan.vault.server.tls import make_identity

VALUE = Plaintext(b"orchid-lantern-7719")
PLACE = Place("https://shop.vault.azure.net", "cli", "shop-key")
GUID = "12345678-1234-1234-1234-123456789abc"


def direct(server: EmbeddedVault, **options) -> Vault:
    settings = {"credential": server.credential(), "verify_challenge": False, "ca_file": str(server.ca_file)} | options
    return Vault(server.url(), use_environment=False, **settings)


@pytest.mark.parametrize(
    ("why", "what", "cause", "hint"),
    [
        (
            Denial.RBAC,
            "has no role that lets it set secrets",
            "takes some minutes",
            'az role assignment create --role "Key Vault Secrets Officer"',
        ),
        (Denial.POLICY, "may not set secrets", "access policy", "az keyvault set-policy --name shop"),
        (Denial.ACCESS_DENIED, "may not set secrets", "access policy", "--secret-permissions get list set"),
        (Denial.FIREWALL, "firewall refuses", "127.0.0.1", "network-rule add --name shop --ip-address 127.0.0.1"),
        (Denial.PUBLIC_ACCESS, "public network", "public network access is disabled", "private endpoint"),
        (Denial.PRIVATE_LINK, "private link", "another vault", "shop.vault.azure.net resolves to a private address"),
    ],
)
def test_each_refusal_says_what_why_and_what_next(join, why, what, cause, hint):
    pair = join(faults=Faults(rules=(Deny(on=frozenset({Operation.SET}), why=why),)))
    with pytest.raises(VaultRefused) as caught:
        pair.vault.put("shop-key", VALUE)
    error = caught.value
    assert what in error.what
    assert cause in error.why
    assert hint in error.next_step
    assert error.where == "shop-key in https://shop.vault.azure.net"
    assert pair.asked(Operation.SET) == 1  # asking again would not help
    assert pair.values("shop-key") == ()


def test_reading_asks_for_the_smaller_role(join):
    pair = join(faults=Faults(rules=(Deny(on=frozenset({Operation.GET})),)))
    with pytest.raises(VaultRefused) as caught:
        pair.vault.check()
    assert '"Key Vault Secrets User"' in caught.value.next_step
    assert caught.value.where == "https://shop.vault.azure.net"


def test_a_missing_permission_to_see_deleted_secrets_does_not_stop_a_write(join):
    pair = join(faults=Faults(rules=(Deny(on=frozenset({Operation.GET_DELETED})),)))
    stored = pair.vault.put("shop-key", VALUE)
    pair.vault.delete(stored.reference)
    with pytest.raises(SecretscanError, match="deleted secret still holds this name"):
        pair.vault.put("shop-key", VALUE)  # the write itself gets the answer


def test_the_role_hint_names_caller_and_scope_and_nothing_else_of_the_text():
    scope = f"/subscriptions/{GUID}/resourcegroups/rg-1/providers/Microsoft.KeyVault/vaults/shop"
    text = (
        f"Caller is not authorized to perform action on resource.\r\nCaller: appid=x;oid={GUID};iss=y\r\n"
        f"Resource: '{scope}/secrets/shop-key'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\n$(reboot)"
    )
    error = forbidden(Answer(403, "Forbidden", "ForbiddenByRbac", text, None), PLACE, "set")
    assert error.what == f"the identity {GUID} has no role that lets it set secrets"
    assert error.next_step.endswith(f'--assignee {GUID} --scope "{scope}"')
    assert "reboot" not in "".join(error.lines())
    denied = text.replace("DenyAssignmentId: null", f"DenyAssignmentId: '{GUID}'")
    error = forbidden(Answer(403, "Forbidden", "ForbiddenByRbac", denied, None), PLACE, "set")
    assert "deny assignment" in error.what


def test_an_unknown_refusal_shows_codes_but_not_the_text():
    answer = Answer(403, "Forbidden", "SomethingNew", f"about {VALUE.reveal().decode()}", None)
    error = forbidden(answer, PLACE, "set")
    assert "403 Forbidden SomethingNew" in error.why
    assert VALUE.reveal().decode() not in "".join(error.lines())


def test_a_closed_port_is_said_at_once(clock):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))  # bound, but nobody listens
        vault = Vault(f"https://127.0.0.1:{holder.getsockname()[1]}", Silent(), use_environment=False, clock=clock)
        with vault, pytest.raises(VaultUnreachable, match="the connection was refused"):
            vault.put("shop-key", VALUE)
    assert clock.now == 0


class Silent:
    """A credential that nobody should ask."""

    def get_token(self, *scopes: str, **options: object) -> None:
        raise AssertionError("a token was asked for")


def test_a_certificate_of_nobody_is_not_trusted(clock):
    with EmbeddedVault(("shop",)) as server, direct(server, ca_file="", clock=clock, credential=Silent()) as vault:
        with pytest.raises(VaultUnreachable, match="not from an authority that this machine trusts"):
            vault.check()
        assert server.requests == ()


def test_a_proxy_that_refuses_is_named(clock):
    with EmbeddedVault(("shop",)) as server:
        vault = Vault(
            "https://unknown.vault.azure.net",
            server.credential(),
            proxy=server.proxy_url,
            ca_file=str(server.ca_file),
            use_environment=False,
            clock=clock,
        )
        with vault, pytest.raises(VaultUnreachable, match="the proxy did not let the request through"):
            vault.check()


def test_a_host_that_asks_for_another_services_token_gets_none(clock):
    with (
        EmbeddedVault(("shop",)) as server,
        direct(server, verify_challenge=True, credential=Silent()) as vault,
        pytest.raises(VaultRefused, match="no token was sent"),
    ):
        vault.check()


class Portal(http.server.BaseHTTPRequestHandler):
    """Answers everything like a captive portal, or sends it elsewhere."""

    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        self.server.paths.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<html>welcome</html>"
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        if self.server.status == 307:
            self.send_header("Location", "https://localhost:1/collect")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = respond  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def portal(status: int, folder):
    identity = make_identity("vault.azure.net")
    ca_file = folder / "ca.pem"
    ca_file.write_text(identity.ca_pem)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        server.status, server.paths = status, []
        server.socket = identity.context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, f"https://localhost:{server.server_address[1]}", str(ca_file)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 307, 403, 404])
def test_what_does_not_answer_like_a_vault_gets_nothing(status, tmp_path, clock):
    with portal(status, tmp_path) as (server, url, ca_file):
        vault = Vault(url, Silent(), ca_file=ca_file, use_environment=False, clock=clock, verify_challenge=False)
        with vault, pytest.raises(VaultUnreachable, match="does not answer like a key vault"):
            vault.put("shop-key", VALUE)
        assert all("collect" not in path for path in server.paths)
        assert len(server.paths) <= 5


def test_no_sign_in_says_how_to_sign_in(join, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    for auth, credential, hint in (
        ("cli", AzureCliCredential(), "az login"),
        ("environment", EnvironmentCredential(), "AZURE_CLIENT_ID"),
    ):
        pair = join(credential=credential, auth=auth)
        with pytest.raises(ConfigurationError) as caught:
            pair.vault.put("shop-key", VALUE)
        assert hint in caught.value.next_step
        assert caught.value.exit_status == 2
        assert pair.asked(Operation.SET) == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("AADSTS700082: The refresh token has expired due to inactivity", "the sign-in has expired (AADSTS700082)"),
        ("AADSTS7000215: Invalid client secret provided", "the client secret is wrong (AADSTS7000215)"),
        ("AADSTS9999999: something of next year", "Microsoft Entra ID answered AADSTS9999999"),
    ],
)
def test_a_refused_sign_in_names_its_reason_without_quoting(text, why):
    error = explain(ClientAuthenticationError(message=text + " orchid-lantern-7719"), PLACE, "get")
    assert isinstance(error, ConfigurationError)
    assert error.why == why


def connection_failure(cause: Exception) -> ServiceRequestError:
    """As the SDK's transport wraps it: requests around urllib3 around the system's error."""
    inner = urllib3.exceptions.MaxRetryError(None, "/secrets", cause)
    return ServiceRequestError("failed", error=requests.exceptions.ConnectionError(inner))


def test_network_failures_have_names():
    resolving = urllib3.exceptions.NameResolutionError("shop.vault.azure.net", None, socket.gaierror(-2, "unknown"))
    resolving.__cause__ = socket.gaierror(-2, "unknown")
    for cause, why in (
        (resolving, "the name shop.vault.azure.net does not resolve"),
        (urllib3.exceptions.ConnectTimeoutError(), "it did not answer in time"),
        (ConnectionResetError(), "the connection was lost"),
    ):
        error = explain(connection_failure(cause), PLACE, "get")
        assert isinstance(error, VaultUnreachable)
        assert error.why == why
    late = explain(ServiceResponseTimeoutError("late"), PLACE, "set")
    assert late.why == "it did not answer in time; a write may have been carried out, and the next run finds out"


def test_a_missing_file_of_authorities_is_a_setting_to_be_changed(clock):
    with (
        EmbeddedVault(("shop",)) as server,
        direct(server, ca_file="/no/such/ca.pem", clock=clock) as vault,
        pytest.raises(ConfigurationError, match="file of certificate authorities"),
    ):
        vault.check()
