"""``keyshift doctor``: problems of a bucket's versioning and lifecycle rules for a migration, each with its remedy."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.lifecycle.inspection import BucketRules, Inspector
from domain.rules.compiled import CompiledRules
from handlers.cli.finding import Finding

LEAST_ABORT_DAYS = 7
"""A multipart copy of the largest objects takes days."""
_LATER = "suspend it until the migration is done"
_SOURCE: Mapping[str, str] = {
    "Expiration": f"deletes objects that are still to move, and mirrored deletes take the copies along: {_LATER}",
    "ExpiredObjectDeleteMarker": f"removes the markers that cleanup leaves and rollback looks for: {_LATER}",
    "NoncurrentVersionExpiration": "removes for good what cleanup only hides, so that rollback can copy back from the"
    f" target alone: {_LATER}, and never purge before",
    "Transitions": f"may archive objects that are still to move, which must then be restored first: {_LATER}",
    "NoncurrentVersionTransitions": f"may archive what cleanup hides, and what a rollback needs: {_LATER}",
}
_TARGET: Mapping[str, str] = {
    "Expiration": "deletes copies, whose age begins with the copy, and after cleanup there is no other one:"
    f" {_LATER}, then count from the copy's date",
    "ExpiredObjectDeleteMarker": "removes markers of deletes at new keys, which costs keyshift nothing",
    "NoncurrentVersionExpiration": f"removes what a later copy or another writer replaced at a new key: {_LATER}",
    "Transitions": f"moves copies to another class, which verify reports and an archive's readers wait for: {_LATER}",
    "NoncurrentVersionTransitions": "moves replaced copies to another class, which costs keyshift nothing",
}
_CARRIED: Mapping[str, str] = {
    "NoncurrentVersionExpiration": "deletes the carried history, which has the dates of its copies: each version"
    f" is counted from the copy after it. {_LATER[:1].upper()}{_LATER[1:]}, then count from the copies' dates",
}
"""Of the target bucket where every version is carried."""
_MILD = frozenset({("target bucket", "ExpiredObjectDeleteMarker"), ("target bucket", "NoncurrentVersionTransitions")})


def versioning_findings(part: str, name: str, versioning: str) -> Iterator[Finding]:
    """What a bucket that keeps no versions, or no new ones, means for the source."""
    if versioning == "Off":
        yield Finding(
            "warn",
            part,
            f"{name} keeps no versions: before cleanup, deny its producers by bucket policy, or metadata that they "
            "change in the very moment of the delete is lost",
        )
    if versioning == "Suspended":
        yield Finding(
            "warn",
            part,
            f"versioning of {name} is suspended: what is written now has no version, and its delete is permanent. A "
            "version from before the suspension becomes visible when a marker is removed. Enable it before keyshift "
            "start, or treat the bucket as one without versions (docs/lifecycle.md)",
        )


def lock_findings(source: BucketRules, target: BucketRules) -> Iterator[Finding]:
    """Whether the target bucket can hold the locks that copies carry over from the source bucket."""
    if source.has_object_lock and not target.has_object_lock:
        yield Finding(
            "warn",
            "target bucket",
            "it has no Object Lock, and the source bucket has: S3 refuses the copies of locked objects, which are then "
            "parked. Enable versioning and Object Lock on it (docs/lifecycle.md)",
        )


def annotation_findings(rules: CompiledRules, inspector: Inspector) -> Iterator[Finding]:
    """Whether annotations of sources can be looked at, so that verify and cleanup can be sure of them."""
    if rules.promised_unannotated:
        text = "the rules file promises that no source has any: they are neither copied nor looked for"
    elif inspector.can_read_annotations(rules.source_bucket, rules.source_prefix):
        text = "those of sources can be read"
    else:
        text = "the source has no object yet on which they can be tried"
    yield Finding("ok", "annotations", text)


def lifecycle_findings(part: str, rules: CompiledRules, lifecycle: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One line for each action of each enabled rule that touches keys of the migration."""
    openings = rules.source_openings if part == "source bucket" else rules.target_openings
    of_target = {**_TARGET, **_CARRIED} if rules.carries_versions else _TARGET
    told = _SOURCE if part == "source bucket" else of_target
    for rule in lifecycle:
        prefix = _prefix(rule)
        if not any(opening.startswith(prefix) or prefix.startswith(opening) for opening in openings):
            continue
        called = f"lifecycle rule {rule.get('ID', '')!r} on {prefix!r}"
        for action in _actions(rule):
            level = "ok" if (part, action) in _MILD else "warn"
            text = told[action]
            yield Finding(level, part, f"{called} ({action}) {text}")
        days = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation", LEAST_ABORT_DAYS)
        if days < LEAST_ABORT_DAYS:
            yield Finding("warn", part, f"{called} aborts uploads after {days} days: the largest copies take longer")


def _actions(rule: Mapping[str, Any]) -> Iterator[str]:
    expiration = rule.get("Expiration", {})
    if "Days" in expiration or "Date" in expiration:
        yield "Expiration"
    if expiration.get("ExpiredObjectDeleteMarker"):
        yield "ExpiredObjectDeleteMarker"
    for action in ("NoncurrentVersionExpiration", "Transitions", "NoncurrentVersionTransitions"):
        if rule.get(action):
            yield action


def _prefix(rule: Mapping[str, Any]) -> str:
    """What the keys that it touches begin with; a filter on tags or sizes may touch any of them."""
    about = rule.get("Filter", {})
    return str(rule.get("Prefix") or about.get("Prefix") or about.get("And", {}).get("Prefix") or "")
