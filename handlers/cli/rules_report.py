"""A proof as JSON lines and as text."""

import json
import re
from collections.abc import Iterator

from domain.proofs.proof import FindingKind, Proof, RulesFinding
from domain.rules.compiled import CompiledRules

LONGEST, BEGIN, END = 100, 60, 30
"""Characters of a key in the text for people, and of a longer one's begin and end; the JSON lines have all of it."""
_RUN = re.compile(r"(.)\1{15,}", re.DOTALL)


def json_lines(rules: CompiledRules, proof: Proof) -> Iterator[str]:
    """One line for each finding as docs/rules.md writes it, and the verdict."""
    for finding in proof.findings:
        yield json.dumps(
            {
                "finding": finding.kind.value,
                "rule": finding.rule,
                "other_rule": finding.other_rule,
                "keys": finding.keys,
                "targets": finding.targets,
                "allowed": finding.allowed,
                "why": finding.why,
            }
        )
    yield json.dumps(
        {"verdict": proof.verdict.value, **_counts(proof), "rules": len(rules.rules), "digest": rules.digest}
    )


def text_lines(rules: CompiledRules, proof: Proof) -> Iterator[str]:
    """The same for people: the verdict, what shuts the start, what the file allows, and notes last."""
    counts = _counts(proof)
    yield (
        f"{rules.migration}: {proof.verdict.value} ({len(rules.rules)} rule{'s' * (len(rules.rules) != 1)}, "
        f"{counts['findings']} finding{'s' * (counts['findings'] != 1)}, "
        f"{counts['allowed']} of them allowed, {counts['undecided']} undecided)"
    )
    for finding in sorted(proof.findings, key=_rank):
        yield from _text(finding)


def _text(finding: RulesFinding) -> Iterator[str]:
    other = f" and '{finding.other_rule}'" if finding.other_rule and finding.other_rule != finding.rule else ""
    allowed = "allowed " if finding.allowed else ""
    yield f"{allowed}{finding.kind.value}: '{finding.rule}'{other}: {finding.why}"
    if len(finding.keys) == 1 and len(finding.targets) > 1:
        for target in finding.targets:
            yield f"    {_short(finding.keys[0])} -> {_short(target)}"
        return
    for key, target in zip(finding.keys, finding.targets, strict=True):
        yield f"    {_short(key)} -> {_short(target)}"


def _short(key: str) -> str:
    """The key as JSON; of a long one its begin and its end, which show the rule, and its size."""
    shown = key
    if len(key) > LONGEST:
        shown = _RUN.sub(r"\1\1\1…\1\1\1", key)
    if len(shown) > LONGEST:
        shown = f"{shown[:BEGIN]}…{shown[-END:]}"
    quoted = json.dumps(shown, ensure_ascii=not shown.isprintable())
    return quoted if shown == key else f"{quoted} ({len(key.encode()):,} bytes)"


def _rank(finding: RulesFinding) -> int:
    return 2 if finding.kind is FindingKind.NOTE else 1 if finding.allowed else 0


def _counts(proof: Proof) -> dict[str, int]:
    counted = [finding for finding in proof.findings if finding.kind is not FindingKind.NOTE]
    return {
        "findings": len(counted),
        "allowed": sum(finding.allowed for finding in counted),
        "undecided": sum(finding.kind is FindingKind.UNDECIDED for finding in counted),
    }
