"""One request in, one answer out: authentication, api-version, faults, operation. Knows HTTP's words, not its wire."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from . import errors, paging, shapes
from .errors import ServiceError
from .faults import Deny, Drop, Fail, FaultCounter, Faults, Throttle
from .operations import Operation, Route, UnknownPath, WrongMethod, route
from .records import Held, Page, VaultSettings
from .state import Clock, Vault, VersionId

_VAULT_NAME: Final = re.compile(r"(?=.{3,24}\Z)[a-z](-?[a-z0-9])*", re.IGNORECASE)
_CLIENT_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_TENANT: Final = "00000000-0000-0000-0000-000000000000"
_LOG_LENGTH: Final = 20_000


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came over the wire. `target` is path and query, still encoded."""

    method: str
    target: str
    host: str
    authorization: str | None
    client_request_id: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `drop`: nothing goes back, the connection ends."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """One line of the request log. Holds no value and no token."""

    vault: str
    method: str
    path: str
    operation: Operation | None
    name: str
    status: int
    """0: the connection was dropped without an answer."""


def check_vault_name(name: str) -> str:
    """The name in lower case. Raises `ValueError` for one that the service does not allow."""
    if not _VAULT_NAME.fullmatch(name):
        raise ValueError(
            f"vault name {name!r}: 3 to 24 letters, digits and single hyphens, the first a letter, the last no hyphen"
        )
    return name.lower()


class Service:
    """Several vaults behind one token. Safe to call from many threads."""

    def __init__(
        self,
        names: Iterable[str],
        *,
        open_names: bool,
        suffix: str,
        settings: VaultSettings,
        faults: Faults,
        clock: Clock,
        stopwatch: Clock,
        version_id: VersionId,
    ) -> None:
        self.suffix = suffix.lower()
        self.faults = faults
        self._clock = clock
        self._stopwatch = stopwatch
        self._version_id = version_id
        self._open = open_names
        self._settings = settings
        self._counter = FaultCounter(faults)
        self._vaults: dict[str, Vault] = {}
        self._token = secrets.token_urlsafe(32)
        self._log: deque[Served] = deque(maxlen=_LOG_LENGTH)
        self._lock = threading.Lock()
        for name in names:
            self._make(check_vault_name(name))

    @property
    def token(self) -> str:
        """The bearer token that is good now."""
        return self._token

    def renew_token(self) -> None:
        """Make a new token; the old one is refused from now on."""
        self._token = secrets.token_urlsafe(32)

    @property
    def log(self) -> tuple[Served, ...]:
        """The last requests, oldest first."""
        with self._lock:
            return tuple(self._log)

    def vault(self, name: str) -> Vault | None:
        """The vault of that name, made now if any name is allowed."""
        name = name.lower()
        with self._lock:
            found = self._vaults.get(name)
            if found is None and self._open and _VAULT_NAME.fullmatch(name):
                found = self._make(name)
            return found

    def named_by(self, host: str) -> str | None:
        """The vault's name in a `Host` header such as `shop.vault.azure.net:443`; `None` for any other host."""
        label, _, rest = host.lower().removesuffix(":443").partition(".")
        return label if rest == self.suffix else None

    def _make(self, name: str) -> Vault:
        self._vaults[name] = Vault(
            name,
            self._settings,
            self.faults.delays,
            clock=self._clock,
            stopwatch=self._stopwatch,
            version_id=self._version_id,
        )
        return self._vaults[name]

    def answer(self, call: Call, vault: Vault) -> Answer:
        """Serve one request to a vault."""
        parts = urlsplit(call.target)
        where: Route | None = None
        drop = False
        body: shapes.Json | None = None
        status = 200
        extra: tuple[tuple[str, str], ...] = ()
        try:
            self._authenticate(call.authorization)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=16))
            api_version = shapes.check_api_version(query.get("api-version"))
            where = _route(call.method, parts.path)
            drop = self._strike(where, vault, call)
            view = shapes.Shapes(f"https://{call.host.lower().removesuffix(':443')}", vault.settings, api_version)
            body = self._carry_out(where, vault, view, call, query, parts.path)
            status = 204 if body is None else 200
        except _DroppedError:
            drop = True
        except ServiceError as refusal:
            body, status = shapes.error(refusal), refusal.status
            if refusal.status == 401:
                extra = (("WWW-Authenticate", self._challenge()),)
            if refusal.retry_after is not None:
                extra = (*extra, ("Retry-After", str(refusal.retry_after)))
        except ValueError:
            body, status = shapes.error(errors.bad_page("query")), 400
        self._note(call, vault, parts.path, where, 0 if drop else status)
        if drop:
            return Answer(0, drop=True)
        return Answer(status, (*self._headers(call, has_body=body is not None), *extra), _encoded(body))

    def _authenticate(self, authorization: str | None) -> None:
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() not in ("bearer", "pop") or not token.strip():
            raise errors.missing_token()
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token.encode()):
            raise errors.bad_token()

    def _challenge(self) -> str:
        authority = _AUTHORITIES.get(self.suffix, _AUTHORITIES["vault.azure.net"])
        return f'Bearer authorization="https://{authority}/{_TENANT}", resource="https://{self.suffix}"'

    def _strike(self, where: Route, vault: Vault, call: Call) -> bool:
        """Let a fault act: raises, or returns whether the answer shall be lost."""
        rule = self._counter.strike(where.operation, where.name, self._stopwatch())
        match rule:
            case Deny(why=why):
                raise errors.denied(why, where.operation, vault.name, where.name, call.host)
            case Throttle(retry_after=seconds):
                raise errors.throttled(seconds)
            case Fail(status=401):
                raise errors.bad_token()
            case Fail(status=status, retry_after=seconds):
                raise errors.failed(status, seconds)
            case Drop(carried_out=False):
                raise _DroppedError
        return isinstance(rule, Drop)

    def _carry_out(
        self, where: Route, vault: Vault, view: shapes.Shapes, call: Call, query: dict[str, str], path: str
    ) -> shapes.Json | None:
        match where.operation:
            case Operation.SET:
                return view.secret(vault.set(where.name, shapes.read_write(call.body)), value=True)
            case Operation.GET:
                return view.secret(vault.get(where.name, where.version), value=True)
            case Operation.UPDATE:
                return view.secret(vault.update(where.name, where.version, shapes.read_update(call.body)), value=False)
            case Operation.DELETE:
                gone = vault.delete(where.name)
                return view.secret(gone, value=False) if isinstance(gone, Held) else view.deleted(gone)
            case Operation.GET_DELETED:
                return view.deleted(vault.get_deleted(where.name))
            case Operation.RECOVER:
                return view.secret(vault.recover(where.name), value=False)
            case Operation.PURGE:
                vault.purge(where.name)
                return None
            case Operation.LIST | Operation.LIST_VERSIONS | Operation.LIST_DELETED:
                return self._list(where, vault, view, call, query, path)
            case Operation.BACKUP | Operation.RESTORE:
                raise errors.not_supported("backups")

    def _list(
        self, where: Route, vault: Vault, view: shapes.Shapes, call: Call, query: dict[str, str], path: str
    ) -> shapes.Json:
        def fetch(marker: str, limit: int) -> Page:
            if where.operation is Operation.LIST:
                return vault.list(marker, limit)
            if where.operation is Operation.LIST_DELETED:
                return vault.list_deleted(marker, limit)
            return vault.list_versions(where.name, marker, limit)

        asked = query.get("maxresults")
        cursor, limit = paging.read_cursor(query.get("$skiptoken")), paging.read_limit(asked)
        page, following = paging.turn(cursor, limit, fetch, ragged=self.faults.ragged_pages)
        link = None
        if following is not None:
            host = call.host if re.search(r":\d+\Z", call.host) else call.host + ":443"
            link = f"https://{host}{path}?api-version={query['api-version']}&$skiptoken={following.token()}"
            link += f"&maxresults={asked}" if asked is not None else ""
        return view.page(page, link, version=where.operation is Operation.LIST_VERSIONS)

    @staticmethod
    def _headers(call: Call, *, has_body: bool) -> tuple[tuple[str, str], ...]:
        headers = [("Cache-Control", "no-cache"), ("x-ms-request-id", str(uuid.uuid4()))]
        if has_body:
            headers.insert(0, ("Content-Type", "application/json; charset=utf-8"))
        if call.client_request_id and _CLIENT_ID.fullmatch(call.client_request_id):
            headers.append(("x-ms-client-request-id", call.client_request_id))
        headers += [
            ("x-ms-keyvault-region", "local"),
            ("x-ms-keyvault-service-version", "secretscan"),
            ("x-ms-keyvault-network-info", "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;"),
        ]
        return tuple(headers)

    def _note(self, call: Call, vault: Vault, path: str, where: Route | None, status: int) -> None:
        operation, name = (where.operation, where.name) if where else (None, "")
        with self._lock:
            self._log.append(Served(vault.name, call.method, path, operation, name, status))


_AUTHORITIES: Final = {
    "vault.azure.net": "login.microsoftonline.com",
    "vault.azure.cn": "login.chinacloudapi.cn",
    "vault.usgovcloudapi.net": "login.microsoftonline.us",
}


class _DroppedError(Exception):
    """The connection shall end before the request takes effect."""


def _route(method: str, path: str) -> Route:
    try:
        return route(method, path)
    except WrongMethod:
        raise errors.method_not_allowed(method) from None
    except UnknownPath as unknown:
        raise errors.not_supported(f"collection {unknown.args[0]!r}, only secrets") from None


def _encoded(body: shapes.Json | None) -> bytes:
    return b"" if body is None else shapes.encode(body)
