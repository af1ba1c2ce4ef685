"""Dockerfiles: BuildKit's line rules, values and their spans, what removing a variable does, hostile files."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Refusal, Slot, Span, Unreadable, dockerfile
from rewriters._dockerfile_read import json_items, read
from rewriters._dockerfile_shell import lex
from rewriters._encode import decode, reproduces
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
BACKSLASH = "\\"


def slots(text: str | bytes) -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    found = dockerfile.slots("Dockerfile", data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
        assert slot.literal.covers(slot.span)
    return {slot.pointer: slot for slot in found}


def values(text: str | bytes) -> dict[str, bytes]:
    return {pointer: slot.value.reveal() for pointer, slot in slots(text).items()}


def move(text: str, *pointers: str) -> Report:
    """Moves these places, each to a secret of its own, and holds the answer to all promises."""
    found = slots(text)
    items = [
        Assignment(found[pointer], Reference(VAULT, f"secret-{number}")) for number, pointer in enumerate(pointers)
    ]
    report = check(dockerfile, {"Dockerfile": text.encode()}, items)
    assert not report.broken, report.broken
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["dockerfile"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "Dockerfile",
        "a/b/Dockerfile",
        "dockerfile",
        "Dockerfile.dev",
        "api.Dockerfile",
        "Containerfile",
        "x/Dockerfile-ci",
    ],
)
def test_claims_dockerfiles(path: str) -> None:
    assert dockerfile.claims(path, b"FROM alpine\n")


@pytest.mark.parametrize(
    "path",
    [
        "Dockerfile.dockerignore",
        "docs/dockerfile.md",
        "test_dockerfile.py",
        "Dockerfile.json",
        "compose.yaml",
        "Dockerfile~",
    ],
)
def test_leaves_other_files_alone(path: str) -> None:
    assert not dockerfile.claims(path, b"FROM alpine\n")


# --- line rules -------------------------------------------------------------------------------------------------------


def test_a_value_over_several_lines_has_one_span() -> None:
    text = f"FROM a\nENV KEY=one{BACKSLASH}  \r\n# a comment\r\n\r\ntwo{BACKSLASH}\n{BACKSLASH}\n B=3\n"
    assert values(text) == {"0.ENV.KEY": b"onetwo", "0.ENV.B": b"3"}


def test_quotes_and_escapes_of_env() -> None:
    text = r"""FROM a
ENV A="x \"y\" \n" B='p \q' C=a\ b D=e"f g"h I= J="" K=$A/"$B"
ENV legacy  "two words" 'and more'
"""
    assert values(text) == {
        "0.ENV.A": rb'x "y" \n', "0.ENV.B": rb"p \q", "0.ENV.C": b"a b", "0.ENV.D": b"ef gh", "0.ENV.I": b"",
        "0.ENV.J": b"", "0.ENV.K": b"$A/$B", "0.ENV.legacy": b"two words and more",
    }  # fmt: skip


def test_the_escape_directive_changes_the_escape() -> None:
    text = '# escape=`\nFROM a\nENV P=C:\\dir Q="a`"b" R=x`\ny\n'
    assert values(text) == {"0.ENV.P": b"C:\\dir", "0.ENV.Q": b'a"b', "0.ENV.R": b"xy"}


def test_a_directive_after_a_comment_is_a_comment() -> None:
    assert read(b"# hello\n# escape=`\nFROM a\n").escape == b"\\"


def test_what_buildkit_does_not_read_is_unreadable() -> None:
    for text in (
        b"",
        b"# only a comment\n",
        b"FROM a\nENV A\n",
        b"FROM a\nRUN <<EOF\nx\n",
        "FROM a\n".encode("utf-16"),
    ):
        with pytest.raises(Unreadable):
            dockerfile.slots("Dockerfile", text)


def test_a_latin_1_value_keeps_its_bytes() -> None:
    assert values(b"FROM a\nENV P=caf\xe9-9\n")["0.ENV.P"] == b"caf\xe9-9"


def test_here_documents_are_not_instructions() -> None:
    text = "FROM a\nRUN <<A <<-'B' cat\nENV X=1\nA\n\tENV Y=2\n\tB\nENV Z=3\n"
    assert [name for name in slots(text) if ".ENV." in name] == ["0.ENV.Z"]


def test_names_of_places_are_unique() -> None:
    text = "FROM a AS x\nENV K=1\nENV K=2\nFROM b AS x\nENV K=3\n"
    assert list(slots(text)) == ["x.ENV.K", "x.ENV.K#2", "x.ENV.K#3"]


# --- words of commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "key", "value"),
    [
        ("curl -u me:w0rd https://x.example", "password", b"w0rd"),
        ("curl --user=me:w0rd https://x.example", "password", b"w0rd"),
        ("mysql -pw0rd -h db", "password", b"w0rd"),
        ("sshpass -p 'w0 rd' ssh host", "password", b"w0 rd"),
        ("docker login -u me -p w0rd", "password", b"w0rd"),
        ("redis-cli -a w0rd ping", "password", b"w0rd"),
        ("sudo sqlcmd -P w0rd", "password", b"w0rd"),
        ("app --api-key=w0rd", "api-key", b"w0rd"),
        ("app --api-key 'w0rd'", "api-key", b"w0rd"),
        ("export TOKEN=w0rd", "TOKEN", b"w0rd"),
        ('TOKEN="w0\\"rd" app', "TOKEN", b'w0"rd'),
        ("mvn -Dpassword=w0rd deploy", "password", b"w0rd"),
        ('curl -H "X-Api-Key: w0rd"', "X-Api-Key", b"w0rd"),
        ("curl -H 'Authorization: Bearer w0rd'", "Authorization", b"w0rd"),
        ("echo 'root:w0rd' | chpasswd", "password", b"w0rd"),
        ("npm config set //r.example/:_authToken w0rd", "_authToken", b"w0rd"),
        ("git config --global http.token w0rd", "token", b"w0rd"),
        ("x=$(curl -u me:w0rd https://x.example)", "password", b"w0rd"),
        ('echo "$(app --secret w0rd)"', "secret", b"w0rd"),
        ("(cd x && app --secret w0rd)", "secret", b"w0rd"),
        ("true; if a; then app --secret w0rd; fi", "secret", b"w0rd"),
    ],
)
def test_words_that_a_name_says_something_about(command: str, key: str, value: bytes) -> None:
    found = slots(f"FROM a\nRUN {command}\n")
    assert (key, value) in [(slot.key, slot.value.reveal()) for slot in found.values()]


def test_words_in_comments_and_after_special_quotes_are_none() -> None:
    found = slots("FROM a\nRUN <<EOF\ntrue # --token w0rd\napp --token $'w\\x30rd'\nEOF\n")
    assert not [slot for slot in found.values() if slot.key == "token"]


@given(st.text(alphabet="ab \\\"'$(){}`;|&<>#\n=-", max_size=60))
def test_the_shell_reader_takes_anything(text: str) -> None:
    data = text.encode()
    shell = lex(data, 0, len(data))
    assert len(shell.quoting) == len(data)
    for command in shell.commands:
        for start, end in command.words:
            assert 0 <= start < end <= len(data)


# --- properties -------------------------------------------------------------------------------------------------------

PLAIN = st.text(alphabet="abcXYZ0189_./:@%+-", min_size=1, max_size=20)
ANY = st.text(alphabet="aZ9 \"'\\$#=`ä!", min_size=1, max_size=20)
NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)


def quoted(value: str, style: str) -> str:
    if style == "single" and "'" not in value:
        return f"'{value}'"
    if style == "double":
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'
    return "".join(char if char.isalnum() else f"\\{char}" for char in value)


@given(
    st.lists(st.tuples(NAMES, ANY, st.sampled_from(["bare", "single", "double"])), min_size=1, max_size=4),
    st.booleans(),
)
def test_env_values_are_read_back(entries: list[tuple[str, str, str]], lines: bool) -> None:
    separator = " \\\n    # between\n    " if lines else "  "
    text = (
        "FROM a\nENV " + separator.join(f"{name}={quoted(value, style)}" for name, value, style in entries) + " END=1\n"
    )
    found = list(slots(text).values())[:-1]
    assert [slot.value.reveal().decode() for slot in found] == [value for _, value, _ in entries]
    for slot, (_, value, style) in zip(found, entries, strict=True):
        raw = text.encode()[slot.span.start : slot.span.end]
        if style == "single" and "'" not in value:
            assert slot.encoding == ("raw",)
        assert reproduces(slot.encoding, raw) or slot.encoding[-1].startswith(("word", "escape"))


@given(
    st.lists(st.tuples(NAMES, PLAIN, st.booleans()), min_size=1, max_size=5, unique_by=lambda entry: entry[0]),
    st.booleans(),
)
def test_removing_variables_leaves_the_others(entries: list[tuple[str, str, bool]], lines: bool) -> None:
    separator = " \\\n    # between\n    " if lines else " "
    text = "FROM a\nENV " + separator.join(f"{name}={value}" for name, value, _ in entries) + "\nUSER u\n"
    report = move(text, *(f"0.ENV.{name}" for name, _, gone in entries if gone))
    after = report.after["Dockerfile"]
    kept = [(name, value.encode()) for name, value, gone in entries if not gone]
    assert [(slot.key, slot.value.reveal()) for slot in dockerfile.slots("Dockerfile", after)] == kept
    assert after.count(b"# between") == text.count("# between")
    assert not refusals(report)


@given(PLAIN, st.sampled_from(["{}", "'{}'", '"{}"', "p='{}'", 'x "--t={}"', "$(app --t '{}')"]))
def test_a_part_of_a_run_becomes_a_variable(value: str, form: str) -> None:
    secret = f"S3{value}S3"
    text = f"FROM a\nRUN app {form.format(secret)} last\n"
    slot = slots(text)["0.RUN.0"]
    at = slot.value.reveal().index(secret.encode())
    item = Assignment(slot, Reference(VAULT, "one"), Span(at, at + len(secret)))
    report = check(dockerfile, {"Dockerfile": text.encode()}, [item])
    assert not report.broken, report.broken
    assert not refusals(report)
    assert secret.encode() not in report.after["Dockerfile"]


def test_shells_agree_that_nothing_changed(tmp_path: Path) -> None:
    """The words of a command before, and after with the variable set, as a real shell splits them."""
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("no sh")
    secret = "v$al ue*'x"
    show = tmp_path / "show"
    show.write_text("#!/bin/sh\nprintf '<%s>' \"$@\"\n")
    show.chmod(0o755)
    written = secret.replace("'", "'\\''")
    for form in (
        f"--token '{written}'",
        f"--token='{written}'",
        '--token "v\\$al ue*\'x"',
        "--token v\\$al\\ ue\\*\\'x",
    ):
        before = f"{show} a {form} z"
        report = move(f"FROM a\nRUN {before}\n", "0.RUN.0.token")
        after = read(report.after["Dockerfile"]).instructions[1].args.decode()
        runs = [
            subprocess.run([shell, "-c", command], env={"SECRET_0": secret}, capture_output=True, check=True).stdout
            for command in (before, after)
        ]
        assert runs[0] == runs[1], form
        assert secret.encode() in runs[0]


# --- rewriting --------------------------------------------------------------------------------------------------------


def test_moving_what_is_put_together_frees_its_part() -> None:
    text = "FROM a\nENV P=Xe7RqT1z\nENV URL=x://app:$P@db\n"
    assert [refusal.needs for refusal in refusals(move(text, "0.ENV.P"))] == [("0.ENV.URL",)]


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    report = move("FROM a\nENV SECRET_0=public\nRUN app --token w0rdw0rd $SECRET_0\n", "0.RUN.0.token")
    assert b'env=SECRET_0_2,required=true \\\n    app --token "$SECRET_0_2" $SECRET_0' in report.after["Dockerfile"]


def test_one_secret_of_two_words_is_mounted_once() -> None:
    text = "FROM a\nRUN a --token w0rdw0rd && b --token w0rdw0rd\n"
    found = slots(text)
    items = [Assignment(found[name], Reference(VAULT, "one")) for name in ("0.RUN.0.token", "0.RUN.0.token#2")]
    report = check(dockerfile, {"Dockerfile": text.encode()}, items)
    assert not report.broken
    assert report.after["Dockerfile"].count(b"--mount") == 1


def test_an_arg_that_copy_uses_stays() -> None:
    report = move("FROM a\nARG K=w0rdw0rd\nCOPY x /$K\nRUN echo $K\n", "0.ARG.K")
    assert ["COPY in line 3" in refusal.reason for refusal in refusals(report)] == [True]


def test_a_stage_that_only_feeds_others_needs_nothing_at_run_time() -> None:
    report = move("FROM a AS b\nENV K=w0rdw0rd\nRUN x\nFROM c\nCOPY --from=b / /\n", "b.ENV.K")
    assert {need.kind for need in report.rewrites["dockerfile"].requires} == {"build-secret"}


def test_a_variable_of_a_target_of_its_own_is_for_its_containers() -> None:
    report = move("FROM a AS dev\nENV K=w0rdw0rd\nFROM a\nRUN x\n", "dev.ENV.K")
    assert {need.kind for need in report.rewrites["dockerfile"].requires} == {"runtime-variable"}


@pytest.mark.parametrize(
    ("syntax", "becomes"),
    [
        ("docker/dockerfile:1", "docker/dockerfile:1"),
        ("docker/dockerfile", "docker/dockerfile"),
        ("docker/dockerfile:1.4", "docker/dockerfile:1.10"),
        ("docker/dockerfile:1.9-labs", "docker/dockerfile:1.10-labs"),
        ("docker/dockerfile:1.12", "docker/dockerfile:1.12"),
        ("docker.io/docker/dockerfile:1.2.1", "docker.io/docker/dockerfile:1.10"),
        ("docker/dockerfile-upstream:master", "docker/dockerfile-upstream:master"),
    ],
)
def test_the_frontend_knows_secret_variables(syntax: str, becomes: str) -> None:
    report = move(f"# syntax={syntax}\nFROM a\nARG K=w0rdw0rd\nRUN x $K\n", "0.ARG.K")
    assert report.after["Dockerfile"].startswith(f"# syntax={becomes}\nFROM".encode())


def test_a_frontend_that_cannot_be_judged_is_refused() -> None:
    for syntax in ("docker/dockerfile:experimental", "docker/dockerfile@sha256:" + "0" * 64, "other/one"):
        assert refusals(move(f"# syntax={syntax}\nFROM a\nARG K=w0rdw0rd\nRUN x $K\n", "0.ARG.K"))


def scrambled(chance: Random) -> str:
    """A file of several stages whose variables hide, inherit and hand on each other."""

    def secret() -> str:
        return "Z" + "".join(chance.choices("abcdefghkmnpqrstuvwxyz0123456789", k=14))

    def value() -> str:
        text = secret()
        return chance.choice([text, f'"{text}"', f"'{text}'", f'"{text[:5]} {text[5:]}"', f"{text[:4]}\\ {text[4:]}"])

    lines = ["# syntax=docker/dockerfile:1.4"] * (chance.random() < 0.2)
    for number in range(chance.randrange(1, 4)):
        lines.append(f"FROM {chance.choice(['alpine', *(f's{at}' for at in range(number))])} AS s{number}")
        for _ in range(chance.randrange(1, 6)):
            names = [f"{name}{number}" for name in ("A", "B", "C")] + ["A0", "B0"]
            pair = chance.choice([f"={value()}", f"={value()}", f"=${chance.choice(names)}"])
            gap = chance.choice([" ", " \\\n    ", " \\\n    # between\n    "])
            lines.append(
                chance.choice(
                    [
                        f"ENV {names[0]}={value()}{gap}{names[1]}{pair}{gap}PLAIN=1",
                        f"ARG {chance.choice(names)}={value()}",
                        f"ENV {names[2]} {secret()} and more",
                        f"RUN app --token {value()}{gap}&& curl -u u:{secret()} https://x ${chance.choice(names)}",
                        f"RUN app --key={value()} | sh -c 'b --token={secret()}'",
                        f"RUN <<EOF\nexport X={value()}\nEOF",
                        f'RUN ["sh", "-c", "app --token {secret()} \\"${names[0]}\\""]',
                        f"CMD app --password {value()} ${names[1]}",
                        f"LABEL x={value()}",
                        f"COPY ${names[0]} /",
                    ]
                )
            )
    return "".join(f"{line}\n" for line in lines).replace("\n", chance.choice(["\n", "\r\n"]))


@pytest.mark.parametrize("seed", range(80))
def test_every_promise_holds_in_scrambled_files(seed: int) -> None:
    text = scrambled(Random(seed))  # noqa: S311 - the same files every time
    found = [slot for slot in slots(text).values() if slot.key and b"$" not in slot.value.reveal()]
    numbers: dict[bytes, int] = {}
    items = [
        Assignment(slot, Reference(VAULT, f"secret-{numbers.setdefault(slot.value.reveal(), len(numbers))}"))
        for slot in found
        if slot.key != "PLAIN" and not slot.value.empty()
    ]
    report = check(dockerfile, {"Dockerfile": text.encode()}, items)
    assert not report.broken, report.broken
    assert text.count("# between") == report.after["Dockerfile"].count(b"# between")


# --- hostile files ----------------------------------------------------------------------------------------------------


def test_variables_that_double_do_not_fill_the_memory() -> None:
    text = "FROM a\nENV A=xxxxxxxxxxxxxxxx\n" + "ENV A=$A$A\n" * 200
    found = dockerfile.effective({"Dockerfile": text.encode()}, lambda reference: slots(text)["0.ENV.A"].value)
    assert max(len(delivery.value.reveal()) for delivery in found) <= 4 << 20


def test_bounds() -> None:
    with pytest.raises(Unreadable, match="instructions"):
        dockerfile.slots("Dockerfile", b"FROM a\n" + b"RUN x\n" * 6000)
    with pytest.raises(Unreadable, match="stages"):
        dockerfile.slots("Dockerfile", b"FROM a\n" * 1000)
    for part in (" ", "$(", "<", "a/", "echo a:b|", "--a b ", "\\\n#\n", "A=1 "):
        assert slots("FROM a\nENV A=1\nRUN x " + part * 20_000 + "y\n")
    assert len(slots("FROM a\nENV " + "A=1 " * 20_000 + "\n")) == 20_000
    assert slots("FROM a\nRUN " + "$(" * 5000 + "\nRUN [" + "[" * 5000 + "\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = dockerfile.slots("Dockerfile", b"FROM a\nRUN " + data)
    except Unreadable:
        return
    assert all(slot.literal.covers(slot.span) for slot in found)


# --- BuildKit ---------------------------------------------------------------------------------------------------------

GO_MOD = "module compare\n\ngo 1.24.0\n\nrequire github.com/moby/buildkit v0.26.3\n"
GO_MAIN = """package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

type none struct{}

func (none) Get(string) (string, bool) { return "", false }
func (none) Keys() []string            { return nil }

type entry struct {
	Name     string   `json:"name"`
	Flags    []string `json:"flags"`
	Args     []string `json:"args"`
	JSON     bool     `json:"json"`
	Heredocs []string `json:"heredocs"`
	Values   []string `json:"values"`
}

func main() {
	var files []string
	if err := json.NewDecoder(os.Stdin).Decode(&files); err != nil {
		panic(err)
	}
	var all [][]entry
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		result, err := parser.Parse(file)
		if err != nil {
			all = append(all, nil)
			continue
		}
		lex := shell.NewLex(result.EscapeToken)
		lex.SkipUnsetEnv = true
		entries := []entry{}
		for _, node := range result.AST.Children {
			item := entry{Name: node.Value, Flags: node.Flags, JSON: node.Attributes["json"]}
			for next := node.Next; next != nil; next = next.Next {
				item.Args = append(item.Args, next.Value)
				text := next.Value
				if _, after, ok := strings.Cut(text, "="); ok && strings.EqualFold(node.Value, "arg") {
					text = after
				}
				value, _, err := lex.ProcessWord(text, none{})
				if err != nil {
					value = "?"
				}
				item.Values = append(item.Values, value)
			}
			for _, doc := range node.Heredocs {
				item.Heredocs = append(item.Heredocs, doc.Content)
			}
			entries = append(entries, item)
		}
		all = append(all, entries)
	}
	json.NewEncoder(os.Stdout).Encode(all)
}
"""

SAMPLES = [
    'FROM a\nENV A=1 B=\'x y\' \\\n  # c\n\n  C=z\\ q D="a\\"b\\$c" E=q"r s"t\n',
    "FROM a\nENV old  \"two words\" 'x'\nENV X=a\\\nb\nLABEL a.b=c \"d e\"='f g'\n",
    '# escape=`\nFROM a\nENV P=C:\\x Q="a`"b" `\n  R=y\n',
    "# syntax=docker/dockerfile:1\n# check=error=true\nARG V=1\nFROM --platform=linux/amd64 a:$V AS b\n",
    'FROM a\nRUN --mount=type=secret,id=x,env=Y --network=none \\\n  echo \'a\\\n b\'\nCMD ["a", "b\\u0041\\n"]\n',
    'FROM a\nCMD ["a", b]\nENTRYPOINT [ ]\nRUN ["x"] y\n',
    "FROM a\nRUN <<EOF cat <<-\"X\"\none\nEOF\n\ttwo\n\tX\nCOPY <<'K' /x\nk $k\nK\nRUN echo done\n",
    "\ufeffFROM a\r\nENV A=1 \\\r\n# c\r\n  B=2\r\n",
    "FROM a\nENV A=b\\\\\nENV C=d \\ \n E=f\nRUN x \\",
    "FROM a\n\n  # c\n   ENV A=1\nARG X Y=2 Z='3 4'\nONBUILD ENV Q=1\n",
    'FROM a\nENV A=\\\'x B="it\'s" C=\'say "x"\' D=a\\"b\n',
    "FROM a\nENV A\n",
    "# only\n",
    "FROM a\nRUN <<EOF\nx\n",
]


def generated(count: int) -> list[str]:
    """Files of random pieces that the line rules have something to say about."""
    chance = Random(7)  # noqa: S311 - the same files every time
    pieces = ["A=1", "B='x y'", 'C="q\\"r"', "D=a\\ b", " ", "  ", "\\\n", "\\ \n", "\\\n# c\n", "\\\n\n", "\\\r\n"]
    pieces += [
        "E=",
        "=",
        "'",
        '"',
        "\\",
        "\t",
        "#",
        "F=e\"f g\"'h'",
        "plain",
        "\n",
        "[",
        "]",
        ",",
        "`",
        "--x=y",
        "\u00e4",
    ]
    starts = ["ENV ", "ENV A=1 ", "ARG ", "RUN ", "CMD ", 'CMD ["a", "b"', "LABEL a=b ", "  run --mount=x ", "# c", ""]
    return [
        "".join(
            ["# escape=`\n" * (chance.random() < 0.2), "FROM a\n"]
            + [
                chance.choice(starts) + "".join(chance.choices(pieces, k=chance.randrange(6))) + "\n"
                for _ in range(chance.randrange(1, 3))
            ]
        )
        for _ in range(count)
    ]


def buildkit(folder: Path, samples: list[str]) -> list[list[dict[str, object]] | None]:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed: BuildKit's parser cannot be asked")
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "main.go").write_text(GO_MAIN)
    for arguments in (["mod", "tidy"], ["build", "-o", "compare", "."]):
        made = subprocess.run([go, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip("the module github.com/moby/buildkit cannot be had here")
    names: list[str] = []
    for number, text in enumerate(samples):
        file = folder / f"sample-{number}"
        file.write_bytes(text.encode())
        names.append(str(file))
    result = subprocess.run([folder / "compare"], input=json.dumps(names).encode(), capture_output=True, check=True)
    found: list[list[dict[str, object]] | None] = json.loads(result.stdout)
    return found


def ours(text: str) -> list[dict[str, object]] | None:
    """The same facts as BuildKit's parser gives, by the reader of this project."""
    try:
        dockerfile.slots("Dockerfile", text.encode())
        file = read(text.encode())
        entries: list[dict[str, object]] = []
        for instruction in file.instructions:
            args, found = instruction.args, json_items(instruction.text.value, *instruction.rest)
            entries.append(
                {
                    "name": instruction.keyword,
                    "args": [decode(("json-string",), instruction.text.value[slice(*item)]).decode() for item in found]
                    if found is not None and instruction.keyword in ("RUN", "CMD", "ENTRYPOINT")
                    else [args.decode()],
                    "flags": [option.decode() for option in instruction.options],
                    "heredocs": [text.encode()[doc.body.start : doc.body.end].decode() for doc in instruction.heredocs],
                }
            )
        return entries
    except Unreadable:
        return None


@pytest.mark.slow
def test_the_reader_agrees_with_buildkits_own(tmp_path: Path) -> None:
    samples = SAMPLES + generated(1500)
    for text, expected in zip(samples, buildkit(tmp_path, samples), strict=True):
        found = ours(text)
        if expected is None or found is None:
            assert expected is None and found is None, text
            continue
        # A mark at the end of the file leaves an instruction without a name, which the build then rejects.
        expected = [item for item in expected if item["name"]]
        assert len(found) == len(expected), text
        decoded = list(dockerfile.slots("Dockerfile", text.encode()))
        for mine, other in zip(found, expected, strict=True):
            name = str(other["name"]).upper()
            if name == "ONBUILD" or not name.isascii():
                continue
            assert mine["name"] == name
            assert mine["flags"] == (other["flags"] or []), text
            assert mine["heredocs"] == (other["heredocs"] or []), text
            args = [str(item) for item in other["args"] or []]  # type: ignore[attr-defined]
            if name in ("RUN", "CMD", "ENTRYPOINT"):
                assert mine["args"] == (args or [""]) or mine["args"] == args, text
            if name in ("ENV", "LABEL", "ARG"):
                unquoted = [str(item) for item in other["values"] or []]  # type: ignore[attr-defined]
                expected_values = unquoted[1::3]
                if name == "ARG":
                    expected_values = [value for word, value in zip(args, unquoted, strict=True) if "=" in word]
                for value in expected_values:
                    slot = next(slot for slot in decoded if f".{name}." in slot.pointer)
                    decoded.remove(slot)
                    assert value in ("?", slot.value.reveal().decode()), text


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("COPY id_rsa .npmrc /root/", {"id_rsa", ".npmrc"}),
        ("COPY --from=build /root/.ssh/id_rsa /k", {"/root/.ssh/id_rsa"}),
        ('ADD ["a b/settings.xml", "/m2/"]', {"a b/settings.xml"}),
        ("COPY certs/*.pfx .docker/config.json /x/", {"certs/*.pfx", ".docker/config.json"}),
        ("COPY .ssh/ /root/.ssh/", {".ssh/"}),
        ("COPY '.netrc' \"pip.conf\" /root/", {".netrc", "pip.conf"}),
        ("ONBUILD COPY .env.production /app/.env", {".env.production"}),
        ("COPY . .", set()),
        ("COPY src/key.py ca.pem server.crt .env.example config.json id_rsa.pub /app/", set()),
        ("COPY app.js .npmrc", set()),
    ],
)
def test_copied_key_files_are_places_by_their_names(line: str, names: set[str]) -> None:
    found = slots(f"FROM scratch\n{line}\n").values()
    assert {slot.value.reveal().decode() for slot in found if slot.place == "file"} == names
    assert all(slot.reason and not slot.targets for slot in found)
