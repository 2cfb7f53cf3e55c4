"""How far the migration as a whole is; the gates between stages are the operator's commands (product.md §1)."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The stage of a migration; it only goes forward, or to ROLLING_BACK."""

    PREPARED = "prepared"
    """Nothing moves yet; the stage of a migration of which nothing was ever said."""
    LIVE = "live"
    """Live capture is effective; the backfill may run."""
    CUT_OVER = "cut-over"
    """Everything was verified; readers are sent to the new side first."""
    CLEANING = "cleaning"
    """Sources are being deleted."""
    DONE = "done"
    """The operator said that it is over: nothing can be undone any more."""
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True, slots=True)
class StageEntry:
    """The stage, since when (seconds since 1970), who or what set it and why.

    ``postponed_until`` is the time before which a cut-over is refused; ``capture`` is what the live capture was
    before we switched it on, as JSON text, so that rollback can restore it; ``revision`` grows with every change.
    """

    stage: Stage = Stage.PREPARED
    since: float = 0.0
    by: str = ""
    why: str = ""
    postponed_until: float | None = None
    capture: str = ""
    revision: int = 0
