"""What a migration has cost so far, from its counters, compared with its plan."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.planning.estimate import Estimate
from domain.planning.figures import PlanFigures
from domain.planning.functions import DEPLOYED
from domain.planning.history import History
from domain.planning.prices import CostLine, Prices, event_line
from domain.planning.shares import Share
from domain.reporting.progress import CHANGES, COPY_MILLISECONDS, OBJECTS_COPIED

NOT_COUNTED = (
    "requests that read, copies in parts, storage classes, KMS, transfer, S3's events of copies, verification and"
    " storage itself"
)
_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Planned:
    """What was planned: objects and bytes (each rule's too), US dollars and seconds.

    ``history`` is what is carried besides the current objects, where the plan knows it.
    """

    objects: int
    size: int
    rules: Mapping[str, Share]
    dollars: float
    seconds: float
    history: History | None = None

    @property
    def rows(self) -> int:
        """The keys that a backfill enqueues: the objects, and keys that are deleted now."""
        return self.objects + (self.history.deleted if self.history is not None else 0)

    @classmethod
    def of(cls, figures: PlanFigures, cost: Estimate) -> "Planned":
        """From a plan's figures."""
        moving = figures.moving
        return cls(moving.objects, moving.size, figures.rules, cost.dollars, cost.seconds, figures.history)


def spent(counters: Mapping[str, int], prices: Prices, *, single_events: bool = False) -> tuple[CostLine, ...]:
    """The bill so far; SQS is an upper bound (three requests for each copy), NOT_COUNTED names what is missing.

    Lambda's time is that of functions with the stack's own parameters, whose places are all taken.
    """
    copies, changes = counters.get(OBJECTS_COPIED, 0), counters.get(CHANGES, 0)
    gib_seconds = DEPLOYED.gib_seconds(copies, counters.get(COPY_MILLISECONDS, 0) / 1_000)
    lines = (
        CostLine("S3 copies", copies, copies * prices.copy_per_million / _MILLION),
        CostLine("DynamoDB writes", changes, changes * prices.dynamodb_write_per_million / _MILLION),
        event_line(changes, prices, single_events=single_events),
        CostLine("SQS (at most)", 3 * copies, 3 * copies * prices.sqs_per_million / _MILLION),
        CostLine("Lambda time", 0, gib_seconds * prices.lambda_gib_second),
    )
    return tuple(line for line in lines if line.requests or line.dollars)
