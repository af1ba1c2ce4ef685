"""HashiCorp's own HCL: its parser reads what was rewritten, and its evaluator comes to the same values.

Secrets that a data source reads and variables that the fetch script sets come from the vault; a reference of App
Service is looked up there. Where a container app names a secret instead of a value, the name is followed to the vault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tools.bench import Bench, Case, cases

SUFFIXES = (".tf", ".tf.json", ".tfvars", ".tfvars.json")
BACKEND = {"terraform[0].backend.azurerm[0].access_key": "ARM_ACCESS_KEY"}
_DEFAULT = re.compile(r"variable\.(\w+)(?:\[0\])?\.default")
_REFERENCE = re.compile(r"@Microsoft\.KeyVault\(SecretUri=https://shop\.vault\.azure\.net/secrets/([\w-]+)/?\)")


def evaluated(bench: Bench, place: Path, secrets: Mapping[str, str]) -> Any:
    """What the evaluator makes of every folder's files."""
    vault = bench.folder / "vault.json"
    vault.write_text(json.dumps(dict(secrets)))
    folders = sorted({path.parent for path in place.rglob("*") if path.name.endswith(SUFFIXES)})
    known: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for folder in folders:
        files = sorted(path.name for path in folder.iterdir() if path.name.endswith(SUFFIXES))
        read = bench.asked(bench.program("hcl"), "-vault", vault, *files, place=folder, env=bench.fetched(folder))
        prefix = f"{folder.relative_to(place)}/"
        known |= {prefix + path: value for path, value in read["known"].items()}
        unknown |= {prefix + path: text for path, text in read["unknown"].items()}
        for variable, value in bench.fetched(folder).items():
            known[f"{prefix}environment:{variable.removeprefix('TF_VAR_')}"] = value
    return known, unknown


def resolved(known: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """With the references that App Service and Container Apps look up themselves."""
    result = dict(known)
    for path, value in known.items():
        if found := _REFERENCE.fullmatch(value):
            result[path] = secrets[found[1]]
        if path.endswith(".key_vault_secret_id") and "<" not in value:
            name = value.split("/secrets/")[1].split("/")[0]
            result[path.removesuffix("key_vault_secret_id") + "value"] = secrets.get(name, value)
    for path, value in list(result.items()):
        if path.endswith(".secret_name"):
            resource = "/".join(path.split("/")[:-1]) + "/" + ".".join(path.split("/")[-1].split(".")[:3])
            blocks = [key for key, name in result.items() if key.startswith(f"{resource}.secret[") and name == value]
            (block,) = [key for key in blocks if key.endswith(".name")]
            result[path.removesuffix("secret_name") + "value"] = result[block.removesuffix("name") + "value"]
    return result


def in_place_of(path: str, now: Mapping[str, str]) -> str | None:
    """The value of what no longer stands in the files: what the environment sets."""
    folder, _, rest = path.rpartition("/")
    default = _DEFAULT.fullmatch(rest)
    name = default[1] if default else rest.partition(":")[2] or BACKEND.get(rest, "")
    return now.get(f"{folder}/environment:{name}")


def is_hidden(path: str, was: Mapping[str, str]) -> bool:
    """Whether this is a default that a file of values takes the place of."""
    folder, _, rest = path.rpartition("/")
    default = _DEFAULT.fullmatch(rest)
    return default is not None and f"{folder}/terraform.tfvars:{default[1]}" in was


@pytest.mark.parametrize("case", cases("terraform"), ids=str)
def test_the_evaluator_comes_to_the_same_values(bench: Bench, case: Case) -> None:
    bench.store(case)
    secrets = bench.secrets(case)
    was, unknown = evaluated(bench, bench.lay(case.before, "before"), secrets)
    now, unknown_after = evaluated(bench, bench.lay(case.after, "after"), secrets)
    assert unknown.items() <= unknown_after.items()
    now = resolved(now, secrets)
    for path, value in was.items():
        if not is_hidden(path, was):
            assert (now[path] if path in now else in_place_of(path, now)) == value, path
