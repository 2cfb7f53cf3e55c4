"""The release folder: what the AWS command line, Terraform or CDK deploy without Node.js.

It has the CloudFormation template, the zips, their SHA-256 sums, and an SBOM of the layers. The zips' names contain
their digests, so that another content is another key, and CloudFormation updates the functions.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.deployment.artefact import ROOT, Artefact, ArtefactError

FOLDER = ROOT / "build" / "release"
TEMPLATE, SUMS, SBOM = "template.json", "SHA256SUMS", "sbom.cdx.json"
BUCKET, PREFIX = "CodeBucket", "CodePrefix"
MOST_BYTES = 1_000_000
"""Of a template in S3 (CloudFormation's quotas)."""
_OWN_BUCKET = ("ServerlessDeploymentBucket", "ServerlessDeploymentBucketPolicy")
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Release:
    """The folder of one release."""

    folder: Path

    @property
    def template(self) -> dict[str, Any]:
        """The CloudFormation template."""
        read: dict[str, Any] = json.loads((self.folder / TEMPLATE).read_text(encoding="utf-8"))
        return read

    @property
    def zips(self) -> list[Path]:
        """The code of the functions and layers."""
        return sorted(self.folder.glob("*.zip"))


def make_release(artefact: Artefact, folder: Path) -> Release:
    """Write the release of what osls has packaged; what was in the folder before is deleted."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = {}
    for path in sorted(artefact.folder.glob("*.zip")):
        names[path.name] = f"{path.stem}-{_digest(path)[:_DIGITS]}.zip"
        shutil.copyfile(path, folder / names[path.name])
    template = json.dumps(released(artefact.template, names), indent=1) + "\n"
    if len(template.encode()) > MOST_BYTES:
        raise ArtefactError(f"the template has {len(template)} bytes, CloudFormation takes {MOST_BYTES}")
    (folder / TEMPLATE).write_text(template, encoding="utf-8")
    (folder / SBOM).write_text(bill_of_materials(), encoding="utf-8")
    sums = [f"{_digest(path)}  {path.name}" for path in sorted(folder.iterdir())]
    (folder / SUMS).write_text("\n".join(sums) + "\n", encoding="utf-8")
    return Release(folder)


def released(template: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The template without osls's own bucket: code comes from a bucket and a prefix that are parameters."""
    changed: dict[str, Any] = json.loads(json.dumps(template))
    for name in _OWN_BUCKET:
        del changed["Resources"][name]
    changed["Outputs"] = {name: one for name, one in changed["Outputs"].items() if not _names_own_bucket(one)}
    for resource in changed["Resources"].values():
        for place in ("Code", "Content"):
            code = resource.get("Properties", {}).get(place)
            if isinstance(code, dict) and "S3Key" in code:
                name = names[code["S3Key"].rpartition("/")[2]]
                code |= {"S3Bucket": {"Ref": BUCKET}, "S3Key": {"Fn::Sub": f"${{{PREFIX}}}{name}"}}
    changed["Parameters"] = {
        BUCKET: {"Type": "String", "Description": "The bucket with the zips of this release, in the stack's region."},
        PREFIX: {"Type": "String", "Default": "", "Description": "What stands before the zips' names, such as v1/."},
        **changed["Parameters"],
    }
    return changed


def _names_own_bucket(output: Any) -> bool:
    """Whether an output is about osls's bucket, or about a key in it."""
    text = json.dumps(output)
    return _OWN_BUCKET[0] in text or '"serverless/' in text


def bill_of_materials() -> str:
    """CycloneDX of what uv.lock puts into both layers; the same text for the same lock file."""
    command = [str(Path(sys.executable).with_name("uv")), "export", "--quiet", "--frozen", "--no-dev"]
    command += ["--no-emit-project", "--extra", "cli", "--format", "cyclonedx1.5", "--preview"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # pinned
    if answer.returncode:
        raise ArtefactError(f"uv export failed: {answer.stderr}")
    bill = json.loads(answer.stdout)
    del bill["serialNumber"], bill["metadata"]["timestamp"]
    # Layers hold pyarrow of the extra, and no other part of it.
    wanted = _layered()
    bill["components"] = [one for one in bill["components"] if one["name"] in wanted]
    kept = {one["bom-ref"] for one in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    bill["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in kept]}
        for one in bill["dependencies"]
        if one["ref"] in kept
    ]
    return json.dumps(bill, indent=1) + "\n"


def _layered() -> set[str]:
    """The distributions in the layers that were built for Lambda."""
    found = (ROOT / "build" / "layers" / "lambda").glob("*/python/*.dist-info/METADATA")
    names = set()
    for path in found:
        line = next(one for one in path.read_text(encoding="utf-8").splitlines() if one.startswith("Name: "))
        names.add(line.removeprefix("Name: ").strip().lower().replace("_", "-").replace(".", "-"))
    return names


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
