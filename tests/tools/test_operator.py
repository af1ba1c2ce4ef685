"""The External Secrets Operator itself: it makes Secrets with the bytes that stood in the manifests.

It runs out of cluster, against the API server, and reads the embedded vault under its real name with the token of the
service account that the store names. Nothing of what it reads is changed: the objects are those of the rewritten files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tools.azure import Azure, account_token, azure
from tools.bench import SIDES, Bench
from tools.cluster import Cluster
from tools.manifests import MAKERS, documents, in_namespace, name_of, same_workloads
from tools.rendered import Deployment, deployments, gains
from tools.server import Server, serving

from secretscan.vault.server import EmbeddedVault

pytestmark = pytest.mark.cluster
PATIENCE = 40
TENANT, CLIENT = "9a0e7c55-0000-4000-8000-000000007e4a", "1b6f5f0e-0000-4000-8000-00000000c1d0"
DEPLOYMENTS = [one for one in deployments("kubernetes", "helm") if gains(one.case, "ExternalSecret")]


@pytest.fixture(scope="module")
def signing(vault: EmbeddedVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with azure(vault, tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture(scope="module")
def operator(cluster: Cluster, signing: Azure, tools: Any, free_port: Any) -> Iterator[Server]:
    own = signing.folder / "token"
    own.write_text(account_token("external-secrets", "external-secrets"))
    env = signing.environment | {
        "KUBECONFIG": str(cluster.kubeconfig),
        # What a store reads with that names no account.
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_FEDERATED_TOKEN_FILE": str(own),
    }
    ports = [f"--{name}-addr=127.0.0.1:{free_port()}" for name in ("metrics", "live")]
    command = [tools("external-secrets"), *ports, "--concurrent=4", "--client-qps=200", "--client-burst=400"]
    with serving(command, signing.folder / "operator.log", env, signing.folder) as running:
        yield running


def reader_of(store: dict[str, Any], namespace: str) -> dict[str, Any] | None:
    """The service account that a store reads the vault with, as the notes of the rewrite ask for it."""
    account = store["spec"]["provider"].get("azurekv", {}).get("serviceAccountRef")
    if account is None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": account["name"],
            "namespace": account.get("namespace", namespace),
            "annotations": {"azure.workload.identity/client-id": CLIENT, "azure.workload.identity/tenant-id": TENANT},
        },
    }


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=str)
def test_the_operator_makes_the_same_secrets(
    bench: Bench, cluster: Cluster, operator: Server, deployment: Deployment
) -> None:
    bench.store(deployment.case)
    namespace = "shop" if deployment.how == "helm" else deployment.case.folder.name
    before, after = (
        [in_namespace(one, namespace) for one in documents(deployment.handed_over(bench, side))] for side in SIDES
    )
    wanted = [one for one in after if one["kind"] == "ExternalSecret"]
    stores = [one for one in after if one["kind"] in MAKERS and one["kind"].endswith("Store")]
    if not stores:
        # A kustomization that cannot be added to: a note asks people to list the new file.
        stores = [
            in_namespace(one, namespace) for one in documents(deployment.case.after) if one["kind"] == "SecretStore"
        ]
    targets = {target_of(one) for one in wanted}
    # What keys are merged into stands there before, as the note of the rewrite says.
    kept = [one for one in after if one["kind"] == "Secret" and name_of(one) in targets]
    accounts = {name_of(one): one for one in after if one["kind"] == "ServiceAccount"}
    for store in stores:
        if account := reader_of(store, store["metadata"].get("namespace", namespace)):
            accounts.setdefault(name_of(account), account)
    everything = [*accounts.values(), *kept, *stores, *wanted]
    cluster.namespaces(everything, namespace)
    if everything:
        done = cluster.apply(everything)
        assert done.returncode == 0, done.stderr.decode()
    try:
        for one in wanted:
            await_ready(cluster, one, operator)
        made = [secret_of(cluster, *target) for target in sorted(targets)]
    finally:
        # The operator writes what it waits for into the objects: they go while it runs.
        for one in [*wanted, *stores]:
            cluster.kubectl("delete", "--ignore-not-found", kind_of(one), one["metadata"]["name"], *in_place(one))
        for space, name in targets:
            cluster.kubectl("delete", "--ignore-not-found", "secret", name, "-n", space)
    same_workloads(before, after, made, may_go=deployment.how == "helm")


def in_place(document: dict[str, Any]) -> list[str]:
    return ["-n", document["metadata"]["namespace"]] if "namespace" in document["metadata"] else []


def kind_of(document: dict[str, Any]) -> str:
    return f"{document['kind'].lower()}s.external-secrets.io"


def target_of(wanted: dict[str, Any]) -> tuple[str, str]:
    """The namespace and the name of the Secret that an ExternalSecret makes."""
    namespace, name = name_of(wanted)
    return namespace, wanted["spec"].get("target", {}).get("name", name)


def await_ready(cluster: Cluster, wanted: dict[str, Any], operator: Server) -> None:
    """Wait until the operator says that an ExternalSecret is ready."""
    place = [kind_of(wanted), wanted["metadata"]["name"], *in_place(wanted)]
    done = cluster.try_kubectl("wait", "--for=condition=Ready", f"--timeout={PATIENCE}s", *place)
    if done.returncode:
        conditions = cluster.get(*place).get("status", {}).get("conditions", [])
        raise AssertionError(f"{place[1]} is not ready: {conditions}\n{operator.said}")


def secret_of(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """A Secret of the cluster, as a manifest would have it."""
    found = cluster.get("secret", name, "-n", namespace)
    keys = ("apiVersion", "kind", "type", "data")
    return {key: found[key] for key in keys if key in found} | {
        "metadata": {"name": name, "namespace": namespace, "labels": found["metadata"].get("labels", {})}
    }
