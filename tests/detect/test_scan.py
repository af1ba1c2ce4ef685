"""One value in one place is one finding, which knows its slot."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from rewriters import Span
from secretscan.detect.scan import FileScan
from secretscan.model import Finding

Scan = Callable[[str, bytes | str], FileScan]
Expand = Callable[[str], str]


def _one(result: FileScan) -> Finding:
    (found,) = result.findings
    return found


def test_a_slot_of_compose(scan: Scan, expand: Expand) -> None:
    value = expand("{alnum:18}")
    data = f"services:\n  db:\n    environment:\n      POSTGRES_USER: shop\n      POSTGRES_PASSWORD: {value}\n"
    result = scan("compose.yaml", data)
    found = _one(result)
    assert found.value.reveal() == value.encode()
    assert (found.location.line, found.location.column, found.location.platform) == (5, 26, "compose")
    assert found.location.pointer == "services.db.environment.POSTGRES_PASSWORD"
    assert found.references
    assert not found.reason
    assert found.slot in result.slots
    assert found.part is None
    assert result.data == data.encode()
    assert value not in repr(found)
    assert value not in repr(result)


def test_a_part_of_a_slot(scan: Scan, expand: Expand) -> None:
    value = expand("{alnum:18}")
    url = f"postgres://shop:{value}@db:5432/shop"
    found = _one(scan("compose.yaml", f"services:\n  api:\n    environment:\n      - DATABASE_URL={url}\n"))
    assert found.rule == "url-password"
    assert found.slot is not None
    assert found.part is not None
    assert found.slot.value.reveal()[found.part.start : found.part.end] == value.encode() == found.value.reveal()


def test_a_vendors_form_under_a_telling_name_is_one_finding(scan: Scan, expand: Expand) -> None:
    found = _one(scan(".env", expand("GITHUB_TOKEN=ghp_{alnum:36}\n")))
    assert found.rule == "github-token"
    assert found.part is None


def test_base64_data_of_a_secret(scan: Scan, expand: Expand) -> None:
    value = expand("{alnum:18}").encode()
    url = expand("amqp://shop:{alnum:14}@mq:5672").encode()
    data = (
        b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: shop\ndata:\n  blob: "
        + base64.b64encode(value)
        + b"\n  url: "
        + base64.b64encode(url)
        + b"\n  user: c2hvcA==\n"
    )
    first, second = scan("secret.yaml", data).findings
    assert first.value.reveal() == value
    assert first.encoding == ("base64",)
    assert second.rule == "url-password"
    assert second.value.reveal() == url[12:26]
    span = second.location.span
    assert base64.b64decode(data[span.start : span.end]) == url
    assert second.part == Span(12, 26)


@pytest.mark.parametrize("style", ["|", "|-", "|+", ">", ">-"])
def test_lines_of_a_config_map(scan: Scan, expand: Expand, style: str) -> None:
    value = expand("{alnum:18}")
    data = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\ndata:\n"
        f"  application.properties: {style}\n    server.port=8080\n\n    db.password={value}\n\n    db.user=shop\n"
    )
    found = _one(scan("config.yaml", data))
    assert found.value.reveal() == value.encode()
    assert found.location.line == 9
    assert data.encode()[found.location.span.start : found.location.span.end] == value.encode()


def test_slots_within_a_slot_are_one_finding(scan: Scan, expand: Expand) -> None:
    result = scan("Dockerfile", expand("FROM alpine\nRUN curl -u shop:{alnum:14} https://example.org\n"))
    assert len(result.slots) > 1
    assert _one(result).references


def test_comments_of_a_claimed_file(scan: Scan, expand: Expand) -> None:
    result = scan(
        "compose.yaml",
        expand("# POSTGRES_PASSWORD=postgres\n# ghp_{alnum:36}\nservices:\n  web:\n    image: nginx\n"),
    )
    found = _one(result)
    assert found.rule == "github-token"
    assert found.slot is None
    assert "not a place" in found.reason


def test_a_file_of_no_platform(scan: Scan, expand: Expand) -> None:
    result = scan("src/settings.properties", expand("db.password={alnum:14}\n"))
    found = _one(result)
    assert (found.location.platform, found.location.key, found.references) == ("", "db.password", ())
    assert "no supported platform" in found.reason
    assert result.data is None


def test_broken_yaml_is_searched_as_text_and_named(scan: Scan, expand: Expand) -> None:
    result = scan("compose.yaml", expand("services:\n  db:\n   a: [\n  TOKEN: {alnum:20}\n"))
    (item,) = result.unscanned
    assert item.partial
    assert item.line
    assert "compose" in item.reason
    assert _one(result).location.line == 4


def test_utf16_manifest_is_searched_as_text_and_named(scan: Scan, expand: Expand) -> None:
    text = expand("services:\n  db:\n    environment:\n      DB_PASSWORD: {alnum:20}\n")
    result = scan("compose.yaml", b"\xff\xfe" + text.encode("utf-16-le"))
    assert _one(result).location.line == 4
    assert [item.partial for item in result.unscanned] == [True]


def test_an_example_file_is_not_deployed_as_it_stands(scan: Scan, expand: Expand) -> None:
    text = expand("DB_PASSWORD=changeme\nDB_PASS=postgres\nAPI_KEY={alnum:24}\n")
    assert [found.strength for found in scan(".env", text).findings] == ["placeholder", "weak", "strong"]
    assert [found.strength for found in scan(".env.example", text).findings] == ["strong"]


def test_a_file_that_is_a_secret(scan: Scan, expand: Expand) -> None:
    value = expand("{alnum:14}")
    found = _one(scan("secrets/db_password.txt", value + "\n"))
    assert found.rule == "secret-file"
    assert found.value.reveal() == value.encode()
    assert scan("docs/password.txt", "how to choose a password\n").findings == ()
    assert scan("token_path.txt", value).findings == ()


@pytest.mark.parametrize("path", ["app.py", "Main.java", "index.ts", "README.md", "package-lock.json"])
def test_code_and_documents_speak_of_credentials(scan: Scan, path: str) -> None:
    text = (
        'password = "password"\ntoken = get_token()\napi_key: str = ""\nPASSWORD = os.environ["PASSWORD"]\n'
        'secret="secret"\nlabel = {"password": "Password:"}\nconnect("postgres://user:password@localhost/db")\n'
    )
    assert scan(path, text).findings == ()


def test_a_generated_literal_in_code(scan: Scan, expand: Expand) -> None:
    found = _one(scan("app.py", expand('CLIENT_SECRET = "{hex:40}"\n')))
    assert found.strength == "strong"


def test_findings_come_in_order(scan: Scan, expand: Expand) -> None:
    result = scan(".env", expand("B_PASSWORD={alnum:12}\n# ghp_{alnum:36}\nA_PASSWORD={alnum:12}\n"))
    assert [found.location.line for found in result.findings] == [1, 2, 3]


@pytest.mark.parametrize("engine", ["hyperscan", "re"])
def test_both_engines_give_the_same_findings(
    engine: str, scan: Scan, expand: Expand, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secretscan.detect import text
    from secretscan.detect.engine import make
    from secretscan.detect.ruleset import load

    samples = [(f"{rule.id}.ini", expand("\n".join(rule.examples))) for rule in load()]
    want = [scan(path, sample).findings for path, sample in samples]
    monkeypatch.setenv("SECRETSCAN_ENGINE", engine)
    made = make(tuple(rule.triggers for rule in load()))
    monkeypatch.setattr(text, "_engine", lambda: made)
    from secretscan.detect.scan import Detector

    detector = Detector()
    from io import BytesIO

    class Memory:
        def __init__(self, path: str, data: str) -> None:
            self.path, self.data, self.size = path, data.encode(), len(data)

        def open(self) -> BytesIO:
            return BytesIO(self.data)

    assert [detector.scan(Memory(path, sample)).findings for path, sample in samples] == want
