"""The figures of a plan over a million objects."""

from domain.planning.figures import PlanFigures
from domain.planning.shares import Share

MILLION = 1_000_000


def figures(**given: object) -> PlanFigures:
    """A million objects of no bytes, unless told."""
    nothing = {
        "rules": {"a": Share(MILLION, 0)},
        **dict.fromkeys(("kept", "unmapped", "rejected", "large", "in_parts", "archived"), Share()),
        **dict.fromkeys(("rejected_examples", "shapes", "collisions"), ()),
        "colliding_targets": 0,
        "parts": 0,
    }
    return PlanFigures(**(nothing | given))  # type: ignore[arg-type]
