"""Helm and Kustomize themselves: what they hand to a cluster gives workloads the same before the rewrite and after it.

What they render is read by the rewriter of manifests, with references looked up in the vault; `test_cluster.py` has the
operators do that part.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import pytest
import yaml
from tools.bench import SIDES, Bench, Case, cases

from rewriters import Address, by_name

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def handed_over(bench: Bench, rendered: bytes, others: dict[str, bytes]) -> dict[Address, bytes]:
    """What the workloads of a rendering get, with the manifests beside it that are applied as they are."""
    kubernetes = by_name("kubernetes")
    files = {"rendered.yaml": rendered} | {path: data for path, data in others.items() if kubernetes.claims(path, data)}
    found = kubernetes.effective(files, bench.lookup)
    return {each.address: each.value.reveal() for each in found if each.address.channel != "object"}


def roots(case: Case, *names: str) -> list[str]:
    """The folders that have one of these files."""
    return sorted({str(PurePosixPath(path).parent) for path in case.before if PurePosixPath(path).name in names})


def charts() -> list[tuple[Case, str]]:
    return [(case, root) for case in cases("helm", "kubernetes", "dotenv") for root in roots(case, "Chart.yaml")]


@pytest.mark.parametrize(("case", "root"), charts(), ids=str)
def test_helm_renders_the_same(bench: Bench, case: Case, root: str) -> None:
    bench.store(case)
    chart = PurePosixPath(root)
    choices = [""] + [path for path in case.before if path.startswith(f"{root}/values-") and path.endswith(".yaml")]
    helm = bench.program("helm")
    for choice in choices:
        given = {}
        for side in SIDES:
            place = bench.lay(case.files(side), side)
            command = [helm, "template", "shop", place / root, "--namespace", "shop"]
            done = bench.run([*command, "--values", place / choice] if choice else command)
            if done.returncode and side == "before":
                pytest.fail(f"Helm does not render the case: {done.stderr.decode()}")
            assert done.returncode == 0, done.stderr.decode()
            others = {
                path: data
                for path, data in case.files(side).items()
                if not PurePosixPath(path).is_relative_to(chart / "templates")
            }
            given[side] = handed_over(bench, done.stdout, others)
        assert given["before"] == given["after"]
        assert case.before == case.after or given["before"], "nothing to compare"


def kustomizations() -> list[tuple[Case, str]]:
    """Those that are built: no other one takes them in."""
    result = []
    for case in cases("kubernetes", "dotenv"):
        folders = roots(case, *KUSTOMIZATIONS)
        taken = {
            os.path.normpath(f"{PurePosixPath(path).parent}/{entry}")
            for path, data in case.before.items()
            if PurePosixPath(path).name in KUSTOMIZATIONS
            for key in ("resources", "components", "bases")
            for entry in (yaml.safe_load(data) or {}).get(key, ())
        }
        result += [(case, folder) for folder in folders if folder not in taken]
    return result


@pytest.mark.parametrize(("case", "root"), kustomizations(), ids=str)
def test_kustomize_builds_the_same(bench: Bench, case: Case, root: str) -> None:
    bench.store(case)
    given = {}
    for side in SIDES:
        place = bench.lay(case.files(side), side)
        done = bench.run([bench.program("kustomize"), place / root])
        if done.returncode and side == "before":
            assert case.before == case.after, done.stderr.decode()
            return
        assert done.returncode == 0, done.stderr.decode()
        given[side] = handed_over(bench, done.stdout, {})
    assert given["before"] == given["after"]
