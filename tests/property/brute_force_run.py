"""``rules check`` against brute force: ``python -m tests.property.brute_force_run --files 20000``.

Each file has a number that makes it again. Exit code 1 where the check and the keys disagree; the last line has the
figures. ``--verdicts`` writes one line for each file, so that two versions of the check can be compared.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import TextIO

from domain.errors import RulesError
from handlers.config.rules_file import read_rules
from tests.property.oracle import KEEP, LITERALS, Oracle, check, every_key, is_told

FORMS = (
    *("{%s}", "{%s...}", "{%s*}", "{%s:a*}", "{%s:[ab]}", "{%s:(a|ab)/?}", "{%s:two}"),
    *("{%s:[ab]{1,3}}", "{%s:(.*/)?}", "{%s:[aA]+}", "{%s:count}"),
)
SMALL, LARGE = (("ab/", 4), ("aA/b", 3), ("a./-", 3)), (("ab/", 6), ("aA/b", 5), ("a./-", 5))
"""Letters, and how long a key may be: nine of ten files with fewer keys, so that there are more files."""


def source_of(random: Random) -> tuple[str, list[str]]:
    """A template of up to five pieces, and its names."""
    text, names = "", list[str]()
    for _ in range(random.randint(1, 5)):
        choice = random.randint(0, 7)
        if choice < 3:  # three of eight are literals
            text += random.choice(LITERALS)
        elif choice == 7 and names:
            text += "{" + random.choice(names) + "}"
        else:
            names.append(f"n{len(names)}")
            text += random.choice(FORMS) % names[-1]
    return text, names


def target_of(random: Random, names: list[str]) -> str:
    """A target that reorders, drops, repeats or changes some of the names."""
    uses = random.sample(names, len(names)) if random.random() < 0.4 else list(names)
    if uses and random.random() < 0.2:
        uses = uses[:-1]
    if uses and random.random() < 0.1:
        uses.append(random.choice(uses))
    filters = ("", "", "", "", "|lower", "|upper")
    parts = [random.choice(("", "", *LITERALS)) + "{" + name + random.choice(filters) + "}" for name in uses]
    return "".join(parts) + random.choice(("", "", "a", "/b")) or "b"


def file_of(number: int) -> str:
    """The rules file of this number, which may be unusable."""
    random = Random(number)  # not for secrets
    rules: list[dict[str, object]] = []
    for at in range(random.randint(1, 3)):
        source, names = source_of(random)
        target = target_of(random, names)
        sources = [source]
        if random.random() < 0.2:
            again, others = source_of(random)
            sources += [again] if set(names) <= set(others) else []
        rules.append({"name": f"r{at}", "from": sources, "to": target})
    return json.dumps(
        {
            "version": 1,
            "migration": "m",
            "source": {"bucket": "bucket-1", "prefix": random.choice(("", "", "", "a"))},
            "target": {
                "bucket": random.choice(("bucket-1", "bucket-1", "bucket-2")),
                "prefix": random.choice(("", "", "", "a", "b/")),
            },
            "kinds": {"two": ["a", "b/b"], "count": "a(-*[ab]){0,2}"},
            "rules": rules,
            "keep": [source_of(random)[0] for _ in range(random.choice((0, 0, 1, 2)))],
        }
    )


def faults_of(text: str, size: tuple[str, int], path: Path) -> tuple[str, list[str]]:
    """The verdict, and where check and keys disagree."""
    findings, verdict, code = check(text, path)
    oracle = Oracle(read_rules(text), every_key(*size))
    faults = [
        f"not told: {kind} {sorted(names)}" for kind, names in oracle.facts() if not is_told((kind, names), findings)
    ]
    faults += [f"invented: {finding}" for finding in findings if not oracle.confirm(finding)]
    winners = set(oracle.winners.values()) - {KEEP}
    unreachable = {one["rule"] for one in findings if one["finding"] == "unreachable" and not one["other_rule"]}
    faults += [f"called unreachable, yet it wins: {name}" for name in sorted(unreachable & winners)]
    if code != (1 if any(one["finding"] != "note" for one in findings) else 0):
        faults.append(f"exit code {code}")
    return verdict["verdict"], faults


def run(numbers: range, written: TextIO | None) -> tuple[Counter[str], list[str]]:
    """The verdicts of so many files, and every disagreement with the number of its file."""
    verdicts, faults = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            text = file_of(number)
            try:
                read_rules(text)
            except RulesError:
                verdicts["unusable"] += 1
                continue
            sizes = LARGE if number % 10 == 0 else SMALL
            verdict, found = faults_of(text, sizes[number // 10 % len(sizes)], Path(folder) / "rules.yaml")
            verdicts[verdict] += 1
            faults += [f"file {number}: {one}" for one in found]
            if written is not None:
                written.write(f"{number} {verdict} {len(found)}\n")
                written.flush()
    return verdicts, faults


def main() -> int:
    """Run it, and say the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=20_000, help="how many files")
    parser.add_argument("--first", type=int, default=1_000_000, help="the number of the first one")
    parser.add_argument("--verdicts", type=Path, help="where to write one line for each file")
    chosen = parser.parse_args()
    numbers = range(chosen.first, chosen.first + chosen.files)
    if chosen.verdicts is None:
        verdicts, faults = run(numbers, None)
    else:
        with chosen.verdicts.open("w") as written:
            verdicts, faults = run(numbers, written)
    for fault in faults:
        sys.stdout.write(fault + "\n")
    told = ", ".join(f"{name} {count}" for name, count in sorted(verdicts.items()))
    sys.stdout.write(f"{chosen.files} files from {chosen.first} on: {told}; {len(faults)} disagreements\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
