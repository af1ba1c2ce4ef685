"""Templates and parameter files: what is claimed, which places there are, how files of any style take references."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Refusal, Settings, Slot, Unreadable, arm
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
VAULT_ID = (
    "/subscriptions/9b1d4c70-0d0e-4f6b-8a55-3f1c2b7e6d42/resourceGroups/rg-1/providers/Microsoft.KeyVault/vaults/shop"
)
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/"
TEMPLATE = f'"$schema": "{SCHEMA}deploymentTemplate.json#"'
PARAMETERS = f'"$schema": "{SCHEMA}deploymentParameters.json#"'


def slots(text: str | bytes, path: str = "app.json") -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    return {slot.pointer: slot for slot in arm.slots(path, data)}


def move(files: dict[str, str], *places: tuple[str, str], settings: Settings | None = None) -> Report:
    data = {path: text.encode() for path, text in files.items()}
    items = [
        Assignment(slots(data[path], path)[pointer], Reference(VAULT, f"the-secret-{at}"))
        for at, (path, pointer) in enumerate(places)
    ]
    report = check(arm, data, items, settings=settings or Settings(vault_id=VAULT_ID))
    assert not report.broken, report.broken
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["arm"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("a/azuredeploy.json", f"{{{TEMPLATE}"),
        ("x.JSON", "\ufeff// ours\n{\n  /* { */ " + TEMPLATE),
        ("x.json", '{"contentVersion": "1.0.0.0", "metadata": {"a": ["}"]}, ' + TEMPLATE),
        ("x.json", '{"$schema":"https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#"'),
        ("x.json", '{"$schema":"http://schema.management.azure.com/schemas/2019-08-01/tenantDeploymentTemplate.json"'),
        ("x.json", '{"$schema":"http://schema.management.azure.com/schemas/2019-08-01/managementGroupDeploymentTemplate.json"'),
        ("x.json", f"{{{PARAMETERS}"),
        ("infra/main.parameters.json", '{"contentVersion": "1.0.0.0", "parameters": {'),
    ],
)  # fmt: skip
def test_claims_templates_and_parameter_files(path: str, head: str) -> None:
    assert arm.claims(path, head.encode())


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("x.yaml", f"{{{TEMPLATE}"),
        ("x.json", '{"kind": "template", "properties": {"template": {' + TEMPLATE),
        ("x.json", '{"$schema": "http://json-schema.org/draft-07/schema#", "parameters": {}'),
        ("x.parameters.json", '{"$schema": "http://json-schema.org/draft-07/schema#", "parameters": {}'),
        ("x.parameters.json", '{"parameters": {'),
        ("x.json", '{"contentVersion": "1.0.0.0", "parameters": {'),
        ("x.json", '{"$schema": "https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#"'),
    ],
)  # fmt: skip
def test_leaves_other_files_alone(path: str, head: str) -> None:
    assert not arm.claims(path, head.encode())


# --- slots ------------------------------------------------------------------------------------------------------------


def test_what_is_neither_template_nor_parameters_is_unreadable() -> None:
    for text in ("{", "[]", '"a"', f"{{{TEMPLATE},", '{"$schema": "x"}', f'{{{PARAMETERS}, "parameters": 1}}', "{}"):
        with pytest.raises(Unreadable):
            arm.slots("x.json", text.encode())


def test_depth_is_bounded() -> None:
    deep = '{"a":' * 5_000 + "1" + "}" * 5_000
    with pytest.raises(Unreadable):
        arm.slots("x.json", f'{{{TEMPLATE}, "variables": {deep}}}'.encode())
    with pytest.raises(Unreadable):
        arm.effective(
            {"x.json": f'{{{TEMPLATE}, "variables": {deep}}}'.encode()}, lambda reference: slots("")[""].value
        )


def test_variables_that_name_each_other_end() -> None:
    text = f"""{{{TEMPLATE}, "variables": {{"a": "[variables('b')]", "b": "[variables('a')]"}},
        "resources": [{{"type": "A/b", "name": "x", "properties": {{"v": "[variables('a')]"}}}}]}}"""
    (found,) = arm.effective({"x.json": text.encode()}, lambda reference: slots("")[""].value)
    assert found.address.name == "v"


def test_names_and_types_are_no_slots() -> None:
    text = f"""{{{TEMPLATE}, "parameters": {{"a": {{"type": "string"}}}}, "resources": [
        {{"type": "A/b", "apiVersion": "2020-01-01", "name": "n", "location": "x", "dependsOn": ["y"]}}]}}"""
    assert not slots(text)


def test_resources_by_symbolic_name() -> None:
    text = f"""{{{TEMPLATE}, "languageVersion": "2.0", "resources": {{"db": {{"type": "A/b", "name": "n",
        "properties": {{"password": "Xw5Tq8Lz"}}}}}}}}"""
    report = move({"x.json": text}, ("x.json", "resources.db.properties.password"))
    after = json.loads(report.after["x.json"])
    assert after["resources"]["db"]["properties"]["password"] == "[parameters('theSecret0')]"
    assert after["parameters"] == {"theSecret0": {"type": "securestring"}}


# --- which files belong together --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "parameters"),
    [
        ("app.json", "app.parameters.json"),
        ("App.json", "app.Parameters.json"),
        ("app.json", "app.parameters.prod.json"),
        ("app.json", "app.prod.parameters.json"),
        ("app.json", "app-parameters.json"),
        ("app.json", "app.param.json"),
        ("template.json", "parameters.json"),
        ("app.json", "parameters.json"),
        ("app.json", "parameters/app.parameters.json"),
        ("d/app.json", "d/prod.json"),
    ],
)
def test_a_parameter_file_feeds_its_template(template: str, parameters: str) -> None:
    one = f'{{{TEMPLATE}, "parameters": {{"p": {{"type": "string"}}}}, "resources": []}}'
    other = f'{{{PARAMETERS}, "parameters": {{"p": {{"value": "Xw5Tq8Lz"}}}}}}'
    report = move({template: one, parameters: other}, (parameters, "parameters.p.value"))
    assert not refusals(report)
    assert json.loads(report.after[template])["parameters"]["p"]["type"] == "securestring"


def test_another_template_stays() -> None:
    one = f'{{{TEMPLATE}, "parameters": {{"q": {{"type": "string"}}}}, "resources": []}}'
    other = f'{{{PARAMETERS}, "parameters": {{"p": {{"value": "Xw5Tq8Lz"}}}}}}'
    report = move({"app.json": one, "b.parameters.json": other}, ("b.parameters.json", "parameters.p.value"))
    assert report.after["app.json"] == one.encode()


# --- the vault's id ---------------------------------------------------------------------------------------------------

ONE = {"p.json": f'{{{PARAMETERS}, "parameters": {{"p": {{"value": "Xw5Tq8Lz"}}}}}}'}
PLACE = ("p.json", "parameters.p.value")


@pytest.mark.parametrize(
    "wrong", ["shop", VAULT_ID + "2", VAULT_ID + "/secrets/a", VAULT_ID.replace("KeyVault", "Sql")]
)
def test_a_wrong_id_is_refused(wrong: str) -> None:
    (found,) = refusals(move(ONE, PLACE, settings=Settings(vault_id=wrong)))
    assert "--vault-id" in found.alternative


def test_an_id_that_another_file_names_is_taken() -> None:
    files = {**ONE, "main.bicep": f"var vault = '{VAULT_ID}'\n"}
    report = move(files, PLACE, settings=Settings())
    assert json.loads(report.after["p.json"])["parameters"]["p"]["reference"]["keyVault"]["id"] == VAULT_ID


def test_two_ids_are_refused() -> None:
    files = {**ONE, "a.tf": VAULT_ID, "b.tf": VAULT_ID.replace("rg-1", "rg-2")}
    (found,) = refusals(move(files, PLACE, settings=Settings()))
    assert "several" in found.reason


def test_a_version_is_named() -> None:
    data = ONE["p.json"].encode()
    item = Assignment(slots(data, "p.json")[PLACE[1]], Reference(VAULT, "a", "0123456789abcdef0123456789abcdef"))
    report = check(arm, {"p.json": data}, [item], settings=Settings(vault_id=VAULT_ID))
    assert not report.broken
    assert b'"secretVersion": "0123456789abcdef0123456789abcdef"' in report.after["p.json"]


# --- any style --------------------------------------------------------------------------------------------------------

VALUES = st.text(alphabet="aZ09 '\"\\:#{}[],&*$<>%@/`-?~é😀\n\t", min_size=1, max_size=24)
GAPS = st.sampled_from(["", " ", "\n", "\n  ", ' // note, "x": {\n', " /* [ */ "])


@st.composite
def documents(draw: st.DrawFn) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """A template and perhaps its parameter file, and the values at their places."""
    indent = draw(st.sampled_from([None, 2, 4, "\t"]))
    names = draw(st.lists(st.sampled_from(["dbPassword", "Token", "p1", "adminPassword"]), min_size=1, unique=True))
    declared: dict[str, object] = {}
    values: dict[str, object] = {}
    places: dict[tuple[str, str], str] = {}
    with_file = draw(st.booleans())
    for number, name in enumerate(names):
        kind = draw(st.sampled_from(["string", "securestring", "secureString"]))
        value = f"S3cr{number}{draw(VALUES)}"
        declared[name] = {"type": kind}
        if with_file and draw(st.booleans()):
            values[name] = {"value": value}
            places["app.parameters.json", f"parameters.{name}.value"] = value
        else:
            declared[name] = {"type": kind, "defaultValue": value}
            places["app.json", f"parameters.{name}.defaultValue"] = value
    inner = draw(VALUES)
    escaped = f"[{inner}]" if draw(st.booleans()) else f"x{inner}"
    properties = {"a": f"[parameters('{names[0]}')]", "password": f"[{escaped}" if escaped[0] == "[" else escaped}
    resource = {"type": "Example/things", "apiVersion": "2024-01-01", "name": "thing", "properties": properties}
    if escaped.strip():
        places["app.json", "resources.thing.properties.password"] = escaped
    template = {"parameters": declared, "resources": [resource]}
    head, tail = draw(GAPS), draw(GAPS)
    made = {
        "app.json": f"{{{head}{TEMPLATE},{tail}"
        + json.dumps(template, indent=indent, ensure_ascii=draw(st.booleans()))[1:]
    }
    if with_file:
        made["app.parameters.json"] = (
            f"{{{head}{PARAMETERS},{tail}" + json.dumps({"parameters": values}, indent=indent, ensure_ascii=False)[1:]
        )
    if draw(st.booleans()):
        made = {path: text.replace("\n", "\r\n") for path, text in made.items()}
    if draw(st.booleans()):
        made = {path: "\ufeff" + text for path, text in made.items()}
    return made, places


@given(documents())
def test_values_of_any_style_become_references(made: tuple[dict[str, str], dict[tuple[str, str], str]]) -> None:
    files, places = made
    for (path, pointer), value in places.items():
        assert slots(files[path], path)[pointer].value.reveal().decode() == value
    same: dict[str, list[tuple[str, str]]] = {}
    for place, value in places.items():
        same.setdefault(value, []).append(place)
    assert not refusals(move(files, *places))


# --- resources that read the vault by themselves ----------------------------------------------------------------------

WHO = VAULT_ID.replace("Microsoft.KeyVault/vaults/shop", "Microsoft.ManagedIdentity/userAssignedIdentities/web")
IDENTITIES: list[dict[str, object]] = [
    {},
    {"identity": {"type": "SystemAssigned"}},
    {"identity": {"type": "None"}},
    {"identity": {"type": "UserAssigned", "userAssignedIdentities": {WHO: {}}}},
    {"identity": {"type": "UserAssigned", "userAssignedIdentities": {WHO: {}, WHO + "2": {}}}},
    {"identity": "[parameters('identity')]"},
]


@st.composite
def applications(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A template with apps of several kinds, and the pointers of the values in it."""
    resources: list[dict[str, object]] = []
    places: list[str] = []
    values = st.builds("S3cr{}".format, VALUES)
    for number in range(draw(st.integers(1, 3))):
        name, identity = f"app{number}", draw(st.sampled_from(IDENTITIES))
        settings = [{"name": key, "value": draw(values)} for key in ("A_TOKEN", "B.KEY")[: draw(st.integers(1, 2))]]
        version = draw(st.sampled_from(["2022-03-01", "2024-03-01", "[variables('v')]"]))
        common = {"name": name, "apiVersion": version, **identity}
        steps = [f'"{item["name"]}"' if "." in item["name"] else item["name"] for item in settings]
        match draw(st.sampled_from(["site", "config", "app", "group"])):
            case "site":
                resources.append(
                    {"type": "Microsoft.Web/sites", **common, "properties": {"siteConfig": {"appSettings": settings}}}
                )
                places += [f"resources.{name}.properties.siteConfig.appSettings.{step}.value" for step in steps]
            case "config":
                flat = {item["name"]: item["value"] for item in settings}
                config = {"type": "Microsoft.Web/sites/config", "name": f"{name}/appsettings", "properties": flat}
                resources += [{"type": "Microsoft.Web/sites", **common, "properties": {}}, config]
                places += [f"resources.{name}/appsettings.properties.{step}" for step in steps]
            case "app":
                secrets: dict[str, object] = draw(
                    st.sampled_from([{}, {"configuration": {}}, {"configuration": {"secrets": []}}])
                )
                body = {**secrets, "template": {"containers": [{"name": "c", "env": settings}]}}
                resources.append({"type": "Microsoft.App/containerApps", **common, "properties": body})
                places += [f"resources.{name}.properties.template.containers.c.env.{step}.value" for step in steps]
            case _:
                body = {"containers": [{"name": "c", "properties": {"environmentVariables": settings}}]}
                resources.append({"type": "Microsoft.ContainerInstance/containerGroups", **common, "properties": body})
                base = f"resources.{name}.properties.containers.c.properties.environmentVariables"
                places += [f"{base}.{step}.value" for step in steps]
    indent = draw(st.sampled_from([None, 2, "\t"]))
    text = json.dumps({"parameters": {}, "resources": resources}, indent=indent, ensure_ascii=False)
    return f"{{{TEMPLATE}, {text[1:]}", places


@given(applications(), st.sampled_from(["", WHO]))
def test_applications_of_any_kind_are_handed_the_same(made: tuple[str, list[str]], identity: str) -> None:
    text, places = made
    same: dict[bytes, int] = {}
    found = slots(text)
    for pointer in places:
        same.setdefault(found[pointer].value.reveal(), len(same))
    items = [
        Assignment(found[pointer], Reference(VAULT, f"the-secret-{same[found[pointer].value.reveal()]}"))
        for pointer in places
    ]
    report = check(arm, {"app.json": text.encode()}, items, settings=Settings(vault_id=VAULT_ID, identity=identity))
    assert not report.broken, report.broken
    assert not refusals(report)
    assert not report.unproven


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("web/appsettings", "web"),
        ("[concat(parameters('n'), '/appsettings')]", "[parameters('n')]"),
        ("[concat( variables('n'),'/', 'appsettings')]", "[variables('n')]"),
        ("[format('{0}/{1}', parameters('n'), 'appsettings')]", "[parameters('n')]"),
        ("[format('{0}/appsettings', parameters('n'))]", "[parameters('n')]"),
    ],
)
def test_a_configuration_finds_its_app(name: str, owner: str) -> None:
    resources = [
        {"type": "Microsoft.Web/sites", "name": "other", "properties": {}},
        {"type": "Microsoft.Web/sites", "name": owner, "identity": {"type": "SystemAssigned"}, "properties": {}},
        {"type": "Microsoft.Web/sites/config", "name": name, "properties": {"TOKEN": "Xw5Tq8Lz"}},
    ]
    text = f'{{{TEMPLATE}, "resources": {json.dumps(resources)}}}'
    place = "resources.2.properties.TOKEN" if name.startswith("[") else f"resources.{name}.properties.TOKEN"
    report = move({"x.json": text}, ("x.json", place), settings=Settings())
    assert not refusals(report)
    assert (
        b"@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/secrets/the-secret-0/)" in report.after["x.json"]
    )
