"""Service Fabric: what is claimed, which places there are, how manifests of any style take references."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Files, Reference, Refusal, Slot, Unreadable, servicefabric
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
VERSION = "0f6c2d9be4a84c5d9d1f3a7b8c6e5d40"
NAMESPACE = "http://schemas.microsoft.com/2011/01/fabric"
XMLNS = f'xmlns="{NAMESPACE}"'
MANIFEST = f"""<ApplicationManifest ApplicationTypeName="T" ApplicationTypeVersion="1" {XMLNS}>
  <Parameters>
    <Parameter Name="Password" DefaultValue="" />
  </Parameters>
  <ServiceManifestImport>
    <ServiceManifestRef ServiceManifestName="Api" ServiceManifestVersion="1" />
    <EnvironmentOverrides CodePackageRef="Code">
      <EnvironmentVariable Name="PASSWORD" Value="[Password]" />
    </EnvironmentOverrides>
  </ServiceManifestImport>
</ApplicationManifest>
"""
CLOUD = f"""<Application Name="fabric:/T" {XMLNS}>
  <Parameters><Parameter Name="Password" Value="Xw5Tq8Lz" /></Parameters>
</Application>
"""
TREE = {"T/ApplicationPackageRoot/ApplicationManifest.xml": MANIFEST, "T/ApplicationParameters/Cloud.xml": CLOUD}
PASSWORD = "Parameters.Password.Value"


def files(tree: dict[str, str]) -> Files:
    return {path: text.encode() for path, text in tree.items()}


def slots(path: str, text: str | bytes) -> dict[str, Slot]:
    return {
        slot.pointer: slot for slot in servicefabric.slots(path, text if isinstance(text, bytes) else text.encode())
    }


def move(tree: Files, *places: tuple[str, str], version: str = VERSION) -> Report:
    items = [
        Assignment(slots(path, tree[path])[pointer], Reference(VAULT, f"secret-{at}", version))
        for at, (path, pointer) in enumerate(places)
    ]
    report = check(servicefabric, tree, items)
    assert not report.broken, report.broken
    assert not report.not_undoable, report.not_undoable
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["servicefabric"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root", ["ApplicationManifest", "ServiceManifest", "Settings", "Application", "ClusterManifest"]
)
def test_claims_files_of_the_service_model(root: str) -> None:
    assert servicefabric.claims("a/B.xml", f"<{root} {XMLNS}>".encode())
    assert servicefabric.claims("a/B.XML", f'\ufeff<?xml version="1.0"?>\n<f:{root} xmlns:f="{NAMESPACE}">'.encode())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Settings.xml", "<Settings><Section/></Settings>"),
        ("Cloud.xml", f'<PublishProfile xmlns="{NAMESPACE.replace("01/fabric", "05/fabrictools")}"/>'),
        ("Settings.json", f"<Settings {XMLNS}>"),
        ("web.config", "<configuration/>"),
        ("App.xml", f"<ApplicationInstance {XMLNS}>"),
    ],
)
def test_leaves_other_files_alone(path: str, text: str) -> None:
    assert not servicefabric.claims(path, text.encode())


def test_utf16_is_claimed_and_said_to_be_unreadable() -> None:
    data = f"<Settings {XMLNS}></Settings>".encode("utf-16")
    assert servicefabric.claims("Settings.xml", data)
    with pytest.raises(Unreadable, match="UTF-16"):
        servicefabric.slots("Settings.xml", data)


def test_what_is_no_manifest_is_unreadable() -> None:
    for text in ("<Settings", "<Other/>", "<!DOCTYPE Settings><Settings/>", "<Settings>" + "<a>" * 200):
        with pytest.raises(Unreadable):
            servicefabric.slots("Settings.xml", text.encode())


# --- slots ------------------------------------------------------------------------------------------------------------


def test_what_refers_to_something_else_has_no_name() -> None:
    sealed = "MIIB3QYJKoZIhvcNAQcDoIIBzjCCAcoCAQAxggFTMIIBTwIBADA3MCMxITAfBgNVBAMMGHNob3AtZW5jaXBoZXJtZW50LWNlcnQ="
    text = f"""<Settings {XMLNS}><Section Name="S">
      <Parameter Name="Password" Type="KeyVaultReference" Value="{VAULT}/secrets/a/{VERSION}" />
      <Parameter Name="ApiToken" Type="SecretsStoreRef" Value="a:1" />
      <Parameter Name="Secret" IsEncrypted="true" Value="anything" />
      <Parameter Name="SecretKey" Value="{sealed}" />
      <Parameter Name="OtherKey" IsEncrypted="false" Value="plain" />
    </Section></Settings>"""
    found = slots("Settings.xml", text)
    assert {slot.key for slot in found.values()} == {"", "OtherKey"} and "S.ApiToken" not in found
    assert [pointer for pointer, slot in found.items() if slot.targets] == ["S.OtherKey"]


def test_names_that_are_used_twice_stay_apart() -> None:
    pairs = '<Parameter Name="a" Value="1"/><Parameter Name="a" Value="2"/>'
    text = f'<Settings {XMLNS}><Section Name="S">{pairs}</Section></Settings>'
    assert list(slots("Settings.xml", text)) == ["S.a", "S.a#2"]


def test_a_default_takes_a_reference_only_where_a_place_resolves_it() -> None:
    path = "T/ApplicationPackageRoot/ApplicationManifest.xml"
    assert slots(path, MANIFEST)["Parameters.Password.DefaultValue"].targets
    others = '<DefaultServices Token="[Password]" /><ServiceManifestRef'
    for text in (
        MANIFEST.replace("[Password]", "x"),
        MANIFEST.replace('Name="Api"', 'Name="[Password]"'),
        MANIFEST.replace("<ServiceManifestRef", others),
    ):
        default = slots(path, text)["Parameters.Password.DefaultValue"]
        assert not default.targets and default.reason


# --- rewriting --------------------------------------------------------------------------------------------------------

VALUES = st.text(st.sampled_from("aZ09 '\"\\:#{}[],&*!|>%@`-?~é$<;\n\t😀"), min_size=1, max_size=20).map(
    lambda text: f"S3cr{text}"
)


def attribute(value: str, quote: str) -> str:
    text = value.replace("&", "&amp;").replace("<", "&lt;").replace(quote, "&quot;" if quote == '"' else "&apos;")
    return quote + text.replace("\n", "&#xA;").replace("\t", "&#x9;") + quote


def parsed(data: bytes) -> dict[str, str]:
    """The attributes of the first parameter of the first section."""
    return ET.fromstring(data)[0][0].attrib  # noqa: S314 - made here


@given(
    VALUES,
    st.sampled_from("\"'"),
    st.sampled_from([" ", "\n      ", "  "]),
    st.sampled_from(["", ' Type="PlainText"', " IsEncrypted='false'"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_values_of_any_style_become_references(
    value: str, quote: str, blank: str, flag: str, first: bool, crlf: bool, bom: bool
) -> None:
    pair = [f"Value={attribute(value, quote)}", f"Name={quote}P{quote}"]
    inner = blank.join(pair if first else pair[::-1])
    item = f"<Parameter{blank}{inner}{flag} />"
    text = f"<Settings {XMLNS}>\n  <!-- Value='x' -->\n  <Section Name='S'>\n    {item}\n  </Section>\n</Settings>\n"
    text = ("\ufeff" if bom else "") + (text.replace("\n", "\r\n") if crlf else text)
    tree = {"Settings.xml": text.encode()}
    assert slots("Settings.xml", text)["S.P"].value.reveal().decode() == value
    report = move(tree, ("Settings.xml", "S.P"))
    assert not refusals(report)
    before, after = parsed(tree["Settings.xml"]), parsed(report.after["Settings.xml"])
    expected = {**before, "Type": "KeyVaultReference", "Value": f"{VAULT}/secrets/secret-0/{VERSION}"}
    expected.pop("IsEncrypted", None)
    assert after == expected


@given(VALUES, st.sampled_from("\"'"), st.booleans())
def test_a_parameter_and_the_place_that_gets_it_move_together(value: str, quote: str, version: bool) -> None:
    tree = files(TREE | {"T/ApplicationParameters/Cloud.xml": CLOUD.replace('"Xw5Tq8Lz"', attribute(value, quote))})
    report = move(tree, ("T/ApplicationParameters/Cloud.xml", PASSWORD), version=VERSION if version else "")
    assert not refusals(report)
    manifest = report.after["T/ApplicationPackageRoot/ApplicationManifest.xml"].decode()
    assert f'Type="{"" if version else "Managed"}KeyVaultReference" Value="[Password]"' in manifest
    assert (
        f"{VAULT}/secrets/secret-0/{VERSION if version else ''}".encode()
        in report.after["T/ApplicationParameters/Cloud.xml"]
    )


def test_a_value_that_stays_is_named_and_needed() -> None:
    path = "T/ApplicationPackageRoot/ApplicationManifest.xml"
    double = MANIFEST.replace(
        'DefaultValue="" />', 'DefaultValue="a1" /><Parameter Name="password" DefaultValue="b2" />'
    )
    (found,) = refusals(move(files({path: double}), (path, "Parameters.Password.DefaultValue")))
    assert found.needs == ("Parameters.password.DefaultValue",)
    assert not refusals(move(files({path: double}), (path, "Parameters.Password.DefaultValue"), (path, found.needs[0])))


def test_types_that_stand_there_are_kept() -> None:
    cloud, path = "T/ApplicationParameters/Cloud.xml", "T/ApplicationPackageRoot/ApplicationManifest.xml"
    for kind, version, refused in (
        ("ManagedKeyVaultReference", "", False), ("ManagedKeyVaultReference", VERSION, True),
        ("KeyVaultReference", "", True), ("Encrypted", VERSION, True),
    ):  # fmt: skip
        tree = files(TREE | {path: MANIFEST.replace('Value="[P', f'Type="{kind}" Value="[P')})
        report = move(tree, (cloud, PASSWORD), version=version)
        assert bool(refusals(report)) == refused
        assert report.after[path] == tree[path]


def test_several_manifests_are_told_apart_by_their_folders() -> None:
    other = {path.replace("T/", "U/"): text for path, text in TREE.items()}
    report = move(files(TREE | other), ("T/ApplicationParameters/Cloud.xml", PASSWORD), version="")
    assert not refusals(report)
    assert report.after["U/ApplicationPackageRoot/ApplicationManifest.xml"] == MANIFEST.encode()
    copies = TREE | {"T/pkg/ApplicationManifest.xml": MANIFEST}
    assert not refusals(move(files(copies), ("T/ApplicationParameters/Cloud.xml", PASSWORD), version=""))
    two = {"a/ApplicationManifest.xml": MANIFEST, "b/ApplicationManifest.xml": MANIFEST, "c/Cloud.xml": CLOUD}
    assert "several" in refusals(move(files(two), ("c/Cloud.xml", PASSWORD), version=""))[0].reason


def test_environments_without_the_parameter_are_said() -> None:
    local = {"T/ApplicationParameters/Local.xml": re.sub("<Parameter .*?/>", "", CLOUD)}
    report = move(files(TREE | local), ("T/ApplicationParameters/Cloud.xml", PASSWORD), version="")
    assert any(
        "Local.xml leave the parameter Password empty" in note for note in report.rewrites["servicefabric"].notes
    )


def test_mixed_versions_are_refused() -> None:
    local = {"T/ApplicationParameters/Local.xml": CLOUD.replace("Xw5Tq8Lz", "Rk2Yv7Np")}
    tree = files(TREE | local)
    items = [
        Assignment(slots(path, tree[path])[PASSWORD], Reference(VAULT, f"s-{version[:1]}", version))
        for path, version in (("T/ApplicationParameters/Cloud.xml", VERSION), ("T/ApplicationParameters/Local.xml", ""))
    ]
    report = check(servicefabric, tree, items)
    assert not report.broken
    assert len(refusals(report)) == 2 and report.after == tree


def test_other_credentials_are_found_and_stay() -> None:
    text = MANIFEST.replace(
        "</ApplicationManifest>",
        """<Principals><Users>
        <User Name="U" Password="Xw5Tq8Lz"><NTLMAuthenticationPolicy PasswordSecret="Rk2Yv7Np"/></User>
        </Users></Principals><Diagnostics><CrashDumpSource><Destinations><AzureBlob ConnectionString="a=b"
        ConnectionStringIsEncrypted="false"><Parameters><Parameter Name="Token" Value="c"/></Parameters></AzureBlob>
        <FileStore Password="[Password]" PasswordEncrypted="false"/></Destinations></CrashDumpSource></Diagnostics>
        </ApplicationManifest>""",
    )
    found = slots("T/ApplicationPackageRoot/ApplicationManifest.xml", text)
    keys = {slot.value.reveal(): slot.key for slot in found.values() if slot.reason}
    assert (keys[b"Xw5Tq8Lz"], keys[b"Rk2Yv7Np"], keys[b"c"]) == ("Password", "PasswordSecret", "Token")
    assert keys[b"a=b"] == "ConnectionString" and keys[b"[Password]"] == ""
    assert not found["Parameters.Password.DefaultValue"].targets


# --- whole applications -----------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["Password", "password", "Api.Token", "Key", "LOG"])
TYPES = st.sampled_from(["", "", "", "PlainText", "KeyVaultReference", "ManagedKeyVaultReference", "Encrypted"])
BLANKS = st.sampled_from([" ", "\n      ", "\t"])


@st.composite
def elements(draw: st.DrawFn, tag: str, attribute_name: str, values: st.SearchStrategy[str]) -> str:
    """An element with a name and a value, in any order and spelling."""
    quote, blank = draw(st.sampled_from("\"'")), draw(BLANKS)
    parts = [f"Name={quote}{draw(NAMES)}{quote}", f"{attribute_name}={attribute(draw(values), quote)}"]
    kind = draw(TYPES) if attribute_name == "Value" else ""
    if kind:
        parts.append(f"Type={quote}{kind}{quote}")
    elif draw(st.booleans()):
        parts.append('IsEncrypted="false"')
    parts = draw(st.permutations(parts))
    end = draw(st.sampled_from(["/>", " />", f"></{tag}>"]))
    comment = draw(st.sampled_from(["", "<!-- <x Value='y'/> -->", "\n"]))
    return f"{comment}<{tag}{blank}{blank.join(parts)}{end}\n"


@st.composite
def applications(draw: st.DrawFn) -> dict[str, bytes]:
    plain = VALUES | st.just("") | st.just(f"{VAULT}/secrets/old/{VERSION}") | st.just(f"{VAULT}/secrets/old/")
    used = plain | st.sampled_from(["[Password]", "[password]", "[Api.Token]", "[Key]", "[Nobody]"])

    def some(tag: str, name: str, values: st.SearchStrategy[str]) -> str:
        return "".join(draw(st.lists(elements(tag, name, values), max_size=3)))

    section = f"<Section Name='S'>{some('Parameter', 'Value', used)}</Section>"
    manifest = f"""<?xml version="1.0" encoding="utf-8"?><ApplicationManifest {XMLNS}>
  <Parameters>{some("Parameter", "DefaultValue", plain)}</Parameters>
  <ServiceManifestImport><ServiceManifestRef ServiceManifestName="Api" />
    <ConfigOverrides><ConfigOverride Name="C"><Settings>{section}</Settings></ConfigOverride></ConfigOverrides>
    <EnvironmentOverrides CodePackageRef="A">{some("EnvironmentVariable", "Value", used)}</EnvironmentOverrides>
    <Policies><ContainerHostPolicies CodePackageRef="A">
      <RepositoryCredentials AccountName="a" Password={attribute(draw(used), '"')} PasswordEncrypted="false" />
      <Volume Source="v">{some("DriverOption", "Value", used) if draw(st.booleans()) else ""}</Volume>
    </ContainerHostPolicies></Policies>
  </ServiceManifestImport>
</ApplicationManifest>"""
    tree = {"T/ApplicationPackageRoot/ApplicationManifest.xml": manifest}
    for name in draw(st.sets(st.sampled_from(["Cloud", "Local"]))):
        parameters = some("Parameter", "Value", plain)
        tree[f"T/ApplicationParameters/{name}.xml"] = (
            f"<Application {XMLNS}><Parameters>{parameters}</Parameters></Application>"
        )
    variables = some("EnvironmentVariable", "Value", plain)
    tree["Api/ServiceManifest.xml"] = (
        f'<f:ServiceManifest Name="Api" xmlns:f="{NAMESPACE}"><f:CodePackage Name="A"><f:EnvironmentVariables>'
        f"{variables.replace('</', '</f:').replace('<Env', '<f:Env')}"
        "</f:EnvironmentVariables></f:CodePackage></f:ServiceManifest>"
    )
    tree["Api/Settings.xml"] = (
        f"<Settings {XMLNS}><Section Name='S'>{some('Parameter', 'Value', plain)}</Section></Settings>"
    )
    crlf, bom = draw(st.booleans()), draw(st.booleans())
    return {
        path: (b"\xef\xbb\xbf" if bom else b"") + (text.replace("\n", "\r\n") if crlf else text).encode()
        for path, text in tree.items()
    }


@given(applications(), st.sampled_from(["all", "none", "some"]), st.randoms(use_true_random=False))
def test_whole_applications_keep_every_promise(tree: dict[str, bytes], versions: str, chance: random.Random) -> None:
    """Whatever is asked of any application."""
    items = []
    for path, data in tree.items():
        for slot in servicefabric.slots(path, data):
            if slot.value.empty() or chance.random() < 0.2:
                continue
            version = VERSION if versions == "all" or (versions == "some" and chance.random() < 0.5) else ""
            items.append(Assignment(slot, Reference(VAULT, f"secret-{len(items)}", version)))
    report = check(servicefabric, tree, items)
    assert not report.broken, report.broken
    assert not report.unreadable and not report.unproven
    assert not report.not_undoable, report.not_undoable
    for data in report.after.values():
        ET.fromstring(data)  # noqa: S314 - made here
