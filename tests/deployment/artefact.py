"""Builds and deploys the stack with osls, against the stand-in."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.standin import StandIn

ROOT = Path(__file__).resolve().parents[2]
LAMBDA_LAYERS = ROOT / "build" / "layers" / "lambda"
LOCAL_LAYERS = ROOT / "build" / "layers" / "here"
OSLS = ROOT / "node_modules" / ".bin" / "osls"
RULES = """
version: 1
migration: deployed
source: {{bucket: {source}}}
target: {{bucket: {target}}}
rules:
  - {{name: move, from: "old/{{rest*}}", to: "new/{{rest*}}"}}
allow:
  - {{rule: move, finding: invalid-target, why: "keys such as old//a keep their form"}}
"""


class ArtefactError(RuntimeError):
    """What the deployment needs is missing, or osls failed."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """What ``osls package`` left in ``folder``."""

    folder: Path

    @property
    def template(self) -> dict[str, Any]:
        """The CloudFormation template."""
        text = (self.folder / "cloudformation-template-update-stack.json").read_text(encoding="utf-8")
        read: dict[str, Any] = json.loads(text)
        return read

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Every resource of one type."""
        return {name: one for name, one in self.template["Resources"].items() if one["Type"] == kind}

    def zip_names(self, name: str) -> list[str]:
        """What is in the function's zip, or in a layer's."""
        with zipfile.ZipFile(self.folder / f"{name}.zip") as archive:
            return [one for one in archive.namelist() if not one.endswith("/")]

    def unpack(self, name: str, folder: Path) -> Path:
        """Unpack a zip; the folder."""
        with zipfile.ZipFile(self.folder / f"{name}.zip") as archive:
            archive.extractall(folder)
        return folder


def require_built(layers: Path) -> None:
    """Raises ArtefactError naming what is missing, osls or one platform's layers, and the target that makes it."""
    if shutil.which("node") is None:
        raise ArtefactError("Node.js 20.19 or later is needed to build the stack: https://nodejs.org")
    for path, target in ((OSLS, ROOT / "node_modules" / ".ready"), (layers / ".ready", layers / ".ready")):
        if not path.exists():
            name, made_by = path.relative_to(ROOT), target.relative_to(ROOT)
            raise ArtefactError(f"{name} is missing: run `make {made_by}`, which makes it")


def run_osls(standin: StandIn, *arguments: str, more: Mapping[str, str] | None = None) -> str:
    """Run osls against the stand-in; raises ArtefactError with its words."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SLS_", "KEYSHIFT_"))}
    environment = {**kept, **standin.environment(), **(more or {})}
    answer = subprocess.run(  # noqa: S603  # our own pinned tool
        [str(OSLS), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    if answer.returncode:
        raise ArtefactError(f"osls {' '.join(arguments)} failed:\n{answer.stdout}{answer.stderr}")
    return answer.stdout


def package(standin: StandIn, folder: Path, *arguments: str) -> Artefact:
    """Build the stack for Lambda into ``folder``; osls asks CloudFormation for what is deployed, hence the stand-in."""
    require_built(LAMBDA_LAYERS)
    root = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    run_osls(standin, "package", "--package", str(folder), *arguments, more=root)
    return Artefact(folder)
