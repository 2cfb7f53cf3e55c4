"""What is uploaded: only ours and what it needs, for Lambda's platform, and enough of it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from adapters.standin import StandIn
from tests.deployment.artefact import LAMBDA_LAYERS, LOCAL_LAYERS, Artefact
from tests.deployment.modules import listed
from tests.deployment.place import made_place

LIMIT = 262_144_000
"""Bytes of a function with its layers, unzipped (Lambda's quotas)."""
AARCH64 = 183
"""e_machine of an ELF file (elf.h)."""
HANDLERS = (
    "object_events",
    "backfill",
    "inventory",
    "manifest_stream",
    "batch_operations",
    "resolver",
    "reference_events",
)
PROGRAM = """
import sys, json
code, layers, name, event = sys.argv[1], sys.argv[2].split(":"), sys.argv[3], json.loads(sys.argv[4])
sys.path[:0] = [code, *layers]
import importlib
class Context:
    def get_remaining_time_in_millis(self): return 300000
answer = importlib.import_module(name).handler(event, Context())
stray = [
    module.__file__ for module in list(sys.modules.values())
    if getattr(module, "__file__", None) and not module.__file__.startswith((code, *layers, *sys.argv[5].split(":")))
]
print(json.dumps({"answer": answer, "stray": stray}))
"""


def test_the_zip_holds_what_its_functions_can_import_and_the_rules(artefact: Artefact) -> None:
    """No tests, no command line, no demo, no stand-in, no secrets of whoever deploys."""
    assert sorted(artefact.zip_names("keyshift")) == sorted([*listed("keyshift"), "migrations/edge-cv-portal.yaml"])


def test_layers_and_package_fit_into_lambda(artefact: Artefact) -> None:
    """The largest function has both layers."""
    sizes = {name: _unzipped(artefact.folder / f"{name}.zip") for name in ("keyshift", "runtime", "arrow")}
    assert sum(sizes.values()) < LIMIT * 0.8, sizes


def _unzipped(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return sum(one.file_size for one in archive.infolist())


def test_a_layers_files_lie_where_lambda_looks(artefact: Artefact) -> None:
    """/opt/python is on the path, nothing else is."""
    for name in ("runtime", "arrow"):
        assert {one.split("/")[0] for one in artefact.zip_names(name)} == {"python"}


def test_compiled_modules_are_for_lambdas_platform() -> None:
    """One library of this machine's kind would fail on the first call, in production."""
    libraries = [path for path in LAMBDA_LAYERS.rglob("*.so*") if path.is_file()]
    assert len(libraries) > 10
    for path in libraries:
        with path.open("rb") as file:
            header = file.read(20)
        assert header[:4] == b"\x7fELF", path
        assert int.from_bytes(header[18:20], "little") == AARCH64, path
        assert "cpython-" not in path.name or "cpython-313-" in path.name, path


def test_the_layers_have_the_locked_versions_only() -> None:
    """What the tests ran with is what runs in Lambda; the command line's needs are not there."""
    installed = {path.name.split("-")[0].lower() for path in (LAMBDA_LAYERS / "runtime").rglob("*.dist-info")}
    assert {"boto3", "botocore", "pydantic", "aws_lambda_powertools"} <= installed
    assert not {"click", "rich", "duckdb", "numpy", "ministack", "pyarrow"} & installed


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_runs_with_nothing_but_the_artefact(
    code: Path, standin_process: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An isolated interpreter that sees the zip, the layer and the standard library: imported and invoked."""
    layers = [str(LOCAL_LAYERS / layer / "python") for layer in ("runtime", "arrow")][: 2 if name == "inventory" else 1]
    standard = f"{Path(json.__file__).parents[1]}:{sys.base_prefix}"
    event: dict[str, Any] = {"Records": []}
    if name == "batch_operations":
        event = {"invocationSchemaVersion": "1.0", "invocationId": "i", "job": {"id": "j"}, "tasks": []}
    if name == "resolver":
        event = {"uris": []}
    with made_place(standin_process, tmp_path, monkeypatch) as place:
        environment = place.environment(tmp_path / "rules.yaml")
        command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(code), ":".join(layers), f"handlers.{name}"]
        answer = subprocess.run(  # noqa: S603  # ourselves
            [*command, json.dumps(event), standard], env=environment, capture_output=True, text=True, check=False
        )
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout.splitlines()[-1])
    assert said["stray"] == []
    assert [] in said["answer"].values()
