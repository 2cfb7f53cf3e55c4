"""The release folder: complete, true to its checksums, and deployed without osls."""

import ast
import json
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from adapters.standin import StandIn
from tests.deployment.artefact import LAMBDA_LAYERS, ROOT, Artefact
from tests.deployment.release import SBOM, SUMS, TEMPLATE, Release, make_release
from tests.deployment.site import awaited, root_client, stack_outputs

DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
STACK, CODE, PREFIX = "keyshift-dev", "release-code", "keyshift/"


@pytest.fixture(scope="module")
def release(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Made of what osls has packaged."""
    return make_release(artefact, tmp_path_factory.mktemp("release"))


def test_every_zip_is_there_and_comes_from_the_parameters(release: Release) -> None:
    """Of each function and layer; a digest in the name, and nothing of osls's own bucket."""
    template = release.template
    places = [
        resource["Properties"][word]
        for resource in template["Resources"].values()
        for word in ("Code", "Content")
        if isinstance(resource.get("Properties", {}).get(word), dict)
    ]
    assert len(places) == 13
    names = {place["S3Key"]["Fn::Sub"].removeprefix("${CodePrefix}") for place in places}
    assert names == {path.name for path in release.zips}
    assert {json.dumps(place["S3Bucket"]) for place in places} == {'{"Ref": "CodeBucket"}'}
    for path in release.zips:
        assert path.stem.endswith("-" + sha256(path.read_bytes()).hexdigest()[:12])
    assert "ServerlessDeploymentBucket" not in json.dumps(template)
    assert "serverless/keyshift" not in json.dumps(template)


def test_the_checksums_are_true(release: Release) -> None:
    """Of every file but their own."""
    lines = (release.folder / SUMS).read_text(encoding="utf-8").splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(sums) == {path.name for path in release.folder.iterdir()} - {SUMS}
    for name, digest in sums.items():
        assert sha256((release.folder / name).read_bytes()).hexdigest() == digest


def test_the_sbom_names_what_the_layers_hold(release: Release) -> None:
    """Each distribution with its version and a digest, and no other."""
    bill = json.loads((release.folder / SBOM).read_text(encoding="utf-8"))
    told = {(one["name"], one["version"]) for one in bill["components"]}
    held = set()
    for path in LAMBDA_LAYERS.glob("*/python/*.dist-info"):
        name, version = path.name.removesuffix(".dist-info").split("-")
        held.add((name.lower().replace("_", "-"), version))
    assert told == held
    for one in bill["components"]:
        assert any(found["hashes"] for found in one["externalReferences"])


def test_the_release_is_deployed_without_osls(release: Release, own_standin: StandIn) -> None:
    """Zips and template in a bucket, one call of CloudFormation; the functions have the code of the release."""
    s3, formation = root_client(own_standin, "s3"), root_client(own_standin, "cloudformation")
    s3.create_bucket(Bucket=CODE)
    for path in (*release.zips, release.folder / TEMPLATE):
        s3.upload_file(str(path), CODE, PREFIX + path.name)
    formation.create_stack(
        StackName=STACK,
        TemplateURL=f"{own_standin.endpoint_url}/{CODE}/{PREFIX}{TEMPLATE}",
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {"CodeBucket": CODE, "CodePrefix": PREFIX}.items()
        ],
    )

    def ended() -> str | None:
        status = str(formation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])
        return None if status.endswith("IN_PROGRESS") else status

    try:
        assert awaited(ended, seconds=120) == "CREATE_COMPLETE"
        assert stack_outputs(own_standin, STACK)["Table"] == "keyshift-dev-manifest"
        functions = root_client(own_standin, "lambda").list_functions(MaxItems=50)["Functions"]
        assert len([one for one in functions if one["FunctionName"].startswith("keyshift-dev-")]) == 11
    finally:
        formation.delete_stack(StackName=STACK)


def snippet(kind: str) -> str:
    """The only block of this kind on the page that is about the release."""
    section = DEPLOY[DEPLOY.index("## Without Node.js") : DEPLOY.index("## After the first deployment")]
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return str(found)


def parameters_of(template: dict[str, Any]) -> set[str]:
    """Those without a default, which every deployment must give."""
    return {name for name, one in template["Parameters"].items() if "Default" not in one}


def test_the_snippets_give_the_parameters(release: Release) -> None:
    """Those that have no default, and none that the template does not have."""
    known, needed = set(release.template["Parameters"]), parameters_of(release.template)
    terraform = set(re.findall(r"^    (\w+) += ", snippet("hcl"), re.MULTILINE))
    call = next(
        node for node in ast.walk(ast.parse(snippet("python"))) if isinstance(node, ast.Call) and len(node.keywords) > 1
    )
    given = next(one.value for one in call.keywords if one.arg == "parameters")
    assert isinstance(given, ast.Dict)
    cdk = {str(key.value) for key in given.keys if isinstance(key, ast.Constant)}
    overrides = re.search(r"--parameter-overrides (.*)$", snippet("sh"), re.MULTILINE)
    assert overrides
    shell = {word.partition("=")[0] for word in overrides[1].split()}
    for found in (terraform, cdk, shell):
        assert needed <= found <= known


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_the_terraform_snippet_is_in_order(tmp_path: Path) -> None:
    """Its syntax and form, which need no provider."""
    (tmp_path / "main.tf").write_text(snippet("hcl"), encoding="utf-8")
    command = ["terraform", "fmt", "-check", "-diff", "-no-color"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603
    assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr
