"""Compose's own loader as the judge: it must hand over the same before and after, and read what we read.

Uses the program that SECRETSCAN_COMPOSE names, else `docker-compose`, else `docker compose`. No engine is needed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from rewriters import Plaintext, by_name, dotenv, fetch
from rewriters._compose_interpolate import substitute, varies
from rewriters._compose_words import words
from rewriters._dotenv_read import raw_lines, statements, unescaped, values
from rewriters.check import check

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
pytestmark = pytest.mark.slow


@cache
def program() -> tuple[str, ...]:
    named = os.environ.get("SECRETSCAN_COMPOSE", "")
    choices = [(named,)] if named else [("docker-compose",), ("docker", "compose")]
    for choice in choices:
        if shutil.which(choice[0]):
            probe = subprocess.run([*choice, "version"], capture_output=True, check=False, timeout=60)
            if probe.returncode == 0:
                return choice
    return ()


@pytest.fixture(autouse=True)
def _needs_compose() -> None:
    if not program():
        pytest.skip("Compose is not here: name its program in SECRETSCAN_COMPOSE")


@cache
def cases() -> ModuleType:
    name = "secretscan_cases"
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / "test_cases.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def config(folder: Path, files: dict[str, bytes], main: str, env: dict[str, str]) -> tuple[dict[str, Any], str]:
    """What Compose makes of the file, or nothing and its complaint."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    command = [*program(), "-p", "shop", "-f", str(folder / main), "config", "--format", "json"]
    place = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, env=place | env)
    if done.returncode:
        return {}, done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result, ""


def plain(node: Any) -> Any:
    """Without the doubling of dollar signs that the output has."""
    if isinstance(node, str):
        return node.replace("$$", "$")
    if isinstance(node, list):
        return [plain(item) for item in node]
    return {key: plain(item) for key, item in node.items()} if isinstance(node, dict) else node


def handed(model: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """What the services get; a variable that the image reads from a secret's file is the variable itself."""
    result: dict[str, Any] = {}
    secrets = model.get("secrets", {})
    for name, service in plain(model)["services"].items():
        variables = dict(service.get("environment") or {})
        for key in list(variables):
            source = secrets.get(str(variables[key]).removeprefix("/run/secrets/"), {}).get("environment")
            if key.endswith("_FILE") and source in env:
                variables[key.removesuffix("_FILE").removesuffix("_")] = env[source]
                del variables[key]
        kept = {key: service.get(key) for key in ("command", "entrypoint", "healthcheck", "labels", "logging")}
        result[name] = kept | {"environment": variables}
    result["configs"] = {key: value.get("content") for key, value in plain(model).get("configs", {}).items()}
    return result


def swarm(folder: Path) -> bool:
    """Whether the case ends in a secret that a swarm holds: Compose reads such files, and knows no value of it."""
    texts = [b"".join(file.read_bytes() for file in (folder / part).rglob("*.y*ml")) for part in ("in", "out")]
    return texts[1].count(b"external: true") > texts[0].count(b"external: true")


FOLDERS = [
    folder
    for platform in ("compose", "dotenv")
    for folder in sorted((FIXTURES / platform).glob("*"))
    if (folder / "out").is_dir()
    and any(by_name("compose").claims(p.name, b"") for p in folder.rglob("in/**/*.y*ml"))
    and not swarm(folder)
]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_compose_hands_over_the_same(folder: Path, tmp_path: Path) -> None:
    walker = cases()
    case = walker.load(folder / "case.toml")
    files = walker.tree(folder / "in")
    rewriter = by_name(folder.parent.name)
    assignments = [walker.assignment(rewriter, files, move) for move in case.move]
    report = check(rewriter, files, assignments, requirements=[need.requirement() for need in case.requires])
    env: dict[str, str] = {}
    for variable in report.rewrites[rewriter.NAME].variables:
        env[variable.name] = "required-9"
        for item in assignments:
            if item.reference == variable.reference:
                value = item.slot.value.reveal()
                env[variable.name] = (value if item.part is None else value[item.part.start : item.part.end]).decode()
    for main in [path for path in files if by_name("compose").claims(path, files[path][:4096])]:
        before, complaint = config(tmp_path / "t", files, main, env)
        assert not complaint
        after, complaint = config(tmp_path / "t", dict(report.after), main, env)
        assert not complaint
        was, now = handed(before, env), handed(after, env)
        for need in case.requires:
            for name, service in now.items():
                added = need.name in service.get("environment", {}) and need.name not in was[name].get(
                    "environment", {}
                )
                if added and need.kind == "runtime-variable":
                    assert service["environment"].pop(need.name) == "required-9"
        assert now == was
        known = {variable.reference: variable.name for variable in report.rewrites[rewriter.NAME].variables}
        ours = {
            (item.address.subject.rsplit("/", 1)[-1], item.address.name): item.value.reveal().decode()
            for item in by_name("compose").effective(
                files, lambda found, env=env, known=known: Plaintext(env[known[found]].encode())
            )
            if item.address.channel == "env" and item.address.path == main
        }
        theirs = {
            (name, key): value
            for name, service in was.items()
            if name != "configs"
            for key, value in service["environment"].items()
            if value is not None
        }
        # Numbers are taken as they are spelled, and unknown variables stay; everything else is as Compose has it.
        other = {key for key, value in ours.items() if theirs.get(key) != value}
        assert {key for key in other if key[1] != "PIN" and "${" not in ours[key]} == set()
        assert ours.keys() == theirs.keys()


@pytest.mark.parametrize("name", ["environment-list", "part-of-url", "command-string", "default-of-variable"])
def test_without_the_script_compose_stops_and_names_it(name: str, tmp_path: Path) -> None:
    walker = cases()
    files = walker.tree(FIXTURES / "compose" / name / "out")
    model, complaint = config(tmp_path / "t", files, "compose.yaml", {})
    assert not model and "fetch-secrets.sh" in complaint


TEMPLATES = [
    "plain", "$$", "a$$b$$$$c", "$A", "${A}", "${A}b$A-", "${A:-d}", "${E:-d}", "${E-d}", "${U-d}", "${U:-}",
    "${A:+x}", "${E:+x}", "${E+x}", "${U:-${A}}", "${U:-${U:-deep}}", "${A:?no}/${A?no}", "x${U-a$$b}y",
    '{"k": "${A:-v}", "l": {}}', "${A:-x}:${U:-y}", "${U:-run ./fetch-secrets.sh}", "${U:-a-b:-c}",
]  # fmt: skip


def test_substitution_is_that_of_compose(tmp_path: Path) -> None:
    known = {"A": "va$l", "E": ""}
    listing = {"services": {"s": {"image": "i", "environment": {f"T{i}": t for i, t in enumerate(TEMPLATES)}}}}
    model, complaint = config(tmp_path / "t", {"compose.yaml": json.dumps(listing).encode()}, "compose.yaml", known)
    assert not complaint
    theirs = plain(model)["services"]["s"]["environment"]
    for index, template in enumerate(TEMPLATES):
        # What is not known stays as it is written with us; with Compose it is empty, or the default.
        plainly = template.replace("${U-", "${U:-").encode()
        ours = substitute(plainly, lambda name: known.get(name, "").encode())
        assert ours.decode() == theirs[f"T{index}"], template


LINES = b"""\xef\xbb\xbf# comment
PLAIN=abc
SPACES =  a b  \nHASH=a#b
COMMENT=ab # c
EMPTY=
AT_ONCE=#x
DOLLAR=a$$b
SINGLE='a $A "b" \\n it\\'s \\\\'
DOUBLE="a \\"b\\" \\\\ \\n \\t x"
ESCAPED="a\\$b"
DOUBLED="a$$b"
VARIABLE="<${A}>"
EARLIER=${PLAIN}-${A:-x}
export EXPORTED=e
COLON: c d
KEY.WITH-MORE=1
LINES="one
two
three"
AFTER="q" # c
CR=with\r
QUOTED_CR="with"\r
LAST=end"""


def test_env_files_are_read_as_compose_reads_them(tmp_path: Path) -> None:
    files = {
        "a.env": LINES,
        "compose.yaml": b"""
services:
  s: {image: i, env_file: a.env}
  r: {image: i, env_file: [{path: b.env, format: raw}]}
""",
        "b.env": b"A=1\n  B=two words # x\n# c\nC='q'\nD=a$$b\n\nE=\n",
    }
    model, complaint = config(tmp_path / "t", files, "compose.yaml", {"A": "va$l"})
    assert not complaint
    services = plain(model)["services"]
    ours = {key: value.decode() for key, value in values(LINES, {"A": b"va$l"}.get)}
    assert ours == services["s"]["environment"]
    assert len(ours) == len(list(statements(LINES)))
    assert {key: value.decode() for key, value in raw_lines(files["b.env"])} == services["r"]["environment"]


def test_the_shell_wins_over_the_file_beside_it(tmp_path: Path) -> None:
    files = {
        ".env": b"A=${SHOP_A:?run ./fetch-secrets.sh}\nB=from-file\n",
        "compose.yaml": b'services: {s: {image: i, environment: {A: "${A}", B: "${B}"}}}',
    }
    files["fetch-secrets.sh"] = fetch.script("", [], None).content
    model, complaint = config(tmp_path / "t", files, "compose.yaml", {"SHOP_A": "va$l", "B": "from-shell"})
    assert not complaint
    assert plain(model)["services"]["s"]["environment"] == {"A": "va$l", "B": "from-shell"}
    _, complaint = config(tmp_path / "t", files, "compose.yaml", {})
    assert "fetch-secrets.sh" in complaint


def test_random_env_files_are_read_as_compose_reads_them(tmp_path: Path) -> None:
    chance = Random(20261124)  # noqa: S311 - repeatable input, nothing secret
    lines: list[bytes] = []
    while len(lines) < 300:
        text = "".join(chance.choice("ab1 \t\\\\$$\"'#=:-_.,;!~n{}é") for _ in range(chance.randrange(12)))
        quote = chance.choice(["", "'", '"'])
        line = f"K{len(lines)}{chance.choice(['=', ' = ', ': '])}{quote}{text}{quote}".encode()
        found = list(statements(line))
        told = bool(found) and not found[0].odd and found[0].literal.end >= len(line.rstrip())
        if told and b"{" not in unescaped(line, found[0]) and not varies(unescaped(line, found[0])):
            lines.append(line)
    files = {
        "a.env": b"\n".join(lines),
        "compose.yaml": b"services:\n  s:\n    image: i\n    env_file: a.env\n",
    }
    model, complaint = config(tmp_path / "t", files, "compose.yaml", {})
    assert not complaint
    theirs = plain(model)["services"]["s"]["environment"]
    for line in lines:
        (statement,) = statements(line)
        (slot,) = dotenv.slots(".env", line)
        assert slot.value.reveal().decode() == theirs[statement.key], line
    assert {key: value.decode() for key, value in values(files["a.env"], lambda name: None)} == theirs


def test_commands_are_divided_as_compose_divides_them(tmp_path: Path) -> None:
    chance = Random(20261124)  # noqa: S311 - repeatable input, nothing secret
    texts = [
        " ".join(
            chance.choice(["run", "--flag=x", "'single quoted'", '"double quoted"', "-p", "a:b@c/d", "k=v", "%!", "é"])
            for _ in range(chance.randrange(1, 7))
        )
        for _ in range(60)
    ]
    services = {f"s{index}": {"image": "i", "command": text} for index, text in enumerate(texts)}
    model, complaint = config(
        tmp_path / "t", {"compose.yaml": json.dumps({"services": services}).encode()}, "compose.yaml", {}
    )
    assert not complaint
    for index, text in enumerate(texts):
        raw = text.encode()
        ours = [raw[word.span.start : word.span.end].decode() for word in words(raw) if word.simple]
        assert ours == plain(model)["services"][f"s{index}"]["command"], text
