"""Verdicts on file, the survivors that were examined, and the table of both."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from tests.mutation.forking import KILLED, SURVIVED, TIMED_OUT
from tests.mutation.judging import NOT_REACHED
from tests.mutation.mutants import Mutant

EXAMINED = Path(__file__).with_name("examined")
EQUAL = "equal"
NOTICED = frozenset({KILLED, TIMED_OUT})
UNNOTICED = frozenset({SURVIVED, NOT_REACHED})
_COLUMNS = (KILLED, TIMED_OUT, EQUAL, SURVIVED, NOT_REACHED)


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on one mutant, which is told by what it changes and not by its line: lines move.

    ``occurrence`` is the number of its node in the file, ``way`` which of that node's changes it is.
    """

    module: str
    line: int
    function: str
    before: str
    after: str
    occurrence: int
    way: int
    verdict: str
    tests: int

    @property
    def change(self) -> str:
        """The change as the files in ``examined/`` spell it."""
        return f"{self.before} => {self.after}"


def result_of(mutant: Mutant, verdict: str, tests: int) -> Result:
    """What is kept of a judged mutant."""
    function = mutant.function[0] if mutant.function else ""
    return Result(mutant.module, mutant.line, function, mutant.before, mutant.after, *mutant.place, verdict, tests)


def read_results(path: Path) -> list[Result]:
    """The results of a file of JSON Lines; the last one counts where a mutant was judged twice."""
    last: dict[tuple[str, int, int, str, str], Result] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        result = Result(**json.loads(line))
        last[result.module, result.occurrence, result.way, result.before, result.after] = result
    return list(last.values())


def add_result(path: Path, result: Result) -> None:
    """Append one result."""
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(result)) + "\n")


Examined: TypeAlias = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By module and function each change that no test can notice, and why; the function is empty outside of any."""


def read_examined(folder: Path = EXAMINED) -> Examined:
    """What was examined; a file ``keys.yaml`` is about ``domain.keys``."""
    return {
        f"domain.{path.stem}": yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.yaml"))
    }


def with_examined(results: Iterable[Result], examined: Examined) -> list[Result]:
    """The survivors that were examined count as equal programs."""
    return [
        Result(**(asdict(one) | {"verdict": EQUAL}))
        if one.verdict not in NOTICED and one.change in examined.get(one.module, {}).get(one.function, {})
        else one
        for one in results
    ]


def table(results: Iterable[Result], core: frozenset[str]) -> list[str]:
    """Lines of Markdown: the figures of each module of the core, and of the core and the rest together."""
    modules: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in results:
        modules[one.module.removeprefix("domain.")][one.verdict] += 1
    lines = [
        "| Module | Judged | Killed | Timed out | Equal | Survived | Not reached | Score |",
        "|---|---" + "|---" * 6 + "|",
    ]
    within = sorted(name for name in modules if name in core)
    without = sorted(name for name in modules if name not in core)
    lines += [_row(f"`{name}`", modules[name]) for name in within]
    for title, names in (("**the protocol's core**", within), ("**the rest**", without)):
        if names:
            lines.append(_row(title, sum((modules[name] for name in names), Counter())))
    return lines


def _row(title: str, verdicts: Mapping[str, int]) -> str:
    judged = sum(verdicts.values())
    noticed, open_ = sum(verdicts.get(one, 0) for one in NOTICED), judged - verdicts.get(EQUAL, 0)
    figures = " | ".join(str(verdicts.get(column, 0)) for column in _COLUMNS)
    return f"| {title} | {judged} | {figures} | {noticed / open_ if open_ else 1:.1%} |"
