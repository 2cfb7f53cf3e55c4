"""The judge owes nothing to the code that it judges."""

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from domain.lifecycle.stages import StageEntry
from tests.simulation.whole import excuses

HERE = Path(excuses.__file__).parent
INDEPENDENT = ("history", "losses", "doubts", "excuses", "chronicle", "truth", "rest", "promises", "run_promises")
TELLING = ("stages", "service", "people", "capturing", "ports_runs")
"""Modules that tell the judge what is so."""
OF_RECORDS = {"records", "state_of", "intent", "maybe", "origin", "mode", "target_etag"}
OF_STAGES = {"stage", "entry", *(field.name for field in fields(StageEntry))}
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


def attributes_of(name: str) -> set[str]:
    """Every attribute that one module of the simulation names."""
    tree = ast.parse((HERE / f"{name}.py").read_text())
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


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
    """No module of the judge names the manifest or a record's fields; the comparison with records is apart.

    Nor does one that tells it facts: of the stage that the program writes only the steps themselves are told.
    """
    for name in (*INDEPENDENT, *TELLING):
        # A retention of S3's has a mode too.
        of_records = OF_RECORDS - {"mode"} if name == "losses" else OF_RECORDS
        assert not attributes_of(name) & of_records, name
    assert not attributes_of("promises") & OF_STAGES
    assert attributes_of("stages") & OF_STAGES == {"stage", "entry"}
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
