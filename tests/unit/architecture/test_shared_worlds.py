"""What several tests share lives beside them, never in one of them."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TESTS = ROOT / "tests"


def imported_tests(source: str) -> Iterator[str]:
    """Each module of tests that the source imports, whole or in part."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                modules = [one.name for one in names]
            case ast.ImportFrom(module=module, names=names):
                modules = [".".join(filter(None, (module, one.name))) for one in names]
            case _:
                modules = []
        yield from (one for one in modules if any(part.startswith("test_") for part in one.split(".")))


def public_names(source: str) -> Iterator[str]:
    """What a module defines for others; what it imports is not its own."""
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


def test_no_module_imports_from_a_test() -> None:
    """A test can then be changed, moved or removed with nothing but itself in view."""
    paths = sorted(TESTS.rglob("*.py"))
    found = {str(path.relative_to(ROOT)): list(imported_tests(path.read_text(encoding="utf-8"))) for path in paths}
    assert len(found) > 300
    assert {path: modules for path, modules in found.items() if modules} == {}


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        ("import tests.unit.test_keys", "tests.unit.test_keys"),
        ("from tests.unit.test_keys import World", "tests.unit.test_keys.World"),
        ("from tests.unit import test_keys", "tests.unit.test_keys"),
        ("from . import test_keys", "test_keys"),
        ("def f():\n    from .test_keys import World as Other", "test_keys.World"),
    ],
)
def test_an_import_from_a_test_is_named(planted: str, named: str) -> None:
    """In every form that Python has, also inside a function."""
    assert list(imported_tests(planted)) == [named]


def test_worlds_and_fakes_share_no_name() -> None:
    """One name means one thing, whichever test is read."""
    paths = [path for folder in ("worlds", "fakes") for path in (TESTS / folder).glob("*.py")]
    counted = Counter(name for path in paths for name in public_names(path.read_text(encoding="utf-8")))
    assert {"MigrationWorld", "ReferringWorld", "InMemoryManifest"} < set(counted)
    assert [name for name, times in counted.items() if times > 1] == []
