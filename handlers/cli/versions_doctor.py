"""``keyshift doctor``: what a migration with ``versions: all`` needs of both buckets."""

from collections.abc import Iterator

from domain.lifecycle.inspection import Inspector
from domain.rules.compiled import CompiledRules
from handlers.cli.finding import Finding
from handlers.operations.start import target_versioning_fault

PART = "earlier versions"


def version_findings(rules: CompiledRules, inspector: Inspector) -> Iterator[Finding]:
    """Whether the target bucket keeps every version, and those of the source can be listed and read."""
    if not rules.carries_versions:
        return
    fault = target_versioning_fault(rules, lambda: inspector.bucket(rules.target_bucket).versioning)
    if fault is not None:
        yield Finding("fail", PART, fault)
    else:
        yield Finding("ok", PART, f"target bucket {rules.target_bucket} keeps every version")
    status = inspector.bucket(rules.source_bucket).versioning
    if status == "Off":
        text = "has never kept versions: each key has its current version only, and versions: all costs requests alone"
        yield Finding("ok", PART, f"source bucket {rules.source_bucket} {text}")
    elif status == "Suspended":
        text = "is suspended for versions: those from before are carried, and what is written now replaces version null"
        yield Finding("warn", PART, f"source bucket {rules.source_bucket} {text}")
    # Before a copy the source's versions are listed and read. verify lists those of both keys.
    sides = dict.fromkeys([(rules.source_bucket, rules.source_prefix), (rules.target_bucket, rules.target_prefix)])
    for bucket, prefix in sides:
        is_tried = inspector.can_read_versions(bucket, prefix)
        text = "and an earlier one can be read" if is_tried else "and no earlier version was found to try a read on"
        yield Finding("ok", PART, f"versions of {bucket} can be listed, {text}")
