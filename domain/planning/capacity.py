"""How long each stage takes and what it costs, for any number of objects: measured requests against AWS's quotas."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from domain.planning.estimate import WRITES_PER_SECOND
from domain.planning.functions import DEPLOYED, SECONDS_PER_OBJECT, Functions
from domain.planning.prices import EVENTS_PER_PACK, Prices


class Resource(StrEnum):
    """What a stage uses up; each has a limit a second."""

    S3_WRITES = "S3 writes"
    S3_READS = "S3 reads"
    TABLE_WRITES = "manifest writes"
    TABLE_READS = "manifest reads"
    EVENTS = "entries of the audit bus"
    COPIES = "objects at once in functions"
    CORES = "cores of the commands"


@dataclass(frozen=True, slots=True)
class StageNeeds:
    """What one object needs of each resource, and the S3 requests that are billed as writes (a delete is free)."""

    each: Mapping[Resource, float]
    paid_writes: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What AWS lets through a second (docs/design/aws-facts.md §9.1), and what a deployment has of it.

    ``partitions`` is the number of parts into which S3 has split the prefixes. ``table_writes`` is 4,000 for a new
    on-demand table. Warm throughput raises it, at most to the table's quota of 40,000. ``cores`` are those of all
    processes of a command.
    """

    partitions: int = 1
    table_writes: int = 4_000
    table_reads: int = 12_000
    events: int = 10_000
    invocations: int = 10
    functions: Functions = field(default_factory=lambda: DEPLOYED)
    cores: int = 1

    def per_second(self) -> Mapping[Resource, float]:
        """By resource."""
        at_once = self.invocations * self.functions.objects_at_once
        return {
            Resource.S3_WRITES: WRITES_PER_SECOND * self.partitions,
            Resource.S3_READS: READS_PER_SECOND * self.partitions,
            Resource.TABLE_WRITES: self.table_writes,
            Resource.TABLE_READS: self.table_reads,
            Resource.EVENTS: self.events,
            Resource.COPIES: at_once / SECONDS_PER_OBJECT,
            Resource.CORES: self.cores,
        }


READS_PER_SECOND = 5_500
"""GET and HEAD requests a second that one partitioned prefix supports at least (S3UG optimizing-performance)."""
_ONE_EVENT = 1 / EVENTS_PER_PACK


def _needs(*, writes: float, reads: float, table: tuple[int, int], cpu_ms: float, deletes: float = 0) -> StageNeeds:
    """Of a command: ``table`` are writes and reads of the manifest, each write makes an audit event."""
    return StageNeeds(
        MappingProxyType(
            {
                Resource.S3_WRITES: writes + deletes,
                Resource.S3_READS: reads,
                Resource.TABLE_WRITES: table[0],
                Resource.TABLE_READS: table[1],
                Resource.EVENTS: table[0] * _ONE_EVENT,
                Resource.CORES: cpu_ms / 1_000,
            }
        ),
        paid_writes=writes,
    )


STAGES: Mapping[str, StageNeeds] = MappingProxyType(
    {
        "copy": StageNeeds(
            MappingProxyType(
                {
                    Resource.S3_WRITES: 1,
                    Resource.TABLE_WRITES: 2,
                    Resource.EVENTS: 2 * _ONE_EVENT,
                    Resource.COPIES: 1,
                }
            ),
            paid_writes=1,
        ),
        "verify": _needs(writes=0, reads=5, table=(1, 0), cpu_ms=1.6),
        "cleanup": _needs(writes=0, deletes=1, reads=5, table=(2, 1), cpu_ms=2.4),
        "rollback": _needs(writes=1, reads=4, table=(2, 1), cpu_ms=2.0),
        "rollback --purge": _needs(writes=0, deletes=1, reads=2, table=(2, 1), cpu_ms=1.3),
    }
)
"""As docs/performance.md measured them; a copy is that of an inventory's row whose columns say all."""


def bottleneck(stage: StageNeeds, limits: Limits) -> tuple[Resource, float]:
    """The resource that bounds the stage, and objects a second."""
    most = limits.per_second()
    rates = {resource: most[resource] / need for resource, need in stage.each.items() if need}
    resource = min(rates, key=lambda name: rates[name])
    return resource, rates[resource]


def dollars(stage: StageNeeds, objects: int, prices: Prices) -> float:
    """Requests alone: without functions, logs and what is stored."""
    need = stage.each
    each = stage.paid_writes * prices.copy_per_million
    each += need.get(Resource.S3_READS, 0) * prices.read_per_million
    each += need[Resource.TABLE_WRITES] * prices.dynamodb_write_per_million
    each += need.get(Resource.TABLE_READS, 0) * prices.dynamodb_read_per_million
    each += need[Resource.EVENTS] * prices.eventbridge_per_million
    return objects * each / 1e6
