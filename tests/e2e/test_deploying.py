"""`make deploy` proves the rules file before it puts anything into an account."""

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow("runs make again and again")

ROOT = Path(__file__).resolve().parents[2]
RULES = """
version: 1
migration: deployed
source: {bucket: line-1}
target: {bucket: line-1}
rules: [{name: move, from: "old/{rest...}", to: "TO/{rest...}"}]
"""


@pytest.mark.parametrize(("to", "ends_well"), [("new", True), ("old/again", False)])
def test_refuted_rules_are_not_deployed(tmp_path: Path, to: str, ends_well: bool) -> None:
    """The step that `deploy` begins with fails with the findings, and make stops there."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.replace("TO", to), encoding="utf-8")
    answer = _make("check-rules", f"RULES={rules}")
    assert (answer.returncode == 0) is ends_well, answer.stdout + answer.stderr
    assert ("loop: 'move'" in answer.stdout) is not ends_well


def test_deploy_begins_with_the_proof() -> None:
    """What make would run, in its order; nothing is run."""
    lines = _make("-n", "deploy").stdout.splitlines()
    proof = next(at for at, line in enumerate(lines) if "rules check" in line)
    assert proof < next(at for at, line in enumerate(lines) if "osls deploy" in line)


def _make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607  # ours
