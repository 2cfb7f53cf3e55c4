"""The mutator of ``make mutate``: each mutant is one change that compiles."""

from pathlib import Path

from tests.mutation.mutants import mutants_of


def test_each_mutant_is_one_change(tmp_path: Path) -> None:
    """Comparisons, conditions, numbers, named arguments, returned values and calls are changed, one at a time."""
    path = tmp_path / "one.py"
    path.write_text("def f(a, b):\n    g(a)\n    if a < b and not b:\n        return h(a, key=1)\n    return None\n")
    changes = {(mutant.before, mutant.after) for mutant in mutants_of(path)}
    assert ("a < b", "a <= b") in changes
    assert ("a < b and (not b)", "a < b or not b") in changes
    assert ("not b", "not not b") in changes
    assert ("h(a, key=1)", "h(a)") in changes
    assert ("1", "2") in changes
    assert ("return h(a, key=1)", "return None") in changes
    assert ("g(a)", "None") in changes


def test_every_mutant_of_the_protocol_compiles() -> None:
    """What does not compile would be killed for nothing."""
    found = list(mutants_of(Path("domain", "reconciling.py")))
    assert len(found) > 50
    for mutant in found:
        compile(mutant.code, mutant.module, "exec")
