"""The domain uses of the standard library what is on a list, and asks nobody for the time."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PURE = frozenset(
    {
        *("__future__", "base64", "bisect", "collections", "contextlib", "dataclasses", "decimal", "enum"),
        "datetime",  # to write times; what reads the clock is looked for below
        *("fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "re", "string"),
        *("types", "typing", "urllib", "zlib"),
    }
)
IMPURE = frozenset({"open", "print", "input", "eval", "exec", "compile", "__import__"})
CLOCKS = frozenset({("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")})


def faults(source: str) -> Iterator[str]:
    """What a module of the domain must not have: other imports, built-ins that reach out, a look at the clock."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if one.name.split(".")[0] not in PURE | {"domain"})
            case ast.ImportFrom(module=str(module), level=0) if module.split(".")[0] not in PURE | {"domain"}:
                yield module
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE:
                yield name
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if (owner, name) in CLOCKS:
                yield f"{owner}.{name}"


def test_the_domain_is_pure() -> None:
    """An allow-list: the import contracts can only forbid what has been thought of."""
    paths = sorted((ROOT / "domain").rglob("*.py"))
    found = {str(path.relative_to(ROOT)): list(faults(path.read_text(encoding="utf-8"))) for path in paths}
    assert len(found) > 60
    assert {path: named for path, named in found.items() if named} == {}


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        ("import os.path", "os.path"),
        ("from time import time", "time"),
        ("from adapters.local.clock import SystemClock", "adapters.local.clock"),
        ("def f():\n    import random", "random"),
        ("text = open('x').read()", "open"),
        ("then = datetime.now(UTC)", "datetime.now"),
    ],
)
def test_what_is_not_pure_is_named(planted: str, named: str) -> None:
    """Also inside a function."""
    assert list(faults(planted)) == [named]
