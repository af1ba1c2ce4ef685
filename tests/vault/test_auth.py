"""Which URLs are vaults, and how one signs in to them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rewriters import Plaintext
from secretscan.errors import ConfigurationError, UsageError
from secretscan.vault.auth import connect, read_descriptor, vault_url
from secretscan.vault.identity import Identity, identity_of
from secretscan.vault.server import serve


@pytest.mark.parametrize(
    ("given", "url", "authority"),
    [
        ("https://shop.vault.azure.net", "https://shop.vault.azure.net", "login.microsoftonline.com"),
        ("https://Shop-2.Vault.Azure.net:443/", "https://shop-2.vault.azure.net", "login.microsoftonline.com"),
        ("https://shop.vault.azure.cn", "https://shop.vault.azure.cn", "login.chinacloudapi.cn"),
        ("https://shop.vault.usgovcloudapi.net/", "https://shop.vault.usgovcloudapi.net", "login.microsoftonline.us"),
    ],
)
def test_vaults_of_each_cloud(given, url, authority):
    checked = vault_url(given)
    assert (checked.url, checked.authority, checked.loopback, checked.note) == (url, authority, False, "")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://localhost:8443/", "https://localhost:8443"),
        ("https://127.0.0.2:9", "https://127.0.0.2:9"),
        ("https://[::1]:9", "https://[::1]:9"),
    ],
)
def test_this_machine_is_told_apart(given, url):
    checked = vault_url(given)
    assert checked.loopback
    assert checked.url == url


def test_another_host_is_possible_and_mentioned():
    checked = vault_url("https://vault.example.org:8443")
    assert checked.url == "https://vault.example.org:8443"
    assert "not in a known Azure cloud" in checked.note


@pytest.mark.parametrize(
    "given",
    [
        "",
        "http://shop.vault.azure.net",
        "ftp://shop.vault.azure.net",
        "https://",
        "https://shop.vault.azure.net/secrets/x",
        "https://shop.vault.azure.net?x=1",
        "https://shop.vault.azure.net#",
        "https://user@shop.vault.azure.net",
        "https://shop.vault.azure.net@evil.example",
        "https://evil.example\\.vault.azure.net",
        "https://shop.vault.azure.net:8443",
        "https://shop.vault.azure.net:0",
        "https://shop.vault.azure.net:x",
        "https://a.shop.vault.azure.net",
        "https://s.vault.azure.net",
        "https://sh--op.vault.azure.net",
        "https://shop-.vault.azure.net",
        "https://.vault.azure.net",
        "https://shop.managedhsm.azure.net",
        "https://shop.privatelink.vaultcore.azure.net",
        "https://shöp.vault.azure.net",
        "https://shop .vault.azure.net",
        "https://shop.vault.azure.net\r\nHost: evil",
        "https://{shop}.vault.azure.net",
        "https://[::1",
    ],
)
def test_what_is_no_vault(given):
    with pytest.raises(UsageError) as caught:
        vault_url(given)
    assert caught.value.exit_status == 2
    assert "\r" not in str(caught.value)


def test_a_bare_name_is_met_with_a_suggestion():
    with pytest.raises(UsageError) as caught:
        vault_url("Shop-7")
    assert caught.value.next_step == "did you mean https://shop-7.vault.azure.net"


@pytest.fixture
def descriptor(tmp_path):
    """A descriptor as `secretscan vault serve` writes it, while the server runs."""
    path, stop, lines = tmp_path / "vault.json", threading.Event(), []
    up = threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        up.set()

    thread = threading.Thread(target=lambda: serve(str(path), say=say, names=("shop",), stop=stop))
    thread.start()
    try:
        assert up.wait(20)
        yield path
    finally:
        stop.set()
        thread.join()


def test_local_connects_by_the_descriptor_under_either_url(descriptor):
    body = json.loads(descriptor.read_text())
    value = Plaintext(b"orchid-lantern-7719")
    with connect("", "local", descriptor=descriptor) as vault:
        assert vault.url == "https://shop.vault.azure.net"
        stored = vault.put("shop-key", value)
    with connect(body["url"], "local", descriptor=descriptor) as vault:
        assert vault.url == body["url"]
        assert vault.put("shop-key", value).version == stored.version
    shown = repr(read_descriptor(descriptor))
    assert body["token"] not in shown


def test_local_leads_to_no_other_host(descriptor):
    with pytest.raises(UsageError, match="leads to no other host"):
        connect("https://vault.example.org", "local", descriptor=descriptor)


def test_local_has_only_the_vaults_that_are_served(descriptor):
    with pytest.raises(UsageError, match="no such vault") as caught:
        connect("https://another-name.vault.azure.net", "local", descriptor=str(descriptor))
    assert "--name" in caught.value.next_step


def test_an_ended_or_doubtful_descriptor_is_refused(descriptor, tmp_path):
    good = json.loads(descriptor.read_text())
    other = tmp_path / "other.json"

    def refused(text: str, why: str, mode: int = 0o600) -> None:
        other.write_text(text)
        other.chmod(mode)
        with pytest.raises(ConfigurationError, match=why):
            read_descriptor(other)

    refused("{", "not JSON")
    refused("[]", "does not say where")
    refused("[" * 50_000, "not JSON")
    refused("x" * 70_000, "not a small file")
    refused(json.dumps(good | {"token": 7}), "does not say where")
    refused(json.dumps(good | {"proxy": "http://192.0.2.1:80"}), "not on this machine")
    refused(json.dumps(good | {"ca_file": str(tmp_path / "gone.pem")}), "has ended")
    refused(json.dumps(good), "somebody else", mode=0o622)
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_descriptor(tmp_path / "none.json")


def test_sign_ins_that_cannot_be_meant_are_refused(monkeypatch, tmp_path):
    for variable in ("AZURE_TOKEN_CREDENTIALS", "AZURE_AUTHORITY_HOST", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(variable, raising=False)
    url = "https://shop.vault.azure.net"
    with pytest.raises(UsageError, match="no such way to sign in"):
        connect(url, "password")
    with pytest.raises(UsageError, match="needs its descriptor"):
        connect("https://localhost:8443", "cli")
    with pytest.raises(UsageError, match="descriptor is for --auth local"):
        connect(url, "cli", descriptor=tmp_path / "vault.json")
    with pytest.raises(UsageError, match="needs the embedded vault's descriptor"):
        connect(url, "local")
    with pytest.raises(ConfigurationError, match="not for unattended runs"):
        connect(url, "default", unattended=True)
    with pytest.raises(ConfigurationError, match="environment is not set for --auth workload"):
        connect(url, "workload")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "nonsense")
    with pytest.raises(ConfigurationError, match="environment is not set for --auth default"):
        connect(url, "default")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://login.chinacloudapi.cn/")
    with pytest.raises(ConfigurationError, match="another cloud"):
        connect(url, "cli")


@pytest.mark.parametrize("auth", ["cli", "environment", "managed-identity", "default"])
def test_ways_to_sign_in_need_nothing_before_they_are_used(auth, monkeypatch):
    for variable in ("AZURE_TOKEN_CREDENTIALS", "AZURE_AUTHORITY_HOST"):
        monkeypatch.delenv(variable, raising=False)
    with connect("https://shop.vault.azure.net", auth) as vault:
        assert vault.identity == Identity()
        assert vault.notes == ()
    with connect("https://vault.example.org", "cli") as vault:
        assert len(vault.notes) == 1


def test_the_claims_of_a_token_are_read_and_nothing_else_breaks_it():
    claims = {"tid": "0" * 8, "oid": "1" * 8, "upn": "ann\x1b[2J@example.org", "exp": 7}
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    identity = identity_of(f"e30.{part}.signature")
    assert identity == Identity("0" * 8, "1" * 8, "ann\\x1b[2J@example.org")
    assert str(identity) == "ann\\x1b[2J@example.org, object 11111111, tenant 00000000"
    for odd in ("", "a.b", "a.b.c", "a.!!!.c", f"a.{base64.urlsafe_b64encode(b'[]').decode()}.c"):
        assert identity_of(odd) == Identity()
    assert str(Identity()) == "unknown"


def test_importing_costs_no_azure():
    code = (
        "import sys, secretscan.vault.client, secretscan.vault.auth, secretscan.plan.names\n"
        "print([name for name in ('azure', 'requests', 'msal', 'asyncio', 'email') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"
