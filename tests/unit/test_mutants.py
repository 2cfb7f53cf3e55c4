"""The mutator of ``make mutate``: each mutant is one change that compiles, judged by the tests that reach it."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.forking import KILLED, SURVIVED
from tests.mutation.judging import NOT_REACHED, job_of
from tests.mutation.mutants import mutants_of
from tests.mutation.noticing import Noticing
from tests.mutation.recording import SUITES, Recording, digest_of_sources
from tests.mutation.results import Result, read_examined, read_results, result_of, table, with_examined

pytestmark = pytest.mark.slow("runs other tests in processes of their own")

PARTS = Path("domain", "protocol", "parts.py")
FUNCTION = "cut_into_parts"
TEST = "tests/unit/protocol/test_parts.py::test_parts_cover_every_byte_once"


def changes_in(tmp_path: Path, code: str) -> set[tuple[str, str]]:
    """What is changed in this code, and into what."""
    path = tmp_path / "one.py"
    path.write_text(code)
    return {(mutant.before, mutant.after) for mutant in mutants_of(path)}


def test_each_mutant_is_one_change(tmp_path: Path) -> None:
    """Comparisons, conditions, numbers, named arguments, returned values and calls are changed, one at a time."""
    code = "def f(a, b):\n    g(a)\n    if a < b and not b:\n        return h(a, key=1)\n    return None\n"
    changes = changes_in(tmp_path, code)
    assert ("a < b", "a <= b") in changes
    assert ("a < b and (not b)", "a < b or not b") in changes
    assert ("a < b and (not b)", "a < b and True") in changes
    assert ("not b", "not not b") in changes
    assert ("h(a, key=1)", "h(a)") in changes
    assert ("1", "2") in changes
    assert ("return h(a, key=1)", "return None") in changes
    assert ("g(a)", "None") in changes


def test_guards_loops_and_filters_are_changed(tmp_path: Path) -> None:
    """A raise that is left out, a loop that is never entered, a filter that lets everything through."""
    code = "def f(a):\n    while a:\n        continue\n    raise E(1)\n\n\ndef g(a):\n    return [b for b in a if b]\n"
    changes = changes_in(tmp_path, code)
    assert ("raise E(1)", "None") in changes
    assert ("continue", "break") in changes
    assert ("[b for b in a if b]", "[b for b in a]") in changes
    assert any(before.startswith("while a") and after.startswith("while False") for before, after in changes)


def test_what_no_test_should_notice_is_left_alone(tmp_path: Path) -> None:
    """Forms of dataclasses, numbers named at the top, annotations, and what an error says."""
    code = "LIMIT = 5\n\n\n@dataclass(frozen=True, slots=True)\nclass A:\n    b: Literal[1]\n\n\n"
    assert changes_in(tmp_path, code) == set()


def test_every_mutant_of_the_protocol_compiles() -> None:
    """What does not compile would be killed for nothing."""
    found = list(mutants_of(Path("domain", "protocol", "reconciling.py")))
    assert len(found) > 50
    for mutant in found:
        compile(mutant.tree(), mutant.module, "exec")


def test_a_mutant_is_judged_by_the_tests_that_reach_it() -> None:
    """Fastest first, within the seconds that were given, and none that was too slow or failed without a mutant."""
    mutant = next(one for one in mutants_of(PARTS) if one.function is not None)
    tests = frozenset({"slow", "quick", "middle", "endless"})
    seconds = {"slow": 6.0, "quick": 1.0, "middle": 4.0, "endless": 1000.0}
    recording = Recording(seconds, {str(PARTS): {mutant.line: tests}})
    assert job_of(mutant, recording, at_most=100.0, deep=False).tests == ["quick", "middle", "slow"]
    assert job_of(mutant, recording, at_most=6.0, deep=False).tests == ["quick", "middle"]
    assert job_of(mutant, Recording(seconds, {}), at_most=6.0, deep=False).tests == []


def test_what_noticed_a_neighbour_is_tried_first(tmp_path: Path) -> None:
    """A near one before one in the same module; what noticed none stays in its order."""
    first, *_, last = (one for one in mutants_of(PARTS) if one.function is not None)
    noticing = Noticing(tmp_path / "noticed")
    noticing.note(first, "far")
    noticing.note(last, "near")
    assert noticing.sorted(last, ["quick", "slow", "far", "near"]) == ["near", "far", "quick", "slow"]
    elsewhere = next(mutants_of(PARTS.with_name("claims.py")))
    assert noticing.sorted(elsewhere, ["quick", "near"]) == ["quick", "near"]


def judged(
    test: str, reached: dict[int, frozenset[str]], folder: Path
) -> tuple[subprocess.CompletedProcess[str], list[Result]]:
    """What the command says of the mutants of PARTS, of which this test reaches these lines."""
    lines, results = folder / "lines", folder / "results.jsonl"
    lines.write_bytes(pickle.dumps(((digest_of_sources(), SUITES), ({test: 0.1}, {str(PARTS): reached}))))
    options = ["--recording", str(lines), "--results", str(results)]
    command = [sys.executable, "-m", "tests.mutation", "protocol/parts", *options]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ourselves
    return answer, list(read_results(results))


def test_mutants_are_really_judged(tmp_path: Path) -> None:
    """With one test of one function, its mutants are killed, and those of another function are not reached."""
    mutants = [one for one in mutants_of(PARTS) if one.function is not None]
    named = {one.function[0] for one in mutants if one.function}
    reached = {one.line: frozenset({TEST}) for one in mutants if one.function and one.function[0] == FUNCTION}
    answer, results = judged(TEST, reached, tmp_path)
    verdicts = {(one.function, one.verdict) for one in results}
    assert (FUNCTION, KILLED) in verdicts, answer.stderr
    assert {verdict for function, verdict in verdicts if function in named - {FUNCTION}} <= {NOT_REACHED}
    assert "| `protocol.parts` |" in answer.stdout


FAILING = """
import os
from domain.protocol.parts import cut_into_parts

def test_that_fails_where_mutants_are_judged():
    assert cut_into_parts(5, part_size=5)
    assert "PYTEST_VERSION_OF_THE_RECORDING" in os.environ
"""


def test_a_test_that_fails_without_a_mutant_kills_nothing(tmp_path: Path) -> None:
    """It would kill every one; it is named, and what only it reaches is not reached."""
    folder = Path("build", "mutation-control")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_failing.py").write_text(FAILING, encoding="utf-8")
    test = f"{folder}/test_failing.py::test_that_fails_where_mutants_are_judged"
    reached = {one.line: frozenset({test}) for one in mutants_of(PARTS) if one.function is not None}
    answer, results = judged(test, reached, tmp_path)
    assert f"judges nothing, it fails without a mutant: {test}" in answer.stderr
    assert {one.verdict for one in results} == {NOT_REACHED}
    assert answer.returncode == 1


def test_survivors_that_were_examined_are_equal_programs() -> None:
    """Neither for nor against the score, in the function that was looked at; what was killed stays killed."""
    results = [
        Result("domain.keys", 1, "f", "a", "b", 1, 0, SURVIVED, 3),
        Result("domain.keys", 2, "f", "a", "c", 2, 0, SURVIVED, 3),
        Result("domain.keys", 3, "f", "d", "e", 3, 0, KILLED, 3),
        Result("domain.keys", 4, "g", "a", "b", 4, 0, SURVIVED, 3),
    ]
    judged = with_examined(results, {"domain.keys": {"f": {"a => b": "why", "d => e": "why"}}})
    assert [one.verdict for one in judged] == ["equal", SURVIVED, KILLED, SURVIVED]
    assert table(judged, frozenset({"keys"}))[2] == "| `keys` | 4 | 1 | 0 | 1 | 2 | 0 | 33.3% |"


@pytest.mark.parametrize("module", sorted(read_examined()))
def test_what_was_examined_is_still_in_the_code(module: str) -> None:
    """A reason that outlives its code would excuse whatever takes its name."""
    results = [result_of(one, "", 0) for one in mutants_of(Path(*module.split(".")).with_suffix(".py"))]
    there = {(one.function, one.change) for one in results}
    examined = {(name, change) for name, changes in read_examined()[module].items() for change in changes}
    assert examined <= there
