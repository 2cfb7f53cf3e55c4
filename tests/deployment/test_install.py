"""What is installed from the wheel works by itself: no clone, no developer's packages."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.command_line import environment
from tests.e2e.documents import ROOT, shown_commands

UV, PIPX = (Path(sys.executable).parent / name for name in ("uv", "pipx"))
EXAMPLE = ROOT / "migrations" / "examples" / "flatten-dates.yaml"


@dataclass(frozen=True, slots=True)
class Installed:
    """The installed command, in a folder that has nothing of the clone."""

    command: Path
    folder: Path
    python: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run it without the clone on Python's path."""
        clean = {name: value for name, value in environment().items() if not name.startswith("PYTHON")}
        return run([self.command, *arguments], self.folder, clean)


def run(words: list[str | Path], folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(  # noqa: S603  # ours
        list(map(str, words)), cwd=folder, env=variables, capture_output=True, text=True, timeout=500, check=False
    )


def made(words: list[str | Path], folder: Path, more: dict[str, str]) -> str:
    """One step of uv, which must succeed; what it printed."""
    answer = run([UV, *words], folder, {**os.environ, **more})
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@dataclass(frozen=True, slots=True)
class Wheel:
    """What is installed, with the extras that the documents name, and the locked versions as constraints."""

    requirement: str
    locked: Path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    """Built from the clone."""
    folder = tmp_path_factory.mktemp("wheel")
    made(["build", "--quiet", "--wheel", "--no-build-isolation", "--out-dir", folder, ROOT], ROOT, {})
    (built,) = folder.glob("*.whl")
    locked = folder / "locked.txt"
    made(
        ["export", "--quiet", "--frozen", "--all-extras", "--no-dev", "--no-emit-project", "--no-hashes", "-o", locked],
        ROOT,
        {},
    )
    return Wheel(f"{built}[{extras_of_the_documents()}]", locked)


def by_uv(wheel: Wheel, folder: Path) -> Path:
    """`uv tool install`; where it puts environments."""
    places = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    made(
        ["tool", "install", "--python", sys.executable, "--constraints", wheel.locked, wheel.requirement],
        folder,
        places,
    )
    return folder / "tools"


def by_pipx(wheel: Wheel, folder: Path) -> Path:
    """`pipx install`; where it puts environments."""
    places = {"PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(folder / "bin"), "PIPX_MAN_DIR": str(folder)}
    options: list[str | Path] = ["--python", sys.executable, f"--pip-args=--constraint={wheel.locked}"]
    answer = run([PIPX, "install", *options, wheel.requirement], folder, {**os.environ, **places})
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder / "pipx" / "venvs"


@pytest.fixture(scope="module", params=[by_uv, by_pipx], ids=["uv", "pipx"])
def installed(request: pytest.FixtureRequest, wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """By each way that the documents name, into an environment of its own."""
    folder = tmp_path_factory.mktemp("installed")
    environments = request.param(wheel, folder)
    (folder / "empty").mkdir()
    return Installed(folder / "bin" / "keyshift", folder / "empty", environments / "keyshift" / "bin" / "python")


def extras_of_the_documents() -> str:
    """The same in each `uv tool install` and `pipx install` of the clone."""
    pattern = re.compile(r"(?:uv tool|pipx) install '\.\[([a-z,]+)\]'$")
    named = {found[1] for shown in shown_commands() if (found := pattern.match(shown.command))}
    assert len(named) == 1
    return named.pop()


def test_it_says_its_version(installed: Installed) -> None:
    """The project's."""
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    assert installed.run("--version").stdout == f"keyshift, version {version[1]}\n"


def test_it_proves_rules(installed: Installed) -> None:
    """A rules file outside the package."""
    answer = installed.run("rules", "check", EXAMPLE)
    assert answer.returncode == 0, answer.stderr
    assert "flatten-dates: proven" in answer.stdout


def test_every_command_can_be_loaded(installed: Installed) -> None:
    """Each that the help lists says its own help: no module or package is missing from the wheel."""
    listed = re.findall(r"^  ([a-z][a-z-]+)  ", installed.run("--help").stdout, re.MULTILINE)
    assert {"backfill", "cutover", "demo", "rules"} <= set(listed)
    failed = {name: answer.stderr for name in listed if (answer := installed.run(name, "--help")).returncode}
    assert failed == {}


def test_the_demo_has_what_it_needs(installed: Installed) -> None:
    """The stand-in starts from the extra, and the rules come with the package; tests/e2e/test_demo.py runs the demo."""
    program = (
        "from importlib.resources import files; from adapters.standin import running_standin\n"
        "with running_standin() as standin: print(files('handlers') / 'migrations' / 'edge-cv-portal.yaml')"
    )
    answer = run([installed.python, "-I", "-c", program], installed.folder, dict(environment()))
    assert answer.returncode == 0, answer.stderr
    rules = Path(answer.stdout.strip())
    assert rules.is_relative_to(installed.python.parents[1])
    assert installed.run("rules", "map", rules, "training-output/j/output/model.tar.gz").returncode == 0
