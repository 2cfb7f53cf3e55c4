"""What ``doctor --conformance`` prints and writes, and how it ends."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click
import pytest
from click.testing import CliRunner, Result

from domain.errors import InputError
from domain.lifecycle.conformance import MOST_PREFIX, Fact, Observed, Outcome
from handlers.cli.conformance import ConformanceOptions, run_conformance
from handlers.cli.doctor import doctor

NEEDED, OTHER = Fact("2.1", "PutObject, a | b", "412", is_vital=True), Fact("1.3", "delay", "seconds")
GOOD = [Observed(NEEDED, Outcome.AS_EXPECTED, "412"), Observed(OTHER, Outcome.DIFFERENT, "hours")]


class Played:
    """A run whose answers are given."""

    def __init__(
        self, observed: Sequence[Observed], left: Sequence[str] = (), error: BaseException | None = None
    ) -> None:
        self._observed, self._left, self._error = observed, left, error
        self.left: Sequence[str] = ()

    @property
    def facts(self) -> Sequence[Fact]:
        """All."""
        return [one.fact for one in self._observed]

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Only now it is known what is left."""
        self.left = self._left

    def observe(self) -> Iterator[Observed]:
        """One by one."""
        yield from self._observed
        if self._error is not None:
            raise self._error


def ended(run: Played, *, write: Path | None = None, as_json: bool = False) -> Result:
    """The command's end."""

    @click.command()
    @click.pass_context
    def command(context: click.Context) -> None:
        run_conformance(context, run, server="http://here", prefix="mine", write=write, as_json=as_json)

    return CliRunner().invoke(command)


def test_it_says_beforehand_what_it_makes_and_costs() -> None:
    """On the error stream, so that --json stays readable."""
    assert "named mine-…" in ended(Played(GOOD)).stderr
    assert "less than 0.01 dollars" in ended(Played(GOOD)).stderr


def test_a_difference_that_is_not_needed_is_shown_and_passes() -> None:
    """With what was expected."""
    result = ended(Played(GOOD))
    assert result.exit_code == 0
    assert "different      §1.3  delay: hours; expected seconds\n" in result.stdout
    assert "1 as expected, 1 different. Every fact that keyshift needs holds" in result.stdout


@pytest.mark.parametrize("outcome", [Outcome.DIFFERENT, Outcome.COULD_NOT_RUN])
def test_a_needed_fact_that_does_not_hold_or_is_unknown_fails(outcome: Outcome) -> None:
    """The line says that keyshift needs it, and the end what to do."""
    result = ended(Played([Observed(NEEDED, outcome, "200")]))
    assert result.exit_code == 1
    assert "(keyshift needs it)" in result.stdout
    assert "Do not migrate there" in result.stdout


@pytest.mark.parametrize("outcome", [Outcome.NOT_OFFERED, Outcome.NOT_TRIED])
def test_what_a_server_does_not_offer_passes(outcome: Outcome) -> None:
    """A server of S3 alone."""
    assert ended(Played([Observed(NEEDED, outcome, "")])).exit_code == 0


def test_what_is_left_is_named_and_fails() -> None:
    """Although every fact holds."""
    result = ended(Played(GOOD, left=["bucket b: aws s3 rb --force s3://b"]))
    assert result.exit_code == 1
    assert "not removed: bucket b: aws s3 rb --force s3://b" in result.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("a mistake")])
def test_what_is_left_is_named_after_an_interruption_too(error: BaseException) -> None:
    """And the operator is asked to wait for the removal."""
    result = ended(Played(GOOD, left=["queue q"], error=error))
    assert result.exit_code != 0
    assert "not removed: queue q" in result.stderr
    assert ("interrupted: removing" in result.stderr) is isinstance(error, KeyboardInterrupt)


def test_json_has_a_line_for_each_fact_and_one_for_the_end() -> None:
    """For a gate in a pipeline."""
    lines: list[Any] = [json.loads(line) for line in ended(Played(GOOD), as_json=True).stdout.splitlines()]
    assert lines[0] == {
        "section": "2.1",
        "fact": "PutObject, a | b",
        "expected": "412",
        "needed": True,
        "outcome": "as expected",
        "seen": "412",
    }
    assert lines[-1]["fit"] is True
    assert lines[-1]["counts"] == {"as expected": 1, "different": 1}


def test_the_table_is_written_as_markdown(tmp_path: Path) -> None:
    """Dated, with the server; a bar in a text does not end its cell."""
    path = tmp_path / "table.txt"
    ended(Played(GOOD), write=path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# What http://here answered on 20")
    assert "| §2.1 | PutObject, a \\| b | 412 | 412 | as expected | yes |\n" in text


def test_a_table_that_is_there_survives_an_interruption(tmp_path: Path) -> None:
    """It is replaced at the end only."""
    path = tmp_path / "table.txt"
    path.write_text("of yesterday", encoding="utf-8")
    ended(Played(GOOD, error=KeyboardInterrupt()), write=path)
    assert path.read_text(encoding="utf-8") == "of yesterday"


def test_a_table_that_cannot_be_written_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """The run would be paid for nothing."""
    run = Played(GOOD)
    result = ended(run, write=tmp_path / "absent" / "table.txt")
    assert isinstance(result.exception, InputError)
    assert result.stdout == ""


@pytest.mark.parametrize("prefix", ["", "ab", "Abc", "a_b", "-abc", "abc-", "a" * (MOST_PREFIX + 1), "abc\n"])
def test_a_prefix_that_no_bucket_can_have_is_refused(prefix: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InputError, match="--bucket-prefix"):
        _ = ConformanceOptions(prefix, None, None, None).prefix


def test_names_with_the_longest_prefix_fit_into_buckets() -> None:
    """63 characters are S3's maximum."""
    prefix = ConformanceOptions("a" * MOST_PREFIX, None, None, None).prefix
    assert len(f"{prefix}-{'0' * 12}-unannotated") <= 63
    assert ConformanceOptions(None, None, None, None).prefix == "keyshift-conformance"


def test_its_options_are_refused_without_it(tmp_path: Path) -> None:
    """They would be ignored silently."""
    rules = tmp_path / "rules.yaml"
    given = ["--rules", str(rules), "--table", "t", "--wait", "5", "--kms-key", "k"]
    result = CliRunner().invoke(doctor, given)
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith("--kms-key, --wait only counts with --conformance")
