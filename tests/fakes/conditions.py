"""A condition on the target as fakes and simulations compare it."""

from domain.protocol.ports import MustMatch, TargetCondition


def required_etag(condition: TargetCondition) -> str | None:
    """The etag that the target must have; ``None`` where it must be absent."""
    return condition.etag if isinstance(condition, MustMatch) else None
