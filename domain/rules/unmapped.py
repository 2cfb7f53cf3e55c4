"""Keys that no rule maps, where the rules file calls that a mistake (``unmapped: fail``)."""

from domain.rules.compiled import CompiledRules, MapOutcome, MappedKey
from domain.rules.template_filters import TooManyParsesError

REFUSED = "no rule maps this key, and the rules say: unmapped: fail"


def is_refused(rules: CompiledRules, mapped: MappedKey) -> bool:
    """Whether the rules call this source key a mistake.

    In one bucket the key of a copy is none: no rule maps it further, and its event comes with every copy.
    """
    if mapped.outcome is not MapOutcome.UNMAPPED or rules.unmapped != "fail":
        return False
    return not (rules.source_bucket == rules.target_bucket and fits_target_layout(rules, mapped.key))


def fits_target_layout(rules: CompiledRules, key: str) -> bool:
    """Whether some rule could have made this key."""
    if not key.startswith(rules.target_prefix):
        return False
    rest = key[len(rules.target_prefix) :]
    try:
        return any(branch.target.match(rest) is not None for branch in rules.branches)
    except TooManyParsesError:
        return True
