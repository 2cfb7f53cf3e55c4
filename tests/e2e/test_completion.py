"""Shell completion as docs/install.md switches it on."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.command_line import ROOT, environment

pytestmark = pytest.mark.slow("starts each shell")

LINES = dict(
    re.findall(r"^\| (bash|zsh|fish)[^|]*\| `((?:[^`])+)` \|", (ROOT / "docs" / "install.md").read_text(), re.MULTILINE)
)
COMPLETED = {"keyshift cut": ["cutover"], "keyshift dlq re": ["replay"], "keyshift backfill --dry": ["--dry-run"]}


def shell(name: str, script: str) -> str:
    """What a shell prints that finds the installed keyshift first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    answer = subprocess.run(  # noqa: S603  # our own document
        [name, "-c", script], env=environment({"PATH": path}), capture_output=True, text=True, timeout=120, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("typed", COMPLETED)
def test_bash_completes_commands_and_options(typed: str) -> None:
    """With the line of the page, and nothing else."""
    words = typed.split()
    asked = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _keyshift_completion keyshift"
    answer = shell("bash", f'{LINES["bash"]}; {asked}; printf "%s\\n" "${{COMPREPLY[@]}}"')
    assert answer.split() == COMPLETED[typed]


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_the_line_of_another_shell_makes_a_completion(name: str) -> None:
    """What the line evaluates, and the line itself where the shell is here."""
    source = re.search(r"_KEYSHIFT_COMPLETE=\w+ keyshift", LINES[name].replace("\\", ""))
    assert source
    assert f"_KEYSHIFT_COMPLETE={name}_complete" in shell("bash", source[0])
    if shutil.which(name):
        shell(name, LINES[name].replace("\\|", "|"))
