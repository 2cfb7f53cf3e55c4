"""``keyshift batch-manifest``: what a saved plan becomes for S3 Batch Operations."""

import csv
from pathlib import Path
from urllib.parse import unquote, unquote_plus

import pytest

from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.inventories import altered, write_rows

pytestmark = pytest.mark.slow("runs several commands on a saved plan, each as a process")

RULES = """
version: 1
migration: batch
source: {bucket: line-1}
target: {bucket: line-1}
rules:
  - {name: move, from: "old/{rest*}", to: "new/{rest*}"}
"""
KEYS = ["old/a b+c%2B", "old//double/", 'old/\u00e9,"quoted"', "old/new\nline"]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A rules file."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


def test_every_key_that_moves_is_in_it_once(tmp_path: Path, rules: Path) -> None:
    """Encoded so that both of the decoders in use read the same key; what is unmapped is left out."""
    rows = [{"bucket": "line-1", "key": key, "size": 1, "e_tag": "e"} for key in [*KEYS, "other/key"]]
    written, plan = write_rows(tmp_path / "inventory", rows, file_format="Parquet"), tmp_path / "plan.parquet"
    manifest = altered(written, sourceBucket="line-1")
    made = run_keyshift("plan", rules, "--inventory", manifest, "--out", plan)
    assert plan.exists(), made.stderr
    answer = run_keyshift("batch-manifest", plan, "--rules", rules, "--table", "unused")
    assert answer.returncode == 0, answer.stderr
    lines = list(csv.reader(answer.stdout.splitlines()))
    assert {bucket for bucket, _ in lines} == {"line-1"}
    assert sorted(KEYS) == sorted(unquote(key) for _, key in lines) == sorted(unquote_plus(key) for _, key in lines)


def test_another_file_is_no_plan(tmp_path: Path, rules: Path) -> None:
    """One sentence, exit code 2."""
    other = tmp_path / "other.parquet"
    other.write_text("no parquet")
    answer = run_keyshift("batch-manifest", other, "--rules", rules, "--table", "unused")
    assert_one_sentence(answer, code=2, says="not a saved plan")
