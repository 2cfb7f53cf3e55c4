"""Which test noticed which mutant: one that noticed a neighbour is tried first, and most end with the first test."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.mutants import Mutant

NEAR = 3
"""Lines: a mutant as near as that is most often noticed by the same test."""


class Noticing:
    """What forked processes tell each other in one file, which only grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.touch()

    def note(self, mutant: Mutant, test: str) -> None:
        """Called in the process that ends with it."""
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([mutant.module, mutant.function, mutant.line, test]) + "\n")

    def sorted(self, mutant: Mutant, tests: Sequence[str]) -> list[str]:
        """The same tests, those first that noticed most near by, then in the function, then in the module."""
        score = Counter[str]()
        function = list(mutant.function) if mutant.function is not None else None
        for line in self._path.read_text(encoding="utf-8").splitlines():
            module, within, at, test = json.loads(line)
            if module == mutant.module:
                score[test] += 1 + 3 * (within == function) + 6 * (abs(at - mutant.line) < NEAR)
        return sorted(tests, key=lambda test: -score[test])
