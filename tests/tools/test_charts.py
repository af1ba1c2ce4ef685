"""Helm and Kustomize themselves: what they hand to a cluster gives workloads the same before the rewrite and after it.

What they render is read by the rewriter of manifests, with references looked up in the vault; `test_operator.py` has
the operator do that part.
"""

from __future__ import annotations

import pytest
from tools.bench import SIDES, Bench
from tools.rendered import Deployment, deployments

from rewriters import Address, by_name

RENDERED = [one for one in deployments("helm", "kubernetes", "dotenv") if one.how != "apply"]


def workloads(bench: Bench, deployment: Deployment, side: str) -> dict[Address, bytes]:
    """What the workloads of a rendering get."""
    kubernetes = by_name("kubernetes")
    files = {path: data for path, data in deployment.handed_over(bench, side).items() if kubernetes.claims(path, data)}
    found = kubernetes.effective(files, bench.lookup)
    return {each.address: each.value.reveal() for each in found if each.address.channel != "object"}


@pytest.mark.parametrize("deployment", RENDERED, ids=str)
def test_workloads_get_the_same(bench: Bench, deployment: Deployment) -> None:
    bench.store(deployment.case)
    before, after = (workloads(bench, deployment, side) for side in SIDES)
    assert before == after
    if deployment.how == "helm":
        assert before, "nothing to compare"
