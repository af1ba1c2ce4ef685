"""Clients of the real SDK for the embedded vault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from azure.keyvault.secrets import SecretClient

from secretscan.vault.server import EmbeddedVault

Start = Callable[..., EmbeddedVault]
Client = Callable[..., SecretClient]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts vaults; at the end each is closed, and none may have made a mistake."""
    with ExitStack() as stack:
        started: list[EmbeddedVault] = []

        def make(*args: Any, **options: Any) -> EmbeddedVault:
            vault = stack.enter_context(EmbeddedVault(*args, **options))
            started.append(vault)
            return vault

        yield make
        assert [vault.failures for vault in started] == [()] * len(started)


@pytest.fixture(params=["proxy", "direct"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Makes SDK clients of a vault: by its real URL through the proxy, and by localhost."""
    with ExitStack() as stack:

        def make(vault: EmbeddedVault, name: str | None = None, **options: Any) -> SecretClient:
            if request.param == "proxy":
                options = {"vault_url": vault.azure_url(name), "proxies": {"https": vault.proxy_url}, **options}
            else:
                options = {"vault_url": vault.url(name), "verify_challenge_resource": False, **options}
            made = SecretClient(
                credential=vault.credential(), connection_verify=str(vault.ca_file), retry_total=0, **options
            )
            return stack.enter_context(made)

        yield make


@pytest.fixture
def plain_client() -> Iterator[Client]:
    """Makes SDK clients by localhost only, for what the way there has no part in."""
    with ExitStack() as stack:

        def make(vault: EmbeddedVault, name: str | None = None, **options: Any) -> SecretClient:
            options = {"retry_total": 0, **options}
            made = SecretClient(
                vault_url=vault.url(name),
                credential=vault.credential(),
                connection_verify=str(vault.ca_file),
                verify_challenge_resource=False,
                **options,
            )
            return stack.enter_context(made)

        yield make
