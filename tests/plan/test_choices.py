"""What a person chose is what the plan does: names exactly, and what is left out stays, with all that hangs on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from azure.keyvault.secrets import SecretClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewriters import Plaintext
from secretscan import api
from secretscan.errors import Cancelled, UsageError
from secretscan.events import Cancellation
from secretscan.plan.choices import Choices
from secretscan.plan.document import FORMAT, Plan
from secretscan.plan.names import fault, name_fault
from secretscan.vault.client import Vault
from secretscan.vault.server import EmbeddedVault

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
URL = "https://shop.vault.azure.net"
MANIFESTS = (".env", "aci/group.yaml", "api/Dockerfile", "compose.yaml", "k8s/database.yaml")
CHOSEN = "left out as you chose"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def shop(state: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample shop, only ever planned on."""
    root = tmp_path_factory.mktemp("planned") / "shop"
    shutil.copytree(FIXTURES / "shop", root)
    return root


@pytest.fixture
def vault() -> Iterator[Vault]:
    with (
        EmbeddedVault(("shop",)) as server,
        Vault(
            server.azure_url("shop"),
            server.credential(),
            proxy=server.proxy_url,
            ca_file=str(server.ca_file),
            use_environment=False,
        ) as client,
    ):
        yield client


def tree(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def planned(root: Path, vault: Vault | None = None, **chosen: object) -> Plan:
    choices = Choices(**chosen)  # type: ignore[arg-type]
    return api.plan([str(root)], vault.url if vault else URL, vault, choices=choices).plan


def touched(plan: Plan) -> set[str]:
    return {file.path for file in plan.files} | {made.path for made in plan.companions}


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".secretscan" not in path.parts
    }


def id_of(plan: Plan, name: str) -> str:
    return next(secret.id for secret in plan.secrets if secret.name == name)


# --- names -----------------------------------------------------------------------------------------------------------


def test_a_chosen_name_is_used_to_the_letter_everywhere(shop: Path) -> None:
    plain = planned(shop)
    chosen = {secret.id: f"Team-{at}-Geheim" for at, secret in enumerate(plain.secrets)}
    plan = planned(shop, names=tuple(chosen.items()))
    assert {secret.id: secret.name for secret in plan.secrets} == chosen
    assert "Team-0-Geheim" in plan.to_text()
    assert not any(secret.name in plan.to_text() for secret in plain.secrets)


def test_what_is_chosen_for_one_is_never_proposed_for_another(shop: Path) -> None:
    plain = planned(shop)
    first, second = plain.secrets[0], plain.secrets[1]
    plan = planned(shop, names=((first.id, second.name.upper()),))
    names = {secret.id: secret.name for secret in plan.secrets}
    assert names[first.id] == second.name.upper()
    assert names[second.id].lower() != second.name


@pytest.mark.parametrize("name", ["", "a_b", "x" * 128, "shop-\u00e9", "1password", "end-", "ld-preload", "\x1b[2Jx"])
def test_a_chosen_name_that_no_secret_may_have_is_named(shop: Path, name: str) -> None:
    with pytest.raises(UsageError) as problem:
        planned(shop, names=((planned(shop).secrets[0].id, name),))
    assert problem.value.why == fault(name) != ""
    assert "\x1b" not in str(problem.value)


def test_one_name_for_two_secrets_is_an_error_while_both_move(shop: Path) -> None:
    first, second = (secret.id for secret in planned(shop).secrets[:2])
    names = ((first, "Shop-Key"), (second, "shop-key"))
    with pytest.raises(UsageError) as problem:
        planned(shop, names=names)
    assert "another secret" in problem.value.why
    plan = planned(shop, names=names, without_secrets=(first,))
    assert next(secret.name for secret in plan.secrets if secret.id == second) == "shop-key"


def test_a_choice_for_a_part_that_moves_as_a_whole_stands_in_nobodys_way(state: None, tmp_path: Path) -> None:
    """The password was named while it moved alone elsewhere too. Now only the text around it moves."""
    broker = "BROKER=amqp://shop:m7Q4kz0aVq9LdP2x@broker:5672/\n"
    root = tree(tmp_path / "shop", {".env": broker + "TOKEN=w7KqLz29TmXc4pR8\n", "b/.env": "PW=m7Q4kz0aVq9LdP2x\n"})
    part = next(secret for secret in planned(root).secrets if any(o.path == "b/.env" for o in secret.origins))
    token = next(secret for secret in planned(root).secrets if "token" in secret.name)
    names = ((part.id, "one-name"), (token.id, "one-name"))
    plan = planned(root, names=names, without_paths=("b/.env",))
    assert part.id not in {secret.id for secret in plan.secrets}
    assert next(secret.name for secret in plan.secrets if secret.id == token.id) == "one-name"
    with pytest.raises(UsageError):
        planned(root, names=names)


def test_a_chosen_name_waits_for_a_text_that_comes_up_late(state: None, tmp_path: Path) -> None:
    """That a text moves as a whole shows only after the others were named, one of them just so."""
    text = "BROKER=amqp://shop:m7Q4kz0aVq9LdP2x@broker:5672/\nTOKEN=w7KqLz29TmXc4pR8\n"
    root = tree(tmp_path / "shop", {".env": text})
    plain = planned(root)
    whole = next(secret.id for secret in plain.secrets if secret.whole_text)
    (wanted,) = (secret.name for secret in plain.secrets if not secret.whole_text)
    plan = planned(root, names=((whole, wanted),))
    assert [secret.id for secret in plan.secrets if secret.name == wanted] == [whole]
    assert len(plan.secrets) == 2


def test_choices_for_what_is_not_there_do_no_harm(shop: Path) -> None:
    gone = "0" * 32
    plan = planned(shop, names=((gone, "nobody"),), without_secrets=(gone,), without_paths=("gone.yaml",))
    plain = planned(shop)
    assert (plan.secrets, plan.files, plan.left) == (plain.secrets, plain.files, plain.left)


def test_a_name_in_the_vault_is_adopted_for_the_equal_value_only(shop: Path, vault: Vault) -> None:
    plan = planned(shop, vault)
    session, payment = id_of(plan, "shop-session-secret"), id_of(plan, "shop-api-payment-key")
    held = vault.put("Kept-Session", Plaintext(b"5ea7888b4a091409ecfcd6a6536fc62d5dcf3e1fd31f6bf5"))
    vault.put("kept-other", Plaintext(b"something else"))
    draft = api.plan([str(shop)], vault.url, vault, choices=Choices(names=((session, "kept-session"),)))
    adopted = next(secret for secret in draft.plan.secrets if secret.id == session)
    assert (adopted.name, adopted.action, adopted.version) == ("kept-session", "adopt", held.version)
    with pytest.raises(UsageError) as problem:
        planned(shop, vault, names=((payment, "Kept-Other"),))
    assert (problem.value.where, "another value" in problem.value.why) == ("Kept-Other", True)
    assert api.name_fault(draft.plan, session, "kept-session", draft.taken) == ""
    assert "compared" in api.name_fault(draft.plan, payment, "KEPT-other", draft.taken)
    assert api.name_fault(draft.plan, payment, "KEPT-other") == ""


def test_a_deleted_name_cannot_be_chosen(shop: Path, vault: Vault) -> None:
    first = planned(shop).secrets[0].id
    vault.delete(vault.put("buried", Plaintext(b"something else")).reference)
    assert api.plan([str(shop)], vault.url, vault).taken == ("buried",)
    with pytest.raises(UsageError) as problem:
        planned(shop, vault, names=((first, "buried"),))
    assert "recovered" in problem.value.why
    assert api.plan([str(shop)], URL, None).taken == ()


def test_a_disabled_name_and_a_certificates_cannot_be_chosen(shop: Path) -> None:
    first = planned(shop).secrets[0].id
    with EmbeddedVault(("shop",)) as server:
        ca_file = str(server.ca_file)
        with SecretClient(
            server.url(),
            server.credential(),
            verify_challenge_resource=False,
            connection_verify=ca_file,
            use_env_settings=False,
        ) as other:
            other.set_secret("off", "something else", enabled=False)
        server.plant_managed("edge", Plaintext(b"something else"))
        url, proxy = server.azure_url("shop"), server.proxy_url
        with Vault(url, server.credential(), proxy=proxy, ca_file=ca_file, use_environment=False) as vault:
            for name, why in (("off", "disabled"), ("edge", "certificate")):
                with pytest.raises(UsageError) as problem:
                    planned(shop, vault, names=((first, name),))
                assert why in problem.value.why


def test_a_chosen_name_is_stored_and_proved(state: None, tmp_path: Path, vault: Vault) -> None:
    shutil.copytree(FIXTURES / "shop", tmp_path / "shop")
    root = tmp_path / "shop"
    names = tuple((secret.id, f"Chosen-{at}") for at, secret in enumerate(planned(root).secrets))
    done = api.apply(planned(root, vault, names=names), vault)
    assert done.proof.holds
    assert sorted(vault.names()) == sorted(name for _, name in names)


@given(name=st.text(st.sampled_from("aZ09-_ \u00e9"), max_size=12), other=st.booleans(), taken=st.booleans())
def test_what_is_said_while_typing_agrees_with_planning(name: str, other: bool, taken: bool) -> None:
    plan = _plan_of("shop-one", "shop-two")
    typed = "SHOP-Two" if other else name
    said = name_fault(plan, "1" * 32, typed, (typed.lower(),) if taken else ())
    if fault(typed):
        assert said == fault(typed)
    elif other:
        assert "another secret" in said
    else:
        assert bool(said) == taken


def _plan_of(*names: str) -> Plan:
    secrets = [
        {"id": f"{at}" * 32, "name": name, "kind": "password", "strength": "strong", "action": "create", "version": ""}
        | {"whole_text": False, "origins": []}
        for at, name in enumerate(names, 1)
    ]
    empty: dict[str, object] = {key: [] for key in ("files", "companions", "moves", "left", "notes", "provided")}
    head = {"format": FORMAT, "made": "", "root": "/", "vault_url": URL, "key": "", "seal": "", "pinned": False}
    return Plan.from_text(json.dumps(head | empty | {"secrets": secrets}), "here")


# --- left out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("without", [some for n in range(1, 6) for some in combinations(MANIFESTS, n)], ids="+".join)
def test_files_left_out_of_the_shop_keep_every_byte(shop: Path, without: tuple[str, ...]) -> None:
    """Every plan that is handed out passed the check that all workloads receive the same."""
    plain = planned(shop)
    plan = planned(shop, without_paths=without)
    assert not touched(plan) & set(without)
    moved = {(move.path, move.pointer) for move in plan.moves}
    stays = {(left.path, left.pointer): left for left in plan.left}
    assert moved | set(stays) >= {(move.path, move.pointer) for move in plain.moves}
    assert not any(path in without for path, _ in moved)
    assert {left.reason for left in plan.left if left.path in without and left.pointer} == {CHOSEN}
    # What did not hang on them moves as before.
    for path in {"aci/group.yaml", "k8s/database.yaml"} - set(without):
        assert {move for move in moved if move[0] == path} == {
            (m.path, m.pointer) for m in plain.moves if m.path == path
        }


def test_an_image_keeps_its_variable_when_the_service_that_would_set_it_is_left_out(shop: Path) -> None:
    plan = planned(shop, without_paths=("compose.yaml",))
    stays = {left.pointer: left for left in plan.left if left.path == "api/Dockerfile"}
    assert stays, "something of the Dockerfile hangs on Compose"
    assert all("PAYMENT_KEY" in left.reason or "compose.yaml" in left.reason for left in stays.values())
    assert not any(move.path == "api/Dockerfile" and move.key == "PAYMENT_KEY" for move in plan.moves)


def test_without_the_scripts_that_fetch_nothing_reads_variables(shop: Path) -> None:
    plain = planned(shop)
    scripts = tuple(made.path for made in plain.companions if made.path.endswith(".sh"))
    assert set(scripts) == {"fetch-secrets.sh", "api/fetch-secrets.sh"}
    plan = planned(shop, without_paths=scripts)
    assert not touched(plan) & {*scripts, "compose.yaml", ".env", "api/Dockerfile"}
    reasons = {left.reason for left in plan.left if left.path in ("compose.yaml", ".env") and left.pointer}
    assert reasons == {"moving it needs the new file fetch-secrets.sh, which you left out"}
    assert {move.path for move in plan.moves} == {"aci/group.yaml", "k8s/database.yaml"}


@pytest.mark.parametrize("path", MANIFESTS)
def test_the_rest_is_applied_proved_and_taken_back(state: None, tmp_path: Path, vault: Vault, path: str) -> None:
    root = tmp_path / "shop"
    shutil.copytree(FIXTURES / "shop", root)
    before = contents(root)
    done = api.apply(planned(root, vault, without_paths=(path,)), vault)
    assert done.proof.holds
    assert contents(root)[path] == before[path]
    assert done.rewritten
    api.undo(root, done.run, vault)
    assert contents(root) == before


def test_a_secret_left_out_stays_everywhere_also_within_texts(state: None, tmp_path: Path) -> None:
    root = tmp_path / "shop"
    shutil.copytree(FIXTURES / "shop", root)
    tree(root, {"mq/.env": "BROKER=amqp://shop:0lR8acRYSi4MDF8kWCBX@broker:5672/\n"})
    plain = planned(root)
    (text,) = (move for move in plain.moves if move.path == "mq/.env")
    (password,) = text.covers
    assert password in {secret.id for secret in plain.secrets}
    plan = planned(root, without_secrets=(password,))
    stays = [left for left in plan.left if left.secret == password]
    assert {left.path for left in stays} == {".env", "aci/group.yaml", "compose.yaml", "k8s/database.yaml", "mq/.env"}
    assert {left.reason for left in stays if left.path != "mq/.env"} == {CHOSEN}
    assert not {password, text.secret} & {secret.id for secret in plan.secrets}
    only_text = planned(root, without_secrets=(text.secret,))
    (left,) = only_text.left
    assert (left.path, left.secret, left.reason) == ("mq/.env", text.secret, CHOSEN)
    assert {move.path for move in only_text.moves} == {move.path for move in plain.moves} - {"mq/.env"}


def test_a_text_is_not_moved_around_a_part_that_was_left_out(state: None, tmp_path: Path) -> None:
    """A place of two credentials, where the platform moves both as one text or none."""
    text = "BROKER=amqp://shop:m7Q4kz0aVq9LdP2x@broker:5672/?token=w7KqLz29TmXc4pR8\n"
    root = tree(tmp_path / "shop", {".env": text})
    (whole,) = planned(root).moves
    for part in whole.covers:
        plan = planned(root, without_secrets=(part,))
        assert not plan.moves
        assert plan.left
    plan = planned(root, without_secrets=(whole.secret,))
    assert (plan.moves, [left.secret for left in plan.left]) == ((), [whole.secret])


def test_everything_left_out_is_an_empty_plan(shop: Path) -> None:
    plan = planned(shop, without_secrets=tuple(secret.id for secret in planned(shop).secrets))
    assert (plan.secrets, plan.files, plan.companions, plan.moves) == ((), (), (), ())
    assert {left.reason for left in plan.left if left.pointer} == {CHOSEN}


# --- Kubernetes ------------------------------------------------------------------------------------------------------

SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  password: {value}\n"
KUBERNETES = {
    "base/kustomization.yaml": "resources:\n  - db.yaml\n",
    "base/db.yaml": SECRET.format(name="db", value="Kq7c1e0f9a2b4d6e8f"),
    "base/config.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\ndata:\n  API_TOKEN: w7KqLz29TmXc4pR8aa\n"
    ),
    "base/api.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: api\nspec:\n  containers:\n    - name: api\n      image: api\n"
        "      env:\n        - name: API_TOKEN\n          valueFrom:\n            configMapKeyRef:\n"
        "              name: shop\n              key: API_TOKEN\n"
    ),
    "apart/mq.yaml": SECRET.format(name="mq", value="Zt7c1e0f9a2b4d6e81"),
}


def test_a_kustomization_left_out_keeps_what_it_would_have_to_list(state: None, tmp_path: Path) -> None:
    root = tree(tmp_path / "shop", KUBERNETES)
    assert "base/kustomization.yaml" in touched(planned(root))
    plan = planned(root, without_paths=("base/kustomization.yaml",))
    assert {left.path: left.reason for left in plan.left}["base/db.yaml"] == (
        "moving it would change base/kustomization.yaml, which you left out"
    )
    assert {move.path for move in plan.moves} == {move.path for move in planned(root).moves} - {"base/db.yaml"}


def test_a_workload_left_out_keeps_the_config_map_that_it_reads(state: None, tmp_path: Path) -> None:
    root = tree(tmp_path / "shop", KUBERNETES)
    assert {"base/api.yaml", "base/config.yaml"} <= touched(planned(root))
    plan = planned(root, without_paths=("base/api.yaml",))
    assert not touched(plan) & {"base/api.yaml", "base/config.yaml"}
    (left,) = (left for left in plan.left if left.path == "base/config.yaml")
    assert "base/api.yaml, which you left out" in left.reason
    assert "base/db.yaml" in touched(plan)


CASES = [
    path
    for platform in ("aci", "compose", "dockerfile", "dotenv", "kubernetes")
    for path in sorted((FIXTURES / platform).glob("*/in"))
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_choice_in_any_case_ends_in_a_plan_that_keeps_to_it(
    state: None, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """No choice makes planning fail, and a plan is only handed out when all workloads receive the same as before."""
    root = tmp_path_factory.mktemp("case") / "shop"
    for case in data.draw(st.lists(st.sampled_from(CASES), min_size=1, max_size=2, unique=True), "cases"):
        shutil.copytree(case, root, dirs_exist_ok=True)
    plain = planned(root)
    paths = sorted(touched(plain) | set(contents(root)))
    ids = [secret.id for secret in plain.secrets]
    some_ids = st.lists(st.sampled_from(ids), unique=True) if ids else st.just([])
    choices = Choices(
        names=tuple((id_, f"Chosen-{id_[:6]}") for id_ in data.draw(some_ids, "named")),
        without_secrets=tuple(data.draw(some_ids, "without secrets")),
        without_paths=tuple(data.draw(st.lists(st.sampled_from(paths), unique=True), "without paths")),
    )
    plan = api.plan([str(root)], URL, None, choices=choices).plan
    assert not touched(plan) & set(choices.without_paths)
    moved = {secret.id for secret in plan.secrets} | {id_ for move in plan.moves for id_ in move.covers}
    assert not moved & set(choices.without_secrets)
    chosen = dict(choices.names)
    assert all(chosen.get(secret.id, secret.name) == secret.name for secret in plan.secrets)


def test_searching_for_what_reaches_a_file_can_be_cancelled(state: None, tmp_path: Path) -> None:
    root = tree(tmp_path / "shop", KUBERNETES)
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        api.plan([str(root)], URL, None, choices=Choices(without_paths=("base/api.yaml",)), cancellation=cancellation)


def test_places_not_told_apart_stay_together(state: None, tmp_path: Path) -> None:
    """More places hang on one file than are asked for one by one: all of them stay, and hardly any other."""
    there = [f"s{at:02}.yaml" for at in range(80)]
    files = {name: SECRET.format(name=name[:3], value=f"Kq{at:02}7c1e0f9a2b4d6e8f") for at, name in enumerate(there)}
    listing = "resources:\n" + "".join(f"  - {name}\n" for name in there)
    root = tree(tmp_path / "shop", {f"all/{name}": text for name, text in files.items()})
    tree(root, {"all/kustomization.yaml": listing, "apart/mq.yaml": KUBERNETES["apart/mq.yaml"]})
    plan = planned(root, without_paths=("all/kustomization.yaml",))
    assert not any(path.startswith("all/") for path in touched(plan))
    reasons = {left.path: left.reason for left in plan.left}
    assert set(reasons) >= {f"all/{name}" for name in there}
    assert "moving it together with others would change all/kustomization.yaml, which you left out" in reasons.values()


# --- whole texts -----------------------------------------------------------------------------------------------------

CONNECTED = """\
services:
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: Xw5Tq8LzRk2Yv7Np
  api:
    image: shop/api
    command: ["serve", "--database", "postgresql://api:Xw5Tq8LzRk2Yv7Np@db/shop"]
    environment:
      DATABASE_URL: postgresql://api:Xw5Tq8LzRk2Yv7Np@db/shop
"""


def test_a_connection_string_moves_in_parts_or_as_a_whole(state: None, tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"compose.yaml": CONNECTED})
    parts = planned(root)
    assert len(parts.secrets) == 1, "all share the password"
    whole = planned(root, whole_texts=True)
    moves = {move.pointer: move for move in whole.moves}
    url = moves["services.api.environment.DATABASE_URL"]
    assert url.covers == (parts.secrets[0].id,)
    assert next(secret for secret in whole.secrets if secret.id == url.secret).whole_text
    words = {pointer: move for pointer, move in moves.items() if "command" in pointer}
    assert all(not move.covers for move in words.values()), "words of a command never move as a whole by this"
