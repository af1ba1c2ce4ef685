"""Spring: what is claimed, that both readers agree on any document, and that nothing is ever changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Unreadable, claimants, spring
from rewriters._spring_names import secret_name, variable
from rewriters.check import check

VAULT = "https://shop.vault.azure.net"
ODD = "aZ09 '\"\\:#!{}[]$%,&=|<>@`-?~\té🔑"


def unmoved(path: str, data: bytes) -> dict[str, Plaintext]:
    """What stands in the file; everything is assigned, and everything stays."""
    slots = spring.slots(path, data)
    items = [Assignment(slot, Reference(VAULT, f"s-{at}")) for at, slot in enumerate(slots)]
    report = check(spring, {path: data}, items)
    assert not report.broken, report.broken
    assert not report.unproven, report.unproven
    assert report.after == {path: data}
    assert report.refused == len(slots)
    return {slot.pointer: slot.value for slot in slots}


def read_again(path: str, data: bytes) -> dict[str, Plaintext]:
    """By pointer, what the other reader sees."""
    found: dict[str, Plaintext] = {}
    for item in spring.effective({path: data}, _none):
        document = item.address.subject.removeprefix(path).removeprefix("#")
        found[(f"document-{document}." if document else "") + item.address.name] = item.value
    return found


def alternative(path: str, text: str, pointer: str, name: str = "orders-db-password") -> str:
    (slot,) = (slot for slot in spring.slots(path, text.encode()) if slot.pointer == pointer)
    rewrite = check(spring, {path: text.encode()}, [Assignment(slot, Reference(VAULT, name))]).rewrites["spring"]
    return rewrite.refusals[0].alternative


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "application.properties",
        "src/main/resources/application.yml",
        "config/application-prod.yaml",
        "bootstrap.yml",
        "a/bootstrap-eu.west_1.properties",
    ],
)
def test_claims_by_the_name(path: str) -> None:
    assert [rewriter.NAME for rewriter in claimants(path, b"shop:\n  a: 1\n")] == ["spring"]


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("gradle.properties", b"a=b"),
        ("myapplication.yml", b"a: b"),
        ("application.json", b"{}"),
        ("application-/x.yml", b"a: b"),
        ("application.yml", b"apiVersion: argoproj.io/v1alpha1\nkind: Application\n"),
        ("templates/application.yaml", b"a: {{ .Values.a }}\n"),
        ("application.yml", b"services:\n  db:\n    image: postgres\n"),
        ("application.yml", b"type: Microsoft.App/containerApps\nproperties:\n"),
        ("application.yml", b"componentType: state.redis\n"),
        ("application.yml", b'{"a": 1}'),
        (".github/workflows/application.yml", b"on: push\n"),
        ("application.properties", b"a=\0b"),
    ],
)
def test_leaves_other_files_alone(path: str, head: bytes) -> None:
    assert not spring.claims(path, head)
    assert len(claimants(path, head)) <= 1


@pytest.mark.parametrize("path", ["application.properties", "application.yml"])
def test_utf16_is_claimed_and_said_to_be_unreadable(path: str) -> None:
    data = "a=b".encode("utf-16")
    assert spring.claims(path, data)
    with pytest.raises(Unreadable):
        spring.slots(path, data)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("application.properties", b"a=\\u12"),
        ("application.properties", b"a\\uzzzz=1"),
        ("application.properties", b"x" * 5000 + b"\0"),
        ("application.yml", b"a: [1"),
        ("application.yml", b"a: @home\n"),
        ("application.yml", b"a: " + b"[" * 500),
    ],
)
def test_what_spring_does_not_read_is_unreadable(path: str, text: bytes) -> None:
    with pytest.raises(Unreadable):
        spring.slots(path, text)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sets", "secret"),
    [
        ("spring.datasource.password", "SPRING_DATASOURCE_PASSWORD", "spring-datasource-password"),
        ("spring.main.log-startup-info", "SPRING_MAIN_LOGSTARTUPINFO", "spring-main-logstartupinfo"),
        ("acme.myProject.person.firstName", "ACME_MYPROJECT_PERSON_FIRSTNAME", "acme-myproject-person-firstname"),
        ("acme.my_project.first_name", "ACME_MYPROJECT_FIRSTNAME", "acme-myproject-firstname"),
        ("my.service[0].other", "MY_SERVICE_0_OTHER", ""),
        ("my[0][1]", "MY_0_1", ""),
        ("api-key", "APIKEY", "api-key"),
        ("a[b.c]", "", ""),
        ("quarkus.datasource.password", "QUARKUS_DATASOURCE_PASSWORD", ""),
        ('quarkus.datasource."users".password', "QUARKUS_DATASOURCE__USERS__PASSWORD", ""),
        ("1st", "", "1st"),
        ("é", "", ""),
    ],
)
def test_names_elsewhere(name: str, sets: str, secret: str) -> None:
    assert variable(name) == sets
    assert secret_name(name) == secret


def test_the_proposed_change_names_what_to_set() -> None:
    said = alternative(
        "application-prod.yml", "app:\n  client-secret: Zk4-walnut\n", "app.client-secret", "shop-client"
    )
    assert "write ${SHOP_CLIENT} here" in said
    assert "set APP_CLIENTSECRET" in said
    assert "store the secret as app-clientsecret" in said
    assert said.count("where the profile prod is active") == 2
    assert f"endpoint: {VAULT}/," in said


def test_a_secret_of_the_right_name_needs_no_other() -> None:
    said = alternative("application.properties", "app.pin=Zk4-walnut\n", "app.pin", "app-pin")
    assert "store the secret" not in said
    assert "APP_PIN, which stands" not in said


@pytest.mark.parametrize("name", ["spring.cloud.config.password", "spring.config.import"])
def test_what_is_read_first_is_not_promised_from_the_vault(name: str) -> None:
    assert "starter" not in alternative("application.properties", f"{name}=Zk4-walnut\n", name)


# --- documents of properties ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pointers"),
    [
        ("a=1\n#---\nb=2\n", ["a", "document-2.b"]),
        ("a=1\r\n!---  \r\nb=2", ["a", "document-2.b"]),
        ("a=1\n #---\nb=2\n", ["a", "b"]),
        ("a=1\n#----\nb=2\n", ["a", "b"]),
        ("a=1\n# c\n#---\nb=2\n", ["a", "b"]),
        ("a=1\n! c\n#---\nb=2\n", ["a", "document-2.b"]),
        ("a=1\n# c\n\n#---\nb=2\n", ["a", "document-2.b"]),
        ("a=1\n#---\n# c\nb=2\n", ["a", "b"]),
        ("#---\na=1\n#---\n#---\nb=2\n", ["a", "document-2.b"]),
        ("a=1\\\n#---\nb=2\n", ["a", "b"]),
        ("a=1\na=2\n", ["a", "a~2"]),
    ],
)
def test_documents_of_properties(text: str, pointers: list[str]) -> None:
    assert list(unmoved("application.properties", text.encode())) == pointers


# --- any document -----------------------------------------------------------------------------------------------------

VALUES = st.text(alphabet=ODD + "\n", max_size=20)
NAMES = st.lists(st.text(alphabet="abcXYZ-_", min_size=1, max_size=5), min_size=1, max_size=3).map(".".join)
BREAKS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def properties(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    line_break = draw(BREAKS)
    lines: list[str] = []
    held: dict[str, str] = {}
    for name in draw(st.lists(NAMES, min_size=1, max_size=5, unique=True)):
        value = draw(VALUES)
        lines += draw(st.lists(st.sampled_from(["", "  ", "# it = x\\", "  ! no", "\t"]), max_size=2))
        sign = draw(st.sampled_from(["=", ":", " = ", "\t:\t", f" =\\{line_break}  "]))
        lines.append(draw(st.sampled_from(["", " ", "\t"])) + name + sign + _written(draw, value, line_break))
        held[name] = value
    text = line_break.join(lines) + draw(st.sampled_from(["", line_break]))
    return (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.encode(), held


def _written(draw: st.DrawFn, value: str, line_break: str) -> str:
    """A value, some of its letters escaped, and lines that go on where no blank would be lost."""
    text = ""
    for at, letter in enumerate(value):
        must = letter in "\\\n\t" or (at == 0 and letter in " \t")
        how = draw(st.sampled_from(["plain", "plain", "plain", "escape", "number", "line"]))
        units = letter.encode("utf-16-be")
        if how == "number":
            text += "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
            continue
        if how == "line" and letter not in " \t\n":
            text += f"\\{line_break}   "
        short = {"\n": "\\n", "\t": "\\t"}.get(letter, f"\\{letter}")
        text += short if must or (how == "escape" and letter not in "aZ09é🔑") else letter
    return text


@given(properties())
def test_any_properties_stay(made: tuple[bytes, dict[str, str]]) -> None:
    data, held = made
    found = unmoved("application.properties", data)
    assert {name: found[name] for name in held} == {name: Plaintext(value.encode()) for name, value in held.items()}
    if data.isascii():
        assert read_again("application.properties", data) == found


@given(st.binary(max_size=60), st.sampled_from(["application.properties", "application.yml"]))
def test_any_bytes_are_read_or_said_to_be_unreadable(data: bytes, path: str) -> None:
    try:
        spring.slots(path, data)
    except Unreadable:
        return
    unmoved(path, data)


@st.composite
def yaml(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    lines: list[str] = []
    held: dict[str, str] = {}
    step = " " * draw(st.integers(1, 4))
    documents = draw(st.integers(1, 2))
    for number in range(1, documents + 1):
        lines += ["---"] * (number > 1)
        for group in draw(st.lists(st.sampled_from(["db", "mq", "app"]), min_size=1, max_size=2, unique=True)):
            lines += [*draw(st.sampled_from([[], ["# a comment: 'x"]])), f"{group}:"]
            for name in draw(st.lists(st.sampled_from(["password", "user-name", "key"]), min_size=1, unique=True)):
                value = draw(st.text(alphabet=ODD.replace("\t", ""), max_size=16))
                quoted = draw(st.booleans())
                text = "'" + value.replace("'", "''") + "'"
                if quoted:
                    text = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
                lines.append(f"{step}{name}: {text}" + draw(st.sampled_from(["", " # note"])))
                held[("" if number == 1 else f"document-{number}.") + f"{group}.{name}"] = value
    line_break = draw(st.sampled_from(["\n", "\r\n"]))
    bom = b"\xef\xbb\xbf" if draw(st.booleans()) else b""
    return bom + line_break.join([*lines, ""]).encode(), held


@given(yaml())
def test_any_yaml_stays(made: tuple[bytes, dict[str, str]]) -> None:
    data, held = made
    found = unmoved("application.yml", data)
    assert {name: found[name] for name in held} == {name: Plaintext(value.encode()) for name, value in held.items()}
    assert read_again("application.yml", data) == found


def test_what_maven_fills_in_is_read() -> None:
    text = b"a: @x.y@\r\nb:\r\n- @x@-1\r\n- '@q@'\r\nc: user@x@y\r\n"
    found = unmoved("application.yml", text)
    assert found["a"] == Plaintext(b"@x.y@")
    assert found["b[0]"] == Plaintext(b"@x@-1")
    assert found["c"] == Plaintext(b"user@x@y")
    assert read_again("application.yml", text) == found


def test_long_files_cost_no_more_than_their_size() -> None:
    text = b"a: @x@ : @x@ " * 20000 + b"'\n"
    with pytest.raises(Unreadable):
        spring.slots("application.yml", text)
    assert len(spring.slots("application.properties", b"#---\n" * 50_000 + b"a=\\\n" * 20_000)) == 1


def _none(reference: Reference) -> Plaintext:
    raise LookupError(reference.name)
