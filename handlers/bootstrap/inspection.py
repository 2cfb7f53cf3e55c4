"""What doctor, status and the listing commands look at."""

from collections.abc import Iterator

from adapters.aws_inspector import AwsInspector
from adapters.conditions_probe import probe_conditions
from adapters.s3_listing import S3ObjectListing
from domain.keys import Location
from domain.rules import CompiledRules
from handlers.bootstrap import clients_of, owners_of
from handlers.settings import Settings

__all__ = ["AwsInspector", "inspector_of", "object_listing", "probe_of"]


def object_listing(settings: Settings, rules: CompiledRules) -> S3ObjectListing:
    """Listings of the source and target buckets."""
    return S3ObjectListing(clients_of(settings), owners=owners_of(rules))


def inspector_of(settings: Settings) -> AwsInspector:
    """What doctor and status look at."""
    return AwsInspector(clients_of(settings))


def probe_of(settings: Settings, rules: CompiledRules) -> Iterator[tuple[str, bool]]:
    """Whether the target bucket honours each condition; writes and deletes two small objects."""
    target = Location(rules.target_bucket, rules.target_prefix)
    return probe_conditions(clients_of(settings), target=target, owners=owners_of(rules))
