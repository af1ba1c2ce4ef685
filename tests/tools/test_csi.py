"""The Azure provider of the Secrets Store CSI driver itself: it mounts the bytes that stood in the manifests.

It is called on its socket as the driver calls it, with the parameters of the rewritten SecretProviderClass and a token
of the pod's service account. What the driver would sync into Secrets is made from what it returns.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.azure import Azure, SignIn, account_token, azure
from tools.bench import SIDES, Bench
from tools.manifests import documents, same_workloads
from tools.rendered import Deployment, deployments, gains
from tools.server import serving

from secretscan.vault.server import EmbeddedVault

pytestmark = pytest.mark.cluster
KIND = "SecretProviderClass"
DEPLOYMENTS = [one for one in deployments("kubernetes", "helm") if gains(one.case, KIND)]


@pytest.fixture(scope="module")
def signing(vault: EmbeddedVault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with azure(vault, tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture
def provider(bench: Bench, signing: Azure, free_port: Any) -> Iterator[Path]:
    socket = bench.folder / "azure.sock"
    ports = [f"--healthz-port={free_port()}", f"--prometheus-port={free_port()}"]
    command = [bench.program("csi-azure"), f"--endpoint=unix://{socket}", *ports]
    with serving(command, bench.folder / "provider.log", signing.environment):
        yield socket


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=str)
def test_the_provider_mounts_the_same_bytes(
    bench: Bench, signing: Azure, provider: Path, deployment: Deployment
) -> None:
    case = deployment.case
    bench.store(case)
    before, after = (list(documents(deployment.handed_over(bench, side))) for side in SIDES)
    secrets: list[dict[str, Any]] = []
    known = bench.secrets(case)
    for document in after:
        if document["kind"] != KIND or document in before:
            continue
        parameters = document["spec"]["parameters"]
        namespace = document["metadata"].get("namespace", "default")
        token = {
            "api://AzureADTokenExchange": {
                "token": account_token(namespace, "web"),
                "expirationTimestamp": "2100-01-01T00:00:00Z",
            }
        }
        pod = {
            "csi.storage.k8s.io/pod.name": "web",
            "csi.storage.k8s.io/pod.namespace": namespace,
            "csi.storage.k8s.io/serviceAccount.tokens": json.dumps(token),
        }
        wanted = json.dumps({"attributes": parameters | pod, "secrets": {}})
        command = [bench.program("csi-mount"), str(provider)]
        done = subprocess.run(command, input=wanted.encode(), capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr.decode() + (bench.folder / "provider.log").read_text()
        files = {path: base64.b64decode(data) for path, data in json.loads(done.stdout).items()}
        entries = [yaml.safe_load(entry) for entry in yaml.safe_load(parameters["objects"])["array"]]
        names = {entry.get("objectAlias", entry["objectName"]): entry["objectName"] for entry in entries}
        assert files == {path: known[name].encode() for path, name in names.items() if name in known} | {
            path: data for path, data in files.items() if names[path] not in known
        }
        assert signing.sign_ins[-1] == SignIn(
            parameters["tenantID"], parameters["clientID"], f"system:serviceaccount:{namespace}:web"
        )
        secrets += [synced(document, one, files) for one in document["spec"].get("secretObjects", ())]
    same_workloads(before, after, secrets)


def synced(owner: dict[str, Any], wanted: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    """The Secret that the driver keeps of a volume's files."""
    data = {one["key"]: base64.b64encode(files[one["objectName"]]).decode() for one in wanted["data"]}
    meta = {"name": wanted["secretName"]}
    if "namespace" in owner["metadata"]:
        meta["namespace"] = owner["metadata"]["namespace"]
    return {"apiVersion": "v1", "kind": "Secret", "type": wanted["type"], "metadata": meta, "data": data}
