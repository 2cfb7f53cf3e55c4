"""The import contracts of pyproject.toml hold, and each of them sees what it forbids."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LINTER = Path(sys.executable).with_name("lint-imports")


@dataclass(frozen=True, slots=True)
class Planted:
    """One line at the end of one module, the contract that forbids it, and what the contract then says."""

    contract: str
    path: str
    line: str
    said: str

    def __str__(self) -> str:
        return f"{self.contract}: {self.path}"


PLANTED = (
    Planted("never-back", "domain/keys.py", "import adapters.local.clock", "domain.keys -> adapters.local.clock"),
    Planted("never-back", "adapters/aws/errors.py", "import handlers.intake", "adapters.aws.errors -> handlers.intake"),
    Planted("rooms-of-domain", "domain/rules/paths.py", "import domain.proofs", "domain.rules.paths -> domain.proofs"),
    Planted("rooms-of-domain", "domain/steering/pulse.py", "import domain.protocol", "-> domain.protocol"),
    Planted("rooms-of-domain", "domain/helpers/__init__.py", "", "- domain.helpers"),
    Planted("rooms-of-adapters", "adapters/s3/listing.py", "import adapters.dynamodb", "-> adapters.dynamodb"),
    Planted("rooms-of-adapters", "adapters/aws/clients.py", "import adapters.s3", "-> adapters.s3"),
    Planted("rooms-of-adapters", "adapters/helpers.py", "", "- adapters.helpers"),
    Planted("rooms-of-handlers", "handlers/resolver.py", "import handlers.inventory", "-> handlers.inventory"),
    Planted("rooms-of-handlers", "handlers/engine/batch.py", "import handlers.operations", "-> handlers.operations"),
    Planted("rooms-of-handlers", "handlers/helpers.py", "", "- handlers.helpers"),
    Planted("rooms-of-portal", "handlers/portal/training.py", "import handlers.portal.packaging", "portal.packaging"),
    Planted("rooms-of-portal", "handlers/portal/helpers.py", "", "- handlers.portal.helpers"),
    Planted("pure-domain", "domain/keys.py", "import logging", "domain.keys -> logging"),
    Planted("composition-roots", "handlers/operations/verify.py", "import adapters.s3", "verify -> adapters.s3"),
    Planted("composition-roots", "handlers/cli/doctor.py", "import adapters.doctor", "doctor -> adapters.doctor"),
    Planted("no-sdk-in-handlers", "handlers/bootstrap/audit.py", "import boto3", "handlers.bootstrap.audit -> boto3"),
    Planted("no-cycles", "domain/protocol/record.py", "import domain.protocol.migration", "No cycles are allowed"),
)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three packages and their contracts, where a test may spoil them."""
    folder = tmp_path_factory.mktemp("tree")
    for package in ("domain", "adapters", "handlers"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def spoiled(copied: Path, request: pytest.FixtureRequest) -> Iterator[Planted]:
    """The copied tree with one line too many, which is taken away afterwards."""
    planted: Planted = request.param
    path = copied / planted.path
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((before or b"") + planted.line.encode() + b"\n")
    yield planted
    if before is not None:
        path.write_bytes(before)
        return
    path.unlink()
    if not any(path.parent.iterdir()):
        path.parent.rmdir()


def lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the tree, by these contracts or by all."""
    chosen = [word for one in contracts for word in ("--contract", one)]
    command = [str(LINTER), "--no-cache", "--no-logo", *chosen]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)  # noqa: S603  # a tool of ours


def test_every_contract_is_kept(copied: Path) -> None:
    """As in ``make check``, on the copy that the other tests spoil."""
    answer = lint(copied)
    assert answer.returncode == 0, answer.stdout


def test_every_contract_has_a_planted_violation() -> None:
    """A contract that nobody has seen to fail may look at nothing."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert {one["id"] for one in settings["contracts"]} == {one.contract for one in PLANTED}


@pytest.mark.parametrize("spoiled", PLANTED, ids=str, indirect=True)
def test_a_contract_sees_what_it_forbids(copied: Path, spoiled: Planted) -> None:
    """The planted import, or the module without a place, is named."""
    answer = lint(copied, spoiled.contract)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert spoiled.said in answer.stdout
