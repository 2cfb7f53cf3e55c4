"""The judge owes nothing to the code that it judges."""

import ast
from pathlib import Path

import pytest

from tests.simulation.whole import excuses

HERE = Path(excuses.__file__).parent
INDEPENDENT = ("history", "doubts", "excuses", "chronicle", "truth", "rest")
PURE = {"domain.keys": {"Location"}}
"""Vocabulary: where an object is."""


def imports_of(name: str) -> set[tuple[str, str]]:
    """Every module and name that one module of the simulation imports."""
    found = set[tuple[str, str]]()
    for node in ast.walk(ast.parse((HERE / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "", alias.name) for alias in node.names}
    return found


@pytest.mark.parametrize("name", INDEPENDENT)
def test_the_judge_imports_no_code_that_it_judges(name: str) -> None:
    """Of the product it knows what a location is; of the simulation it knows itself and the fake S3."""
    for module, what in imports_of(name):
        top = module.partition(".")[0]
        assert top not in ("handlers", "adapters"), (module, what)
        if top == "domain":
            assert what in PURE.get(module, set()), (module, what)
        if module.startswith("tests."):
            own = module.removeprefix("tests.simulation.whole.") in INDEPENDENT
            assert own or module.startswith("tests.fakes."), (module, what)


def test_the_judge_sees_no_record() -> None:
    """No module of the judge names the manifest or a record's fields; the comparison with records is apart."""
    for name in INDEPENDENT:
        tree = ast.parse((HERE / f"{name}.py").read_text())
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not attributes & {"records", "state_of", "intent", "maybe", "origin", "mode", "target_etag"}, name
    assert ("tests.simulation.whole.truth", "Truth") in imports_of("claims")


def test_every_excuse_is_a_sentence() -> None:
    """Each excuse has its name and one sentence or two for what is not promised."""
    defined = [
        node.targets[0] for node in ast.parse((HERE / "excuses.py").read_text()).body if isinstance(node, ast.Assign)
    ]
    names = {
        getattr(excuses, one.id)
        for one in defined
        if isinstance(one, ast.Name) and one.id not in ("SENTENCES", "AT_ONCE")
    }
    assert names == set(excuses.SENTENCES)
    assert all(sentence.endswith(".") for sentence in excuses.SENTENCES.values())


def test_every_excuse_is_documented() -> None:
    """Among what docs/reliability.md does not promise, by its name."""
    page = (HERE.parents[2] / "docs/reliability.md").read_text(encoding="utf-8")
    assert [name for name in excuses.SENTENCES if f"| `{name}` |" not in page] == []
