"""The API server of Kubernetes itself, with the real definitions of External Secrets and of the Secrets Store driver.

It takes every object of a rewritten deployment that it took before, and every one that is new: it refuses unknown
fields, wrong types and missing ones. Charts are rendered by Helm and kustomizations built by Kustomize beforehand.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tools.bench import SIDES, Bench
from tools.cluster import Cluster
from tools.manifests import documents
from tools.rendered import Deployment, deployments

pytestmark = pytest.mark.cluster
NO_DEFINITION = {"AzureKeyVaultSecret"}
"""Kinds whose definition is in no package registry."""
DEPLOYMENTS = deployments("kubernetes", "helm", "dotenv")


def key(document: dict[str, Any]) -> tuple[str, str, str]:
    return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]


def refused(cluster: Cluster, found: list[dict[str, Any]]) -> dict[tuple[str, str, str], str]:
    """What the API server says of the objects that it does not take."""
    if not found:
        return {}
    cluster.namespaces(found)
    words = ("--dry-run=server", "--server-side=false")
    if cluster.apply(found, *words).returncode == 0:
        return {}
    said = {key(one): cluster.apply([one], *words) for one in found}
    return {name: done.stderr.decode() for name, done in said.items() if done.returncode}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=str)
def test_the_api_server_takes_what_it_took(bench: Bench, cluster: Cluster, deployment: Deployment) -> None:
    before, after = (
        [one for one in documents(deployment.handed_over(bench, side)) if one["kind"] not in NO_DEFINITION]
        for side in SIDES
    )
    at_first, now = refused(cluster, before), refused(cluster, after)
    for name, said in now.items():
        assert name in at_first, f"{name}: {said}"
        # What the case leaves out of an object may be missing still, and nothing else.
        assert {line.split("Required")[0] for line in said.splitlines()} <= {
            line.split("Required")[0] for line in at_first[name].splitlines()
        }, f"{name}: {said}"


@pytest.mark.parametrize("deployment", [one for one in DEPLOYMENTS if one.how == "helm"], ids=str)
def test_helm_installs_it_where_that_is_tried_only(bench: Bench, cluster: Cluster, deployment: Deployment) -> None:
    """`helm install --dry-run=server` looks up and validates what it renders."""
    cluster.namespaces([], "shop")
    for side in SIDES:
        place = bench.lay(deployment.case.files(side), side)
        command = deployment.command(bench, "install", "--dry-run=server", "--output", "json")
        done = bench.run(command, place, {"KUBECONFIG": str(cluster.kubeconfig)})
        assert done.returncode == 0, done.stderr.decode()
        assert json.loads(done.stdout)["info"]["status"] == "pending-install"
