"""Only proven rules may run: rules that the proof refutes are refused before they move anything."""

from collections.abc import Iterator

from domain.proofs.proof import FindingKind, Proof, prove_rules
from domain.rules.compiled import CompiledRules

MOST_SHOWN = 3


def refuse_rules(rules: CompiledRules) -> str | None:
    """Why these rules must not run, with keys and the remedy, or ``None``; takes as long as ``rules check``."""
    return refuse_proof(rules, prove_rules(rules))


def refuse_proof(rules: CompiledRules, proof: Proof) -> str | None:
    """The same for a proof that exists already."""
    if proof.is_wished:
        return None
    standing = list(_standing(proof))
    shown = "; ".join(standing[:MOST_SHOWN]) + (
        f"; and {len(standing) - MOST_SHOWN} more" * (len(standing) > MOST_SHOWN)
    )
    return (
        f"the rules of {rules.migration} are {proof.verdict.value}: {shown}. Correct them, or allow each finding by"
        " name (docs/rules.md); keyshift rules check FILE shows all of them"
    )


def _standing(proof: Proof) -> Iterator[str]:
    for finding in proof.findings:
        if finding.allowed or finding.kind is FindingKind.NOTE:
            continue
        other = f" and '{finding.other_rule}'" if finding.other_rule not in (None, finding.rule) else ""
        example = f" ({finding.keys[0]!r})" if finding.keys else ""
        yield f"{finding.kind.value} of '{finding.rule}'{other}{example}"
