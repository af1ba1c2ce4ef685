"""Values that are known from other files are masked where nothing finds them."""

from __future__ import annotations

import base64
import json
import secrets
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from rewriters import Plaintext, Span
from secretscan import api
from secretscan.inventory.ids import Ids
from secretscan.model import Sighting
from secretscan.review.inspect import LONGEST
from secretscan.review.known import known_spans
from secretscan.review.table import Table

IDS = Ids(b"k" * 32)
ODD = 'p"ä/+&=%' + "x7Qw20LmZ" + "\\<"


def spans(text: str, *values: str) -> list[str]:
    data = text.encode()
    known = {IDS.secret(Plaintext(value.encode())) for value in values}
    return [data[span.start : span.end].decode() for span in known_spans(data, known, IDS)]


@pytest.mark.parametrize("value", ["Zt81mwQxLk55Yp", "a-b_c.d~e1234", ODD, "ends-with==", "?begins-with"])
@pytest.mark.parametrize(
    "around", ["{}", "# was {} once", "x={}", '"{}"', "postgres://app:{}@db/app", "['{}', 1]", "-p {}\r"]
)
def test_a_value_is_seen_whatever_stands_around_it(value: str, around: str) -> None:
    assert spans(around.format(value), value) == [value]


def test_a_value_is_seen_as_what_spells_it() -> None:
    spelled = (base64.b64encode(ODD.encode()).decode(), quote(ODD, safe=""), json.dumps(ODD)[1:-1])
    for each in spelled:
        (found,) = spans(f"- {each} #", ODD)
        assert found.rstrip("=") == each.rstrip("=")


def test_nothing_else_is_seen() -> None:
    assert spans("Zt81mwQxLk55Yp Zt81mwQxLk55Yq", "Zt81mwQxLk55Yr") == []
    assert spans("", "Zt81mwQxLk55Yr") == []


def test_a_line_of_delimiters_takes_no_time() -> None:
    since = time.process_time()
    assert known_spans(b"abcd=" * 2000, {"0" * 32}, IDS) == []
    assert time.process_time() - since < 0.5


def test_no_span_lies_in_another() -> None:
    assert known_spans(
        b"aaaaaaaa:bbbbbbbb", {IDS.secret(Plaintext(each)) for each in (b"aaaaaaaa:bbbbbbbb", b"bbbbbbbb")}, IDS
    ) == [Span(0, 17)]


def test_the_lines_around_a_place_show_no_value_of_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root, value = tmp_path / "root", "Kq" + secrets.token_urlsafe(30)
    root.mkdir()
    (root / "a.env").write_text(f"ADMIN_PASSWORD={value}\n")
    (root / "b.env").write_text(
        f"# {value} was it\nAPI_TOKEN={secrets.token_hex(24)}\nX={base64.b64encode(value.encode()).decode()}\n"
        f"# {'z' * (LONGEST - 20)} {value}\n"
    )
    api.scan([str(root)])
    table = Table()
    for batch in api.sightings(root):
        table.extend(batch)
    (there,) = (table[at] for at in range(len(table)) if table[at].path == "b.env")
    shown = lines(root, there, table)
    assert value[:10] not in shown
    assert base64.b64encode(value.encode()).decode()[:10] not in shown
    assert shown.count("***") == 4
    assert value[:10] in lines(root, there, Table())


def lines(root: Path, place: Sighting, table: Table) -> str:
    (seen,) = api.inspect(root, [place], known=table.strong).places
    return "\n".join(line.text for line in seen.lines)
