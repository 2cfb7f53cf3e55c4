"""``rules check`` against brute force: random rules, every short key, and the command's own JSON lines."""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import combinations, islice, product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from domain.errors import RulesError
from domain.keys import key_fault, unclean_segment
from domain.rules.compiled import Branch, CompiledRules, MapOutcome
from handlers.cli.rules import rules as rules_group
from handlers.config.rules_file import read_rules

KEEP = "keep"
FORMS = ("{%s}", "{%s...}", "{%s*}", "{%s:a*}", "{%s:[ab]}", "{%s:(a|ab)/?}", "{%s:two}")
LITERALS = ("/", "a", "b", "-", "a/", "/b", "//", ".")


@cache
def every_key(alphabet: str, longest: int) -> tuple[str, ...]:
    """All texts over the alphabet up to this length that S3 would take."""
    texts = ("".join(letters) for size in range(1, longest + 1) for letters in product(alphabet, repeat=size))
    return tuple(text for text in texts if key_fault(text) is None)


@st.composite
def sources(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A template of up to four pieces, and its names."""
    text, names = "", list[str]()
    for _ in range(draw(st.integers(1, 4))):
        choice = draw(st.integers(0, 6))
        if choice < 3:
            text += draw(st.sampled_from(LITERALS))
        elif choice == 6 and names:
            text += "{" + draw(st.sampled_from(names)) + "}"
        else:
            names.append(f"n{len(names)}")
            text += draw(st.sampled_from(FORMS)) % names[-1]
    return text, names


@st.composite
def rule_files(draw: st.DrawFn) -> str:
    """One to three rules, now and then a keep, prefixes, two buckets."""
    written: list[dict[str, object]] = []
    for at in range(draw(st.integers(1, 3))):
        source, names = draw(sources())
        uses = draw(st.permutations(names)) if draw(st.booleans()) else names
        if uses and draw(st.integers(0, 3)) == 0:
            uses = uses[:-1]
        suffix = draw(st.sampled_from(("", "", "", "", "|lower")))
        parts = [draw(st.sampled_from(("", "", *LITERALS))) + "{" + name + suffix + "}" for name in uses]
        target = "".join(parts) + draw(st.sampled_from(("", "", "a", "/b")))
        written.append({"name": f"r{at}", "from": source, "to": target or "b"})
    keep = [draw(sources())[0]] if draw(st.integers(0, 3)) == 0 else []
    bucket = draw(st.sampled_from(("bucket-1", "bucket-1", "bucket-2")))
    return json.dumps(
        {
            "version": 1,
            "migration": "m",
            "source": {"bucket": "bucket-1", "prefix": draw(st.sampled_from(("", "", "", "a")))},
            "target": {"bucket": bucket, "prefix": draw(st.sampled_from(("", "", "", "a", "b/")))},
            "kinds": {"two": ["a", "b/b"]},
            "rules": written,
            "keep": keep,
        }
    )


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
            if key not in {mapped.key for mapped in self.compiled.unmap_key(target)}:
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
                back = {mapped.key for mapped in self.compiled.unmap_key(self.targets[keys[0]])}
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


STAYING = json.dumps(
    {
        "version": 1,
        "migration": "m",
        "source": {"bucket": "bucket-1"},
        "target": {"bucket": "bucket-1"},
        "rules": [{"name": "r0", "from": "/b{n0}", "to": "/b{n0}"}],
    }
)
"""Unclean keys that stay where they are: nothing is written, so nothing is wrong with their targets."""


@example(text=STAYING, size=("ab/", 6))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=rule_files(), size=st.sampled_from((("ab/", 6), ("aA/b", 5), ("a./-", 5))))
def test_nothing_that_a_key_can_show_is_called_proven(text: str, size: tuple[str, int], tmp_path: Path) -> None:
    """Whatever brute force finds the check finds too (or says that it is undecided), and no finding is invented."""
    try:
        compiled = read_rules(text)
    except RulesError:
        assume(False)  # hypothesis has no other form
    findings, verdict, code = check(text, tmp_path / "rules.yaml")
    oracle = Oracle(compiled, every_key(*size))
    for fact in oracle.facts():
        assert is_told(fact, findings), (fact, findings)
    for finding in findings:
        assert oracle.confirm(finding), finding
        if finding["finding"] == "unreachable" and not finding["other_rule"]:
            assert finding["rule"] not in set(oracle.winners.values())
    refuting = [one for one in findings if one["finding"] != "note"]
    assert code == (1 if refuting else 0), (findings, verdict)


@pytest.mark.parametrize(
    ("source", "target", "finding"),
    [
        ("{a}/{b}", "x/{b}/{a}", None),
        ("{root:(.*/)?}t/{job}/{rest...}", "new/{job}/{rest...}", "collision"),
        ("{a}/{b}", "x/{a}-{b}", "collision"),
        ("{a}-{b}", "x/{a}-{b}", "ambiguous"),
        ("{a:[a-z]+}/{b}", "x/{a}-{b}", None),
        ("in/{a|x}", "x", "unusable"),
        ("in/{a}", "x/{a|lower}", "lossy"),
        ("in/{a*}", "x/{a*}", "invalid-target"),
        ("{a*}", "x/{a*}", "loop"),
        ("{y:[0-9]{4}}/{m:[0-9]{2}}/{f}", "{y}{m}/{f}", None),
        ("{id:[a-f]{4}}/{id}.zip", "d/{id}", None),
    ],
)
def test_a_planted_fault_is_found_and_a_good_rule_is_proven(
    source: str, target: str, finding: str | None, tmp_path: Path
) -> None:
    """The rules that people write: no false alarm on the good ones, the right word on the others."""
    text = json.dumps(
        {
            "version": 1,
            "migration": "m",
            "source": {"bucket": "one-bucket"},
            "target": {"bucket": "one-bucket" if finding == "loop" else "two-bucket"},
            "rules": [{"name": "r", "from": source, "to": target}],
        }
    )
    path = tmp_path / "rules.yaml"
    if finding == "unusable":
        path.write_text(text)
        assert CliRunner().invoke(rules_group, ["check", str(path)]).exit_code == 2
        return
    findings, verdict, code = check(text, path)
    words = {one["finding"] for one in findings} - {"note"}
    assert (words == set()) if finding is None else (finding in words), findings
    assert code == (0 if finding is None else 1), verdict
