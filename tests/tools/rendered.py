"""What a cluster is handed of a case: manifests as they are, a chart rendered by Helm, a folder built by Kustomize."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import yaml
from tools.bench import Bench, Case, cases
from tools.manifests import documents

from rewriters import Files

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One way to deploy a case: `root` is the folder of a chart or of a kustomization, `values` a file of a chart's."""

    case: Case
    how: Literal["apply", "helm", "kustomize"]
    root: str = ""
    values: str = ""

    def __str__(self) -> str:
        return ":".join(word for word in (str(self.case), self.how, self.root, self.values) if word)

    def command(self, bench: Bench, *words: str) -> list[str]:
        """The rest of Helm's command line, for the files that lie in `side`."""
        values = ["--values", self.values] if self.values else []
        return [bench.program("helm"), *words, "shop", self.root, "--namespace", "shop", *values]

    def handed_over(self, bench: Bench, side: str) -> dict[str, bytes]:
        """The manifests that the cluster gets, by file."""
        files = self.case.files(side)
        if self.how == "apply":
            return files
        place = bench.lay(files, side)
        if self.how == "helm":
            done = bench.run(self.command(bench, "template"), place)
            # What is no template is applied by somebody else.
            templates = PurePosixPath(self.root) / "templates"
            others = {path: data for path, data in files.items() if not PurePosixPath(path).is_relative_to(templates)}
        else:
            done = bench.run([bench.program("kustomize"), place / self.root])
            others = {}
        assert done.returncode == 0, done.stderr.decode()
        return others | {"rendered.yaml": done.stdout}


def folders_with(case: Case, *names: str) -> list[str]:
    """The folders that have one of these files."""
    return sorted({str(PurePosixPath(path).parent) for path in case.before if PurePosixPath(path).name in names})


def charts(*platforms: str) -> Iterator[Deployment]:
    """Every chart, with its own values and with each file of values for an environment."""
    for case in cases(*platforms):
        for root in folders_with(case, "Chart.yaml"):
            found = (path for path in case.before if path.startswith(f"{root}/values-") and path.endswith(".yaml"))
            for values in ("", *sorted(found)):
                yield Deployment(case=case, how="helm", root=root, values=values)


def kustomizations(*platforms: str) -> Iterator[Deployment]:
    """Those that are built: no other one takes them in."""
    for case in cases(*platforms):
        taken = {
            os.path.normpath(f"{PurePosixPath(path).parent}/{entry}")
            for path, data in case.before.items()
            if PurePosixPath(path).name in KUSTOMIZATIONS
            for key in ("resources", "components", "bases")
            for entry in (yaml.safe_load(data) or {}).get(key, ())
        }
        for root in folders_with(case, *KUSTOMIZATIONS):
            if root not in taken:
                yield Deployment(case=case, how="kustomize", root=root)


def deployments(*platforms: str) -> list[Deployment]:
    """How the cases of some platforms that change come to a cluster."""
    built = [*charts(*platforms), *kustomizations(*platforms)]
    known = {one.case for one in built}
    apart = (case for case in cases(*platforms) if case not in known and any(True for _ in documents(case.after)))
    every = [*(Deployment(case=case, how="apply") for case in apart), *built]
    return sorted((one for one in every if one.case.before != one.case.after), key=str)


def gains(case: Case, kind: str) -> bool:
    """Whether a rewrite brings objects of a kind."""

    def count(files: Files) -> int:
        return sum(data.count(kind.encode()) for data in files.values())

    return count(case.after) > count(case.before)
