"""Every small change of a module's meaning, one at a time.

Left alone because no test should notice them: annotations, docstrings and other texts, what an error says, whether a
dataclass is frozen, slotted or given by keyword only, and the numbers that a module names at its top (limits, pauses),
which a test would only repeat.
"""

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
FORM_ONLY = frozenset({"frozen", "slots", "kw_only", "repr"})
"""Arguments of ``dataclass`` that guard the programmer and change no result."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where, what was and what is.

    ``function`` is the qualified name and first line of the outermost function whose body is changed, None for what
    runs when the module is imported.
    """

    module: str
    path: Path
    line: int
    before: str
    after: str
    function: tuple[str, int] | None
    place: tuple[int, int]
    """Which node of the file, and which of its changes."""

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.before}  =>  {self.after}"

    def tree(self) -> ast.Module:
        """The changed module."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        number, change = self.place
        _change(_places(tree)[number].node, change)
        return tree


@dataclass(frozen=True, slots=True)
class _Place:
    node: Any
    function: tuple[str, int] | None


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every mutant of one file, in the order of its lines."""
    module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    for number, place in enumerate(_places(ast.parse(path.read_text(encoding="utf-8")))):
        changes = _changes(place.node)
        before = ast.unparse(place.node) if changes else ""
        for change in range(changes):
            twin = deepcopy(place.node)
            _change(twin, change)
            after = ast.unparse(twin)
            if before != after:
                line = _line(place.node)
                yield Mutant(module, path, line, before[:160], after[:160], place.function, (number, change))


def _places(tree: ast.Module) -> list[_Place]:
    return list(_walk(tree, (), None))


def _walk(node: ast.AST, names: tuple[str, ...], function: tuple[str, int] | None) -> Iterator[_Place]:
    """Every node whose change is a change of meaning, with the function that it is in."""
    if function is not None or not _is_number(node):
        yield _Place(node, function)
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Lambda):
        yield from _walk_definition(node, names, function)
        return
    if isinstance(node, ast.JoinedStr | ast.Raise):
        return
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            is_form = isinstance(child, ast.keyword) and isinstance(node, ast.Call) and child not in _keywords(node)
            if isinstance(child, ast.AST) and name != "annotation" and not is_form:
                yield from _walk(child, names, function)


def _walk_definition(
    node: ast.ClassDef | ast.FunctionDef | ast.Lambda, names: tuple[str, ...], function: tuple[str, int] | None
) -> Iterator[_Place]:
    """Decorators and defaults are run where the definition stands, the body of a function later."""
    outside: list[ast.AST] = [] if isinstance(node, ast.Lambda) else list(node.decorator_list)
    if not isinstance(node, ast.ClassDef):
        outside += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    inner, deeper = function, names
    if not isinstance(node, ast.Lambda):
        deeper = (*names, node.name)
    if isinstance(node, ast.FunctionDef):
        inner = function or (".".join(deeper), min([node.lineno, *(one.lineno for one in node.decorator_list)]))
    for child in outside:
        yield from _walk(child, names, function)
    for child in node.body if isinstance(node.body, list) else [node.body]:
        yield from _walk(child, deeper, inner)


def _line(node: Any) -> int:
    return int(node.lineno if hasattr(node, "lineno") else node.pattern.lineno)


def _changes(node: Any) -> int:  # noqa: C901  # one line for each kind of node
    """In how many ways this node can be changed."""
    match node:
        case ast.Compare():
            return len(node.ops)
        case ast.BoolOp():
            return 1 + len(node.values)
        case ast.If() | ast.IfExp() | ast.While() | ast.Raise() | ast.Continue() | ast.Break():
            return 1
        case ast.match_case():
            return int(node.guard is not None)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return sum(len(one.ifs) for one in node.generators)
        case ast.UnaryOp(op=ast.Not()):
            return 1
        case ast.BinOp():
            return int(type(node.op) in COUNTED and not isinstance(node.left, ast.JoinedStr))
        case ast.Constant():
            return int(isinstance(node.value, bool | int | float))
        case ast.Call():
            return len(_keywords(node))
        case ast.Return():
            return int(node.value is not None and not _is_none(node.value))
        case ast.Expr():
            return int(isinstance(node.value, ast.Call))
    return 0


def _change(node: Any, number: int) -> None:  # noqa: C901, PLR0912  # one line for each kind of node
    match node:
        case ast.Compare():
            node.ops[number] = COMPARED[type(node.ops[number])]()
        case ast.BoolOp() if number == 0:
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.BoolOp():
            node.values[number - 1] = ast.Constant(isinstance(node.op, ast.And))
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.While():
            node.test = ast.Constant(value=False)
        case ast.Raise():
            as_any: Any = node
            as_any.__class__, as_any.value = ast.Expr, ast.Constant(None)
        case ast.Continue() | ast.Break():
            node.__class__ = ast.Break if isinstance(node, ast.Continue) else ast.Continue
        case ast.match_case():
            node.guard = ast.UnaryOp(ast.Not(), node.guard or ast.Constant(value=True))
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            conditions = [(one.ifs, index) for one in node.generators for index in range(len(one.ifs))]
            ifs, index = conditions[number]
            del ifs[index]
        case ast.UnaryOp():
            node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
        case ast.BinOp():
            node.op = COUNTED[type(node.op)]()
        case ast.Constant():
            value: Any = node.value
            node.value = not value if isinstance(value, bool) else value + 1
        case ast.Call():
            node.keywords.remove(_keywords(node)[number])
        case ast.Return():
            node.value = ast.Constant(None)
        case ast.Expr():
            node.value = ast.Constant(None)
    ast.fix_missing_locations(node)


def _keywords(node: ast.Call) -> list[ast.keyword]:
    """The arguments by name that can be left out."""
    if isinstance(node.func, ast.Name) and node.func.id == "dataclass":
        return [one for one in node.keywords if one.arg not in FORM_ONLY]
    return list(node.keywords)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in {int, float}


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
