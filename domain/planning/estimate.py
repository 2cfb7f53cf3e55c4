"""What a migration will cost and how long it takes, from counted objects and dated prices (aws-facts.md §9)."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.planning.afterwards import cost_afterwards
from domain.planning.figures import EARLY_DELETION_DAYS, PlanFigures
from domain.planning.functions import DEPLOYED, SECONDS_PER_OBJECT, Functions
from domain.planning.history import CarriedWork, History, carried_work
from domain.planning.own_events import NO_OWN_EVENTS, OwnEvents, cost_copy_events
from domain.planning.prices import CostLine, Prices, event_line
from domain.planning.restores import restore_lines
from domain.rules.restoring import RestoreRule

ROWS_PER_MESSAGE = 50
WRITES_PER_SECOND = 3_500
"""PUT and COPY requests a second that one partitioned prefix supports at least."""
DAYS_PER_MONTH = 30.0
STREAM_SECONDS_PER_CHANGE = 0.002
STREAM_GIB = 0.5
"""The function of the manifest's stream: a batch of 100 changes takes 0.2 seconds at most (docs/performance.md)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The bill of the move, that of one verify and one cleanup ``afterwards``, and the move's duration in seconds."""

    lines: tuple[CostLine, ...]
    afterwards: tuple[CostLine, ...]
    seconds: float
    bottleneck: str
    doubled_storage_per_month: float

    @property
    def dollars(self) -> float:
        """The total of the move, without the doubled storage."""
        return sum(line.dollars for line in self.lines)


def estimate(  # noqa: PLR0913  # what is moved, by which choices, at which assumed speeds
    figures: PlanFigures,
    prices: Prices,
    *,
    concurrency: int,
    functions: Functions = DEPLOYED,
    single_events: bool = False,
    promised_unannotated: bool = False,
    restore: RestoreRule | None = None,
    own: OwnEvents = NO_OWN_EVENTS,
    seconds_per_object: float = SECONDS_PER_OBJECT,
    copy_bytes_per_second: float = 100e6,
) -> Estimate:
    """The bill and the time of moving everything once through SQS, Lambda and DynamoDB.

    ``single_events`` is the rules file's choice (``audit: {events: single}``), and ``promised_unannotated`` its promise
    that no object has annotations. ``restore`` is its rule for archived ones. ``own`` says which events S3 sends of
    keyshift's own requests.
    ``copy_bytes_per_second`` is what one copy request moves inside S3; both speeds are assumptions, which the plan
    states.
    """
    moving = figures.moving
    single = moving.objects - figures.large.objects - figures.archived.objects
    encrypted = sum(number for name, number in figures.encryption.items() if "KMS" in name)
    waiting = 0 if restore else figures.archived.objects
    history = figures.history or History()
    carried = CarriedWork()
    if figures.carries_versions:
        carried = carried_work(
            moving.objects,
            figures.history,
            large_objects=figures.large.objects,
            promised_unannotated=promised_unannotated,
        )
    size, steps = moving.size + history.versions.size, moving.objects + carried.steps
    messages = -(-(moving.objects + carried.rows) // ROWS_PER_MESSAGE)
    work = steps * seconds_per_object + size / copy_bytes_per_second
    writes = 2 * moving.objects + 4 * figures.large.objects + carried.writes
    gib_seconds = functions.gib_seconds(steps, work) + writes * STREAM_SECONDS_PER_CHANGE * STREAM_GIB
    parts = figures.parts + 2 * figures.large.objects + history.parts + 2 * history.large.objects
    reads = figures.reads + carried.reads
    under_keys = 2 * (encrypted + history.encrypted)
    dear = figures.storage_classes
    ia = sum(share.objects for name, share in dear.items() if name in ("STANDARD_IA", "ONEZONE_IA"))
    instant = dear["GLACIER_IR"].objects if "GLACIER_IR" in dear else 0
    million = 1e6
    copies = max(0, single - ia - instant)
    lines = (
        CostLine("S3 copies", copies, copies * prices.copy_per_million / million),
        CostLine("S3 copies into infrequent access", ia, ia * prices.copy_ia_per_million / million),
        CostLine("S3 copies into instant retrieval", instant, instant * prices.copy_glacier_ir_per_million / million),
        *_version_copies(history, prices),
        CostLine("S3 parts of large objects", parts, parts * prices.copy_per_million / million),
        CostLine("S3 reads", reads, reads * prices.read_per_million / million),
        CostLine("S3 lists of versions", carried.lists, carried.lists * prices.copy_per_million / million),
        CostLine("SQS", 3 * messages, 3 * messages * prices.sqs_per_million / million),
        CostLine("DynamoDB writes", writes, writes * prices.dynamodb_write_per_million / million),
        CostLine("Lambda", messages, messages * prices.lambda_request_per_million / million),
        CostLine("Lambda time", 0, gib_seconds * prices.lambda_gib_second),
        event_line(writes, prices, single_events=single_events),
        CostLine("KMS", under_keys, under_keys * prices.kms_per_million / million),
        *cost_copy_events(steps - waiting, prices, functions, own),
        CostLine("transfer", 0, size / 2**30 * prices.transfer_per_gib),
        *restore_lines(figures, restore, prices),
        CostLine("early deletion, if cleaned up today", 0, _early_deletion(figures, prices)),
    )
    by_workers, by_prefix = work / concurrency, steps / WRITES_PER_SECOND
    slower = "the concurrency" if by_workers >= by_prefix else "S3's writes per prefix (3,500/s until it partitions)"
    return Estimate(
        tuple(line for line in lines if line.requests or line.dollars),
        tuple(
            cost_afterwards(
                moving.objects,
                prices,
                functions,
                own,
                single_events=single_events,
                promised_unannotated=promised_unannotated,
                version_lists=carried.lists,
            )
        ),
        max(by_workers, by_prefix),
        slower,
        size / 2**30 * prices.storage_gib_month,
    )


def _version_copies(history: History, prices: Prices) -> Iterator[CostLine]:
    """Copies of earlier versions in one request each, at the price of each class; the archived ones are not in it."""
    copies = max(0, history.versions.objects - history.large.objects - history.archived.objects)
    dear = {"STANDARD_IA": prices.copy_ia_per_million, "ONEZONE_IA": prices.copy_ia_per_million}
    dear["GLACIER_IR"] = prices.copy_glacier_ir_per_million
    counted = {name: share.objects for name, share in history.storage_classes.items() if name in dear}
    more = sum(number * (dear[name] - prices.copy_per_million) for name, number in counted.items())
    yield CostLine("S3 copies of earlier versions", copies, (copies * prices.copy_per_million + more) / 1e6)


def _early_deletion(figures: PlanFigures, prices: Prices) -> float:
    """Dollars for the days up to each class's minimum age, at the class's own price."""
    by_class = {name: float(getattr(prices, f"{name.lower()}_gib_month")) for name in EARLY_DELETION_DAYS}
    return sum(one.gib_days / DAYS_PER_MONTH * by_class[name] for name, one in figures.early_deletion.items())
