"""What the functions of each stack can import: the modules that their zip holds, and no other one."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from tests.deployment.artefact import ROOT

MODULES = ROOT / "serverless-modules.yml"
STACKS: Mapping[str, str] = {"keyshift": "serverless.yml", "portal": "serverless-portal.yml"}
RULES = "${param:rulesFile}"
_OURS = frozenset({"adapters", "domain", "handlers"})
_TITLE = "# What the functions of each stack can import, which is what their zip holds: `make modules` writes it.\n"


def functions_of(stack: str) -> list[str]:
    """The modules that Lambda calls, as the stack's file names them."""
    text = (ROOT / STACKS[stack]).read_text(encoding="utf-8")
    return [one.replace("/", ".") for one in re.findall(r"^ +handler: (\S+)\.handler$", text, re.MULTILINE)]


def importable(starts: Iterable[str], *, root: Path = ROOT) -> set[str]:
    """The files of every module that these can import: inside a function too, and as a program of ``python -m``."""
    found: dict[str, Path] = {}
    waiting = list(starts)
    while waiting:
        module = waiting.pop()
        path = _path_of(module, root)
        if module in found or path is None:
            continue
        found[module] = path
        waiting += [module.rpartition(".")[0], *_named_in(ast.parse(path.read_text(encoding="utf-8")))]
    return {path.relative_to(root).as_posix() for path in found.values()}


def modules_document() -> str:
    """The text of serverless-modules.yml."""
    lists = {stack: ["!**", *sorted(importable(functions_of(stack))), RULES] for stack in STACKS}
    return _TITLE + yaml.safe_dump(lists, sort_keys=False, width=200)


def listed(stack: str) -> list[str]:
    """What serverless-modules.yml lets into the stack's zip, without the rules file."""
    patterns: list[str] = yaml.safe_load(MODULES.read_text(encoding="utf-8"))[stack]
    return [one for one in patterns if one not in ("!**", RULES)]


def _path_of(module: str, root: Path) -> Path | None:
    bare = root.joinpath(*module.split("."))
    return next((one for one in (bare / "__init__.py", bare.with_suffix(".py")) if module and one.is_file()), None)


def _named_in(node: ast.AST) -> Iterator[str]:
    """Every module of ours that the code names, but for what only a type checker imports."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    names: list[str] = []
    match node:
        case ast.Import():
            names = [one.name for one in node.names]
        case ast.ImportFrom(module=str(module), level=0):
            names = [module, *(f"{module}.{one.name}" for one in node.names)]
        case ast.Constant(value=str(text)) if re.fullmatch(r"\w+(\.\w+)+", text):
            names = [text]
    yield from (one for one in names if one.split(".")[0] in _OURS)
    for child in ast.iter_child_nodes(node):
        yield from _named_in(child)


def handlers_of_tree() -> set[str]:
    """Modules with ``def handler(event, context)``, the shape that Lambda calls."""
    found = set()
    for path in (ROOT / "handlers").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == "handler" and len(node.args.args) == 2:
                found.add(str(path.relative_to(ROOT).with_suffix("")))
    return found
