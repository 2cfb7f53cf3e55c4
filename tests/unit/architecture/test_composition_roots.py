"""What a composition root gives to others is a port or a type of the handlers, never an adapter."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def is_root(module: str) -> bool:
    """The modules that import-linter lets name an adapter (pyproject.toml)."""
    return module.startswith("handlers.bootstrap") or module in {"handlers.demo.wiring", "handlers.demo.portal.wiring"}


def sources_of(folder: Path) -> Mapping[str, str]:
    """Every module of the handlers with its text."""
    return {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__"): path.read_text(
            encoding="utf-8"
        )
        for path in folder.rglob("*.py")
    }


def leaks(sources: Mapping[str, str]) -> Iterator[str]:
    """Names that others import of a root although an adapter stands behind them: itself, or as what a call returns."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    adapters = {module: set(_adapters_in(tree)) for module, tree in trees.items() if is_root(module)}
    for module, tree in trees.items():
        if is_root(module):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in adapters:
                for one in node.names:
                    if {one.name, *_returned(trees[node.module], one.name)} & adapters[node.module]:
                        yield f"{module}: {node.module}.{one.name}"


def _adapters_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "adapters":
            yield from (one.asname or one.name for one in node.names)


def _returned(tree: ast.Module, name: str) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name and node.returns is not None:
            yield from (one.id for one in ast.walk(node.returns) if isinstance(one, ast.Name))


def test_no_adapter_leaves_a_composition_root() -> None:
    """A command that is typed against an adapter cannot be tried with a fake."""
    sources = sources_of(ROOT / "handlers")
    assert sum(map(is_root, sources)) >= 10
    assert list(leaks(sources)) == []


@pytest.mark.parametrize(
    ("root", "planted"),
    [
        ("from adapters.doctor.inspector import AwsInspector\n", "AwsInspector"),
        ("from adapters.s3.listing import S3ObjectListing\ndef listing() -> S3ObjectListing: ...\n", "listing"),
        ("from adapters import s3\ndef listings() -> list[s3.listing.S3ObjectListing]: ...\n", "listings"),
    ],
)
def test_an_adapter_that_leaves_is_named(root: str, planted: str) -> None:
    """Handed on by its name, or returned."""
    command = f"def f():\n    from handlers.bootstrap.inspection import {planted}\n"
    sources = {"handlers.bootstrap.inspection": root, "handlers.cli.doctor": command}
    assert list(leaks(sources)) == [f"handlers.cli.doctor: handlers.bootstrap.inspection.{planted}"]
