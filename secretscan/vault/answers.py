"""A request's place and an error answer's parts: what the decisions about failures rest on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from secretscan.errors import VaultUnreachable

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

__all__ = ["Action", "Answer", "Place", "answer", "not_a_vault"]

Action = Literal["get", "set", "list", "delete", "recover"]

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Place:
    """What a request was about: the vault, how one signed in to it, and the secret's name, if it was about one."""

    vault_url: str
    auth: str = "default"
    name: str = ""

    @property
    def host(self) -> str:
        """Without the port."""
        return re.sub(r":\d+\Z", "", self.vault_url.removeprefix("https://"))

    @property
    def vault_name(self) -> str:
        return self.host.split(".", 1)[0]

    def __str__(self) -> str:
        return f"{self.name} in {self.vault_url}" if self.name else self.vault_url


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of an error answer that decisions rest on. `text` is for looking into, never for showing."""

    status: int
    code: str
    inner: str
    text: str
    retry_after: float | None


def answer(error: HttpResponseError) -> Answer:
    """Takes an error answer apart. Codes that do not look like codes are left out."""
    body = error.error
    inner = getattr(body, "innererror", None)
    code = str(getattr(body, "code", "") or "")
    deeper = str(inner.get("code", "") or "") if isinstance(inner, dict) else ""
    headers = getattr(error.response, "headers", {})
    return Answer(
        status=error.status_code or 0,
        code=code if _CODE.fullmatch(code) else "",
        inner=deeper if _CODE.fullmatch(deeper) else "",
        text=str(getattr(body, "message", "") or "")[:4000],
        retry_after=_seconds(headers.get("Retry-After", "")),
    )


def _seconds(header: str) -> float | None:
    """`Retry-After` in seconds. As a date it would depend on our clock, and the pacer's own pause is as good."""
    return float(header) if re.fullmatch(r"\d{1,5}", header.strip()) else None


def not_a_vault(place: Place) -> VaultUnreachable:
    """The error for an answer that no key vault gives: a captive portal, another service, a broken proxy."""
    return VaultUnreachable(
        "the server does not answer like a key vault",
        where=str(place),
        next_step=f"check the vault's URL, and that no proxy answers in its place: curl -sI {place.vault_url}/secrets",
    )
