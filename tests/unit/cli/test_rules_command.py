"""``keyshift rules map`` on arguments and on standard input."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from handlers.cli.rules import rules

FILE = """version: 1
migration: m
source: {bucket: src-bucket}
target: {bucket: dst-bucket}
rules: [{name: a, from: "a/{n*}", to: "b/{n}"}]
unmapped: UNMAPPED
"""


def run(tmp_path: Path, *arguments: str, keys: bytes = b"", unmapped: str = "report") -> Result:
    """Run the command on the small file."""
    path = tmp_path / "rules.yaml"
    path.write_text(FILE.replace("UNMAPPED", unmapped))
    return CliRunner().invoke(rules, ["map", str(path), *arguments], input=keys)


def rows(result: Result) -> list[Any]:
    """The printed lines."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_key_gets_one_line_with_the_documented_names(tmp_path: Path) -> None:
    """The line is the one of docs/rules.md."""
    result = run(tmp_path, "a/ä\n+")
    moved = {
        "key": "a/ä\n+",
        "outcome": "move",
        "rule": "a",
        "target_bucket": "dst-bucket",
        "target_key": "b/ä\n+",
        "reason": None,
    }
    assert rows(result) == [moved]
    assert result.exit_code == 0


def test_keys_come_from_standard_input_by_line_or_by_nul(tmp_path: Path) -> None:
    """Without a final line feed too; with -0 a key may hold line feeds."""
    assert [row["key"] for row in rows(run(tmp_path, keys=b"a/1\na/2\r\na/3"))] == ["a/1", "a/2\r", "a/3"]
    assert [row["key"] for row in rows(run(tmp_path, "-0", keys=b"a/1\n2\0a/3\0"))] == ["a/1\n2", "a/3"]
    assert rows(run(tmp_path)) == []


def test_a_long_input_is_read_in_blocks(tmp_path: Path) -> None:
    """Keys that straddle two blocks are whole."""
    keys = [f"a/{number}" for number in range(20_000)]
    assert [row["key"] for row in rows(run(tmp_path, keys="\n".join(keys).encode()))] == keys


def test_the_key_of_a_copy_is_not_refused(tmp_path: Path) -> None:
    """In one bucket a rule could have made it; turned round it has no legacy key all the same."""
    path = tmp_path / "rules.yaml"
    path.write_text(FILE.replace("UNMAPPED", "fail").replace("dst-bucket", "src-bucket"))
    codes = [CliRunner().invoke(rules, ["map", str(path), key]).exit_code for key in ("b/1", "c/1")]
    assert codes == [0, 1]
    assert CliRunner().invoke(rules, ["map", str(path), "--reverse", "c/1"]).exit_code == 1


@pytest.mark.parametrize(
    ("key", "unmapped", "code"), [("x", "report", 0), ("x", "fail", 1), ("a/" + "x" * 1023, "keep", 1)]
)
def test_the_exit_code_is_one_when_a_key_is_refused(tmp_path: Path, key: str, unmapped: str, code: int) -> None:
    """A rejected key, or an unmapped one where the file forbids it."""
    assert run(tmp_path, key, unmapped=unmapped).exit_code == code


def test_reverse_prints_the_legacy_keys(tmp_path: Path) -> None:
    """And says so where none leads there."""
    there, nowhere = rows(run(tmp_path, "--reverse", "b/1", "c/1"))
    assert (there["key"], there["target_key"]) == ("a/1", "b/1")
    assert (nowhere["key"], nowhere["outcome"]) == ("c/1", "unmapped")


def test_input_that_is_not_utf8_ends_with_its_place(tmp_path: Path) -> None:
    """The lines before it are answered, then one sentence and exit code 2."""
    result = run(tmp_path, keys=b"a/1\na/\xff\n")
    assert len(rows(result)) == 1
    assert result.exit_code == 2
    assert "key 2 is not UTF-8 at byte 3" in result.stderr


def test_a_wrong_file_ends_with_exit_code_two(tmp_path: Path) -> None:
    """Every mistake has its place, and there is no traceback."""
    result = run(tmp_path, "a/1", unmapped="maybe")
    assert result.exit_code == 2
    assert "rules.yaml:6:1: 'unmapped'" in result.stderr
