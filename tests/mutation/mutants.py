"""Every small change of a module's meaning, one at a time."""

import ast
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the module, the line, what was and what is."""

    module: str
    line: int
    before: str
    after: str
    code: ast.Module

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.before}  =>  {self.after}"


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every mutant of one file, in the order of its lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    for number, node in enumerate(nodes):
        for change in range(_changes(node)):
            copied = deepcopy(tree)
            twin = [one for one in ast.walk(copied) if hasattr(one, "lineno")][number]
            _change(twin, change)
            before, after = ast.unparse(node), ast.unparse(twin)
            if before != after:
                yield Mutant(module, node.lineno, before[:100], after[:100], copied)


def _changes(node: Any) -> int:
    """In how many ways this node can be changed."""
    match node:
        case ast.Compare():
            return len(node.ops)
        case ast.BoolOp() | ast.If() | ast.IfExp():
            return 1
        case ast.UnaryOp(op=ast.Not()):
            return 1
        case ast.BinOp():
            return int(type(node.op) in COUNTED and not isinstance(node.left, ast.JoinedStr))
        case ast.Constant():
            return int(isinstance(node.value, bool | int | float))
        case ast.Call():
            return len(node.keywords)
        case ast.Return():
            return int(node.value is not None and not _is_none(node.value))
        case ast.Expr():
            return int(isinstance(node.value, ast.Call))
    return 0


def _change(node: Any, number: int) -> None:
    match node:
        case ast.Compare():
            node.ops[number] = COMPARED[type(node.ops[number])]()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.UnaryOp():
            node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
        case ast.BinOp():
            node.op = COUNTED[type(node.op)]()
        case ast.Constant():
            value: Any = node.value
            node.value = not value if isinstance(value, bool) else value + 1
        case ast.Call():
            del node.keywords[number]
        case ast.Return():
            node.value = ast.Constant(None)
        case ast.Expr():
            node.value = ast.Constant(None)
    ast.fix_missing_locations(node)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
