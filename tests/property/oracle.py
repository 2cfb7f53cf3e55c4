"""What rules do with every short key, and what ``rules check`` says of them."""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from domain.keys import key_fault, unclean_segment
from domain.rules.branches import Branch
from domain.rules.compiled import CompiledRules, MapOutcome
from handlers.cli.rules import rules as rules_group

KEEP = "keep"
LITERALS = ("/", "a", "b", "-", "a/", "/b", "//", ".")


@cache
def every_key(alphabet: str, longest: int) -> tuple[str, ...]:
    """All texts over the alphabet up to this length that S3 would take."""
    texts = ("".join(letters) for size in range(1, longest + 1) for letters in product(alphabet, repeat=size))
    return tuple(text for text in texts if key_fault(text) is None)


def check(text: str, path: Path) -> tuple[list[dict[str, Any]], dict[str, Any], int]:
    """The findings, the verdict and the exit code of the command."""
    path.write_text(text)
    done = CliRunner().invoke(rules_group, ["check", str(path), "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[:-1], lines[-1], done.exit_code


class Oracle:
    """What the rules really do with every short key."""

    def __init__(self, compiled: CompiledRules, keys: tuple[str, ...]) -> None:
        self.compiled = compiled
        self.winners: dict[str, str] = {}
        self.targets: dict[str, str] = {}
        self.moves: set[str] = set()
        for key in keys:
            self.look(key)

    def look(self, key: str) -> None:
        """Learn what happens to one key."""
        mapped = self.compiled.map_key(key)
        if mapped.outcome is MapOutcome.KEEP and mapped.rule is None:
            self.winners[key] = KEEP
        elif mapped.rule is not None:
            self.winners[key] = mapped.rule
        if mapped.target is not None:
            self.moves.add(key)
            self.targets[key] = mapped.target.key
        elif mapped.outcome is MapOutcome.KEEP and mapped.rule is not None:
            self.targets[key] = key

    def branches(self, key: str) -> list[Branch]:
        """The branches that match the key."""
        prefix = self.compiled.source.prefix
        if not key.startswith(prefix):
            return []
        return [b for b in self.compiled.branches if b.source.match(key[len(prefix) :]) is not None]

    def facts(self) -> set[tuple[str, frozenset[str]]]:
        """Each finding that some key proves."""
        found: set[tuple[str, frozenset[str]]] = set()
        sharing: dict[str, list[str]] = defaultdict(list)
        for key, winner in self.winners.items():
            matching = self.branches(key)
            found |= {("overlap", frozenset((winner, b.rule))) for b in matching if b.rule != winner}
            if winner == KEEP:
                continue
            found |= {(kind, frozenset((winner,))) for kind in self.faults(key, matching[0])}
            if key in self.targets:
                sharing[self.targets[key]].append(key)
        for keys in sharing.values():
            for one, other in combinations(keys[:20], 2):
                found.add(("collision", frozenset((self.winners[one], self.winners[other]))))
                if self.winners[one] == self.winners[other]:
                    found.add(("lossy", frozenset((self.winners[one],))))
        return found

    def faults(self, key: str, branch: Branch) -> Iterator[str]:
        """What is wrong with one key that the branch wins."""
        if self.is_ambiguous(branch, key):
            yield "ambiguous"
        target = self.targets.get(key)
        if target is None or (key in self.moves and unclean_segment(target)):
            yield "invalid-target"
        if target is not None and key in self.moves:
            in_place = self.compiled.source.bucket == self.compiled.target.bucket
            if in_place and self.compiled.map_key(target).outcome is MapOutcome.MOVE:
                yield "loop"
            if key not in {mapped.key for mapped in self.compiled.unmap_key(target).keys}:
                yield "lossy"

    def is_ambiguous(self, branch: Branch, key: str) -> bool:
        """Whether the branch can take the key apart in two ways."""
        rest = key[len(self.compiled.source.prefix) :]
        return len(list(islice(branch.source.parses(rest), 2))) > 1

    def confirm(self, finding: dict[str, Any]) -> object:
        """Whether the counterexample shows what the finding says."""
        keys, rule, other = finding["keys"], finding["rule"], finding["other_rule"]
        for key in keys:
            self.look(key)
        match finding["finding"]:
            case "overlap":
                names = {b.rule for b in self.branches(keys[0])} | {self.winners[keys[0]]}
                return {rule, other} <= names
            case "collision":
                one, two = keys
                if KEEP in (rule, other):
                    return one != two and self.targets.get(one, one) == self.targets.get(two, two)
                return one != two and self.targets[one] == self.targets[two] == finding["targets"][0]
            case "loop":
                return keys[0] in self.moves and self.compiled.map_key(self.targets[keys[0]]).outcome is MapOutcome.MOVE
            case "lossy":
                back = {mapped.key for mapped in self.compiled.unmap_key(self.targets[keys[0]]).keys}
                return keys[0] not in back or len(back) > 1 or self.targets[keys[0]] == self.targets[keys[1]]
            case "ambiguous":
                return any(self.is_ambiguous(b, keys[0]) for b in self.compiled.branches if b.rule == rule)
            case "invalid-target":
                target = self.targets.get(keys[0])
                return target is None or (keys[0] in self.moves and unclean_segment(target) is not None)
            case "unreachable":
                return all(self.winners[key] != rule for key in keys)
            case _:
                return True


def is_told(fact: tuple[str, frozenset[str]], findings: list[dict[str, Any]]) -> bool:
    """Whether the report holds the fact, or says that just this is undecided."""
    kind, names = fact
    for finding in findings:
        told = frozenset({finding["rule"], finding["other_rule"] or finding["rule"]})
        if finding["finding"] == kind and (told == names or (kind == "loop" and names <= told)):
            return True
        if finding["finding"] == "undecided" and f"'{kind}'" in finding["why"] and told & names:
            return True
    return False
