"""``keyshift doctor``: what of a bucket's versions and lifecycle rules would bite a migration, each with its remedy."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
            f"versioning of {name} is suspended: what is written now has no version, its delete is for good, and a "
            "version of before the suspension comes to light under a removed marker. Enable it before keyshift start, "
            "or treat the bucket as one without versions (docs/lifecycle.md)",
        )


def lifecycle_findings(part: str, rules: CompiledRules, lifecycle: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """One line for each action of each enabled rule that touches keys of the migration."""
    openings = _openings(rules, part)
    for rule in lifecycle:
        prefix = _prefix(rule)
        if not any(one.startswith(prefix) or prefix.startswith(one) for one in openings):
            continue
        called = f"lifecycle rule {rule.get('ID', '')!r} on {prefix!r}"
        for action in _actions(rule):
            level = "ok" if (part, action) in _MILD else "warn"
            text = (_SOURCE if part == "source bucket" else _TARGET)[action]
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


def _openings(rules: CompiledRules, part: str) -> tuple[str, ...]:
    """How the keys of one side begin, as far as the rules say."""
    is_source = part == "source bucket"
    prefix = rules.source_prefix if is_source else rules.target_prefix
    pieces = ((branch.source if is_source else branch.target).pieces[0] for branch in rules.branches)
    return tuple({prefix + (piece if isinstance(piece, str) else "") for piece in pieces})
