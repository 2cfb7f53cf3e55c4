"""The package: its generic names are fenced, and the wheel holds what it must and nothing else."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("handlers", "domain", "adapters")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once and without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603  # our own build
    (built,) = folder.glob("*.whl")
    return built


def test_nobody_else_owns_our_names() -> None:
    """Another distribution with one of our top-level names would overwrite ours, or win over it, in silence."""
    owners = packages_distributions()
    for name in (*OURS, "tests"):
        assert set(owners.get(name, ["keyshift"])) <= {"keyshift"}, name


def test_the_top_level_packages_are_these_four() -> None:
    """A fifth would be one more name to fence."""
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found - {"bench"} == {*OURS, "tests"}


def test_the_wheel_holds_our_packages_and_the_rules(wheel: Path) -> None:
    """Three packages, the shipped rules files, the metadata; no tests, no notes, no caches."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(OURS)
    assert "handlers/migrations/edge-cv-portal.yaml" in names
    sources = {str(path.relative_to(ROOT)) for name in OURS for path in (ROOT / name).rglob("*.py") if path.is_file()}
    assert sources <= set(names)
    allowed = (".py", ".yaml", ".dist-info/METADATA", ".dist-info/WHEEL", ".dist-info/RECORD", "/entry_points.txt")
    others = [name for name in names if not name.endswith((*allowed, "/LICENSE"))]
    assert others == []


def test_the_wheel_is_private() -> None:
    """An index refuses a distribution with this classifier: the generic names must not get out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]
    assert project["scripts"] == {"keyshift": "handlers.cli:main"}


def test_the_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, the command runs there and finds the rules that it ships."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import handlers; from handlers.cli.demo import packaged_rules; "
        "from handlers.config.rules_file import load_rules; path = packaged_rules('edge-cv-portal.yaml'); "
        "assert str(path).startswith(sys.argv[1]), path; print(load_rules(path).migration)"
    )
    answer = subprocess.run(  # noqa: S603  # ourselves
        [sys.executable, "-P", "-c", program, str(tmp_path)], cwd="/", capture_output=True, text=True, check=False
    )
    assert answer.stdout == "edge-cv-portal\n", answer.stderr


def test_no_lambda_function_imports_the_stand_in() -> None:
    """The emulator is an extra of the command line; a function must start without it."""
    program = (
        "import sys; import handlers.object_events, handlers.backfill, handlers.manifest_stream; "
        "sys.exit(str({'ministack', 'click', 'rich', 'duckdb'} & set(sys.modules) or '') or 0)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603
    assert answer.returncode == 0, answer.stderr
