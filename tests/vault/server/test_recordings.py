"""Whole conversations that were recorded with the real service, held against the embedded vault.

The clock and the version ids are taken from each recorded answer, so bodies are compared exactly: keys, their order,
values, times, texts. Only skip tokens are matched by shape. What the service does in the background (delete, recover,
purge) ends when the recording shows that it has: a request that differs and changed nothing is repeated after that.
"""

from __future__ import annotations

import csv
import http.client
import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from rewriters import Plaintext
from secretscan.vault.server import Delays, Denial, Deny, EmbeddedVault, Faults, Rule, Throttle, VaultSettings

RECORDINGS = Path(__file__).parents[3].parent / "shared" / "keyvault-recordings"
Json = dict[str, Any]

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="../shared/keyvault-recordings is not there: conversations of the real service"
)


@dataclass
class Hand:
    """A clock that stands still until it is set."""

    now: float = 1_500_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Ids:
    """Gives out the version ids that the recording names."""

    coming: list[str] = field(default_factory=list)
    spare: int = 0

    def __call__(self) -> str:
        if self.coming:
            return self.coming.pop()
        self.spare += 1
        return f"{self.spare:032x}"


@dataclass
class Outcome:
    """What became of the exchanges of one conversation."""

    equal: int = 0
    """The whole answer is the same."""
    unsupported: int = 0
    items_equal: int = 0
    """A page of a list whose items are all in our list, each the same, but on pages cut elsewhere."""
    differences: list[str] = field(default_factory=list)


@dataclass
class Wire:
    """A raw HTTPS connection: what the SDK never sends must be sent too."""

    server: EmbeddedVault

    def __post_init__(self) -> None:
        context = ssl.create_default_context(cadata=self.server.ca_pem)
        host, _, port = self.server.host_port.partition(":")
        self.connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)

    def send(
        self, method: str, host: str, path: str, query: dict[str, str], body: Json | None, *, token: bool
    ) -> tuple[int, dict[str, str], Json | None]:
        headers = {"Host": host, "Content-Type": "application/json"}
        if token:
            headers["Authorization"] = "Bearer " + self.server.token
        content = json.dumps(body).encode() if body is not None else b""
        target = quote(path) + "?" + urlencode(query, safe="$")
        self.connection.request(method, target, body=content, headers=headers)
        answer = self.connection.getresponse()
        got = answer.read()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(got) if got else None


def _cases() -> dict[str, list[Json]]:
    cases: dict[str, list[Json]] = {}
    with (RECORDINGS / "exchanges.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            exchange = json.loads(line)
            cases.setdefault(exchange["case"], []).append(exchange)
    return cases


def _replayable() -> set[str]:
    with (RECORDINGS / "cases.tsv").open(encoding="utf-8", newline="") as file:
        return {row["case"] for row in csv.DictReader(file, delimiter="\t") if row_says_yes(row)}


def row_says_yes(row: dict[str, str]) -> bool:
    return next(text for column, text in row.items() if column.startswith("replayable")) == "yes"


def _items(body: Json | None) -> list[Json]:
    """Everything in an answer that has attributes."""
    if body is None:
        return []
    value = body.get("value")
    return value if isinstance(value, list) else [body] if "attributes" in body else []


def _settings(case: list[Json]) -> VaultSettings:
    for exchange in case:
        for item in _items(exchange["response"]["body"]):
            level, days = item["attributes"]["recoveryLevel"], item["attributes"].get("recoverableDays")
            if level == "Purgeable":
                return VaultSettings(soft_delete=False)
            return VaultSettings(retention_days=days or (90 if level == "Recoverable+Purgeable" else 7))
    return VaultSettings(retention_days=7)


class Replay:
    """One conversation against vaults that nobody else uses."""

    def __init__(self, wire: Wire, clock: Hand, stopwatch: Hand, ids: Ids, label: str) -> None:
        self.wire, self.clock, self.stopwatch, self.ids = wire, clock, stopwatch, ids
        self.hosts = {"VAULT": f"{label}-a.vault.azure.net", "VAULT2": f"{label}-b.vault.azure.net"}
        self.tokens: dict[str, str] = {}
        self.walk: set[str] = set()
        self.outcome = Outcome()

    def run(self, case: list[Json], *, alone: bool) -> Outcome:
        """`alone`: the recorded vault held nothing that the conversation did not put there."""
        if not alone:
            self._plant_foreign(case)
        for exchange in case:
            request, recorded = exchange["request"], exchange["response"]
            where = f"{exchange['case']} #{exchange['order']} {request['method']} {request['path']}"
            got = self._exchange(request, recorded)
            if request["path"].endswith(("/backup", "/restore")) and got[0] == 501:
                self.outcome.unsupported += 1
                if request["path"].endswith("/restore") and recorded["status"] == 200:
                    self._set_again(case[: exchange["order"] - 1], recorded["body"]["id"].split("/")[4])
            elif isinstance((recorded["body"] or {}).get("value"), list):
                self._judge_list(where, request, recorded, got)
            else:
                self._judge(where, recorded, got)
        return self.outcome

    def _exchange(self, request: Json, recorded: Json) -> tuple[int, dict[str, str], Json | None]:
        got = self._send(request, recorded)
        if self._differs(recorded, got) and (request["method"] == "GET" or got[0] >= 400):
            # Nothing has changed by it, so what goes on in the background may end, and the request be made again.
            self.stopwatch.now += 2
            got = self._send(request, recorded)
        return got

    def _send(self, request: Json, recorded: Json) -> tuple[int, dict[str, str], Json | None]:
        body = recorded["body"] or {}
        if recorded["status"] == 200 and request["method"] == "PUT":
            self.ids.coming.append(body["id"].rsplit("/", 1)[1])
            self.clock.now = body["attributes"]["created"]
        elif recorded["status"] == 200 and request["method"] == "PATCH":
            self.clock.now = body["attributes"]["updated"]
        elif recorded["status"] == 200 and request["method"] == "DELETE" and "deletedDate" in body:
            self.clock.now = body["deletedDate"]
        query = dict(request["query"])
        if "$skiptoken" in query:
            query["$skiptoken"] = self.tokens.get(query["$skiptoken"], query["$skiptoken"])
        got = self.wire.send(
            request["method"],
            self.hosts[request["vault"]],
            request["path"],
            query,
            request["body"],
            token=recorded["status"] != 401,
        )
        self.ids.coming.clear()
        return got

    def _set_again(self, before: list[Json], name: str) -> None:
        """There are no backups here: bring the versions back that the rest of the conversation needs."""
        self.stopwatch.now += 2
        for exchange in before:
            request, recorded = exchange["request"], exchange["response"]
            of_it = request["path"].split("/")[1:3] == ["secrets", name]
            if of_it and request["method"] in ("PUT", "PATCH") and recorded["status"] == 200:
                self._send(request, recorded)

    def _judge(self, where: str, recorded: Json, got: tuple[int, dict[str, str], Json | None]) -> None:
        difference = self._differs(recorded, got)
        if difference:
            self.outcome.differences.append(f"{where}: {difference}")
        else:
            self.outcome.equal += 1

    def _differs(self, recorded: Json, got: tuple[int, dict[str, str], Json | None]) -> str:
        status, headers, body = got
        if status != recorded["status"]:
            return f"status {status} instead of {recorded['status']}: {json.dumps(body)[:200]}"
        if headers:
            for name in ("content-type", "cache-control", "www-authenticate"):
                expected = recorded["headers"].get(name)
                if expected is not None and _plain(headers.get(name, "")) != _plain(expected):
                    return f"header {name}: {headers.get(name)}"
        if status == 401 and recorded["body"] is None:
            return ""  # early recordings have no body here
        ours, theirs = self._normal(body), _normal_text(json.dumps(recorded["body"]))
        expected_body = json.loads(theirs)
        if body and isinstance(body.get("value"), list) and isinstance((expected_body or {}).get("value"), list):
            if not self._same_link(body["nextLink"], recorded["body"]["nextLink"]):
                return f"nextLink {body['nextLink']} instead of {recorded['body']['nextLink']}"
            ours["nextLink"] = expected_body["nextLink"] = None
        # Compared as text, so that the order of the keys counts.
        if json.dumps(ours) != json.dumps(expected_body):
            return f"body {json.dumps(ours)[:300]} instead of {json.dumps(expected_body)[:300]}"
        return ""

    def _same_link(self, ours: str | None, theirs: str | None) -> bool:
        if ours is None or theirs is None:
            return ours is theirs
        form = re.compile(
            r"https://([^/]+):443(/[^?]+)\?api-version=([^&]+)&\$skiptoken=([\w-]+)((?:&maxresults=\d+)?)"
        )
        here, there = form.fullmatch(ours), form.fullmatch(theirs)
        if here is None or there is None:
            return False
        self.tokens[there[4]] = here[4]
        return self.hosts[there[1]] == here[1] and here.group(2, 3, 5) == there.group(2, 3, 5)

    def _normal(self, body: Json | None) -> Any:
        text = json.dumps(body)
        for name, host in self.hosts.items():
            text = text.replace(f"https://{host}", f"https://{name}")
        return json.loads(_normal_text(text))

    # --- conversations in a vault that others used at the same time -----------------------------------------------

    def _plant_foreign(self, case: list[Json]) -> None:
        """Put there what the lists show and the conversation did not make."""
        made = {e["request"]["path"].split("/")[2].upper() for e in case if e["request"]["method"] == "PUT"}
        planted: set[str] = set()
        ids = (e["response"]["body"].get("id", "").split("/") for e in case if e["response"]["body"])
        versions = {parts[4]: parts[5] for parts in ids if len(parts) > 5}
        for exchange in case:
            body, path = exchange["response"]["body"] or {}, exchange["request"]["path"]
            items = list(body["value"]) if isinstance(body.get("value"), list) else []
            if exchange["request"]["method"] == "GET" and path.startswith("/deletedsecrets/") and "id" in body:
                items = [body]
            for item in items:
                name = item["id"].split("/")[4]
                if name.upper() in made or name.upper() in planted:
                    continue
                planted.add(name.upper())
                self._plant(item, name, versions.get(name))
        self.stopwatch.now += 2

    def _plant(self, item: Json, name: str, version: str | None) -> None:
        host, attributes = self.hosts["VAULT"], item["attributes"]
        query = {"api-version": "7.4"}
        sent: Json = {"attributes": {key: attributes[key] for key in ("enabled", "nbf", "exp") if key in attributes}}
        sent |= {key: item[key] for key in ("tags", "contentType") if key in item}
        self.clock.now = attributes["created"]
        self.ids.coming += [version] if version else []
        if item.get("managed"):
            vault = host.partition(".")[0]
            self.wire.server.plant_managed(name, Plaintext(b"made up"), vault, content_type=item["contentType"])
        else:
            self.wire.send("PUT", host, f"/secrets/{name}", query, {"value": "made up", **sent}, token=True)
        self.ids.coming.clear()
        self.clock.now = attributes["updated"]
        self.wire.send("PATCH", host, f"/secrets/{name}", query, sent, token=True)
        if "deletedDate" in item:
            self.clock.now = item["deletedDate"]
            self.wire.send("DELETE", host, f"/secrets/{name}", query, None, token=True)

    def _judge_list(
        self, where: str, request: Json, recorded: Json, got: tuple[int, dict[str, str], Json | None]
    ) -> None:
        """The same page, or at least the same items: the service cuts pages as it likes, and others change lists."""
        status, _, body = got
        if status != 200 or body is None or list(body) != list(recorded["body"]):
            self.outcome.differences.append(f"{where}: {status}, not a list")
            return
        if "$skiptoken" not in request["query"]:
            self.walk = self._walk(request)
        self._same_link(body["nextLink"], recorded["body"]["nextLink"])
        if not self._differs(recorded, got):
            self.outcome.equal += 1
        elif all(json.dumps(item) in self.walk for item in recorded["body"]["value"]):
            self.outcome.items_equal += 1
        else:
            self.outcome.differences.append(f"{where}: items")

    def _walk(self, request: Json) -> set[str]:
        """Every item of the list, followed to its end."""
        found: set[str] = set()
        query = dict(request["query"])
        while True:
            _, _, body = self.wire.send("GET", self.hosts[request["vault"]], request["path"], query, None, token=True)
            assert body is not None
            found |= {json.dumps(item) for item in self._normal(body)["value"]}
            if body["nextLink"] is None:
                return found
            query = dict(parse_qsl(urlsplit(body["nextLink"]).query))


def _normal_text(text: str) -> str:
    # Three wordings over the years; the server has the newest.
    text = re.sub(r"(AKV10000: )?Request is missing a Bearer(, PoP, or MTLS_POP| or PoP) token.", "no token", text)
    # One recorder blanked a host in a help link.
    return text.replace("https://REDACTED.microsoft.com", "https://go.microsoft.com")


def _plain(header: str) -> str:
    # The authority's host was another until 2022.
    return header.replace("login.windows.net", "login.microsoftonline.com")


def replay_all() -> Iterator[tuple[str, Outcome]]:
    cases, alone = _cases(), _replayable()
    by_settings: dict[VaultSettings, list[str]] = {}
    for name, case in cases.items():
        by_settings.setdefault(_settings(case), []).append(name)
    for settings, names in by_settings.items():
        clock, stopwatch, ids = Hand(), Hand(), Ids()
        faults = Faults(delays=Delays(1, 1, 1))
        with EmbeddedVault(
            open_names=True, faults=faults, settings=settings, clock=clock, stopwatch=stopwatch, version_id=ids
        ) as server:
            wire = Wire(server)
            for number, name in enumerate(names):
                yield name, Replay(wire, clock, stopwatch, ids, f"case{number}").run(cases[name], alone=name in alone)
            wire.connection.close()
            assert server.failures == ()


KNOWN = {
    "js/secret_client__create_read_update_and_de/can update a disabled secret[7.1] #15": "the wording of 2020",
    **dict.fromkeys(
        (f"python/secrets_client.purge[7.3] #{order}" for order in (76, 77, 78)),
        "a purge that lasts longer than the one after it",
    ),
}
"""Exchanges that are answered otherwise, and why."""


def test_every_recorded_conversation() -> None:
    total = Outcome()
    for _, outcome in replay_all():
        total.equal += outcome.equal
        total.items_equal += outcome.items_equal
        total.unsupported += outcome.unsupported
        total.differences += outcome.differences
    unexplained = [line for line in total.differences if not line.startswith(tuple(known + " " for known in KNOWN))]
    assert unexplained == []
    exchanges = [exchange for case in _cases().values() for exchange in case]
    backups = [
        exchange
        for exchange in exchanges
        if exchange["request"]["path"].endswith(("/backup", "/restore")) and exchange["response"]["status"] != 401
    ]
    lists = [one for one in exchanges if isinstance((one["response"]["body"] or {}).get("value"), list)]
    assert total.unsupported == len(backups)
    assert total.items_equal < len(lists)
    assert total.equal + total.items_equal + total.unsupported + len(KNOWN) == len(exchanges)
    document = (Path(__file__).parents[3] / "docs" / "vault-server.md").read_text(encoding="utf-8")
    for figure in (len(exchanges), total.equal, total.items_equal, total.unsupported, len(KNOWN)):
        assert f"| {figure:,} |" in document


def _related(situation: str) -> Json:
    with (RECORDINGS / "related.jsonl").open(encoding="utf-8") as lines:
        found = [one for one in map(json.loads, lines) if situation in one["case"]]
    body: Json = found[0]["response"]["body"]
    return body


def _secrets_instead_of_keys(text: str) -> str:
    text = re.sub(r"'[\w-]+;location=\w+'", "'VAULT;location=PLACE'", text)
    return text.replace("keys get", "secrets get")


@pytest.mark.parametrize(
    ("situation", "rule"),
    [
        ("403 Forbidden ForbiddenByPolicy", Deny(why=Denial.POLICY)),
        ("403 Forbidden AccessDenied", Deny(why=Denial.ACCESS_DENIED)),
        ("429 Throttled keys", Throttle()),
    ],
)
def test_refusals_that_were_recorded_for_keys(situation: str, rule: Rule) -> None:
    with EmbeddedVault(faults=Faults(rules=(rule,))) as server:
        wire = Wire(server)
        _, _, body = wire.send("GET", server.host_port, "/secrets/any/", {"api-version": "7.4"}, None, token=True)
        wire.connection.close()
    assert _secrets_instead_of_keys(json.dumps(body)) == _secrets_instead_of_keys(json.dumps(_related(situation)))
