"""The roles of a plan's readers, as a Bicep template."""

from __future__ import annotations

from pathlib import Path

from rewriters import bicep
from secretscan import api

URL = "https://shop.vault.azure.net"


def test_each_reader_gets_its_secrets_and_no_others(shop: Path) -> None:
    plan = api.plan([str(shop)], URL, None).plan
    text = api.roles(plan)
    found = {slot.pointer: slot.value.reveal().decode() for slot in bicep.slots("roles.bicep", text.encode())}
    assert found["param.vaultName"] == "shop"
    names = {secret.name for secret in plan.secrets}
    listed = [value for pointer, value in found.items() if pointer.startswith("var.names")]
    assert set(listed) == names
    assert text.count("Microsoft.Authorization/roleAssignments@") == text.count("var names")
    assert "'shop-worker'" in text
    assert "param reader" in text
    assert text.count("principalType: 'ServicePrincipal'") == text.count("userAssignedIdentities@")


def test_the_template_reads_as_bicep(shop: Path) -> None:
    import tree_sitter
    import tree_sitter_bicep

    text = api.roles(api.plan([str(shop)], URL, None).plan)
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))
    assert not parser.parse(text.encode()).root_node.has_error


def test_names_of_files_stay_in_their_quotes(shop: Path) -> None:
    (shop / "aci").rename(shop / "it's ${here}")
    text = api.roles(api.plan([str(shop)], URL, None).plan)
    code = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    assert "${here}" not in code.replace("\\${here}", "")
    assert bicep.slots("roles.bicep", text.encode())
