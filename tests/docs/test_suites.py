"""`make test` and `make test-slow` together are every test, and each slow one says why."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.docs.citing import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MODULES = sorted(path for path in (ROOT / "tests").rglob("test_*.py") if "deployment" not in path.parts)
SLOW_AS_A_WHOLE = {"chaos", "fuzz"}
"""Folders without a quick test: each of theirs starts servers and processes, or searches."""


def recipe(target: str) -> str:
    """The commands of a target of the Makefile, its variables replaced by their values."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE)
    assert found, target
    values = dict(re.findall(r"^(\w+) \??:?= (.*)$", MAKEFILE, re.MULTILINE))
    return re.sub(r"\$\((\w+)\)", lambda name: values[name[1]], found[1]).strip()


def test_no_test_is_left_out_and_none_runs_twice() -> None:
    """The two targets differ in the marker's sign only; CI runs each of them once."""
    quick, slow = recipe("test"), recipe("test-slow")
    assert quick.endswith(' -m "not slow"')
    assert quick.removesuffix(' -m "not slow"') == slow.removesuffix(" -m slow")
    assert re.search(r"^test-all: test test-slow ", MAKEFILE, re.MULTILINE)
    for name in (".ci/run", ".github/workflows/ci.yml"):
        runs = Counter(re.findall(r"\bmake (test[\w-]*)", (ROOT / name).read_text(encoding="utf-8")))
        assert runs == {"test": 1, "test-slow": 1}, name


def marks(path: Path) -> Iterator[ast.expr]:
    """Every ``pytest.mark.slow`` of a module, called or not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.slow":
            yield called.get(id(node), node)


def test_each_mark_has_a_reason() -> None:
    """One text, of some words."""
    found = [(f"{path.name}:{mark.lineno}", mark) for path in MODULES for mark in marks(path)]
    assert len(found) > 20
    for place, mark in found:
        assert isinstance(mark, ast.Call), place
        (reason,) = mark.args
        assert isinstance(reason, ast.Constant), place
        assert len(str(reason.value).split()) >= 2, place


def is_slow(path: Path) -> bool:
    """Whether all of a module is."""
    return "pytest.mark.slow" in "".join(
        re.findall(r"^pytestmark = .*?(?=^\S|\Z)", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )


def test_each_kind_keeps_quick_tests() -> None:
    """A change that breaks one kind is then seen before the slow ones run."""
    kinds = {path.relative_to(ROOT / "tests").parts[0] for path in MODULES}
    quick = {path.relative_to(ROOT / "tests").parts[0] for path in MODULES if not is_slow(path)}
    assert kinds - quick == SLOW_AS_A_WHOLE
