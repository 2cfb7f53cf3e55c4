"""Where the bytes of a URI are now, in the old or the new layout: the manifest is read first, then S3."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.keys import Location
from domain.lifecycle.stages import Stage
from domain.objects import ObjectState
from domain.protocol.record import Mode, Record, State
from domain.references.uris import ObjectUri, UnusableUri, read_uri, write_uri
from domain.rules.compiled import CompiledRules, MapOutcome

Look = Callable[[Location], ObjectState | None]

SETTLED_SECONDS = 3_600
"""The source is cleaned: the bytes stay at the new key."""
CUT_OVER_SECONDS = 300
MOVING_SECONDS = 60
"""Sources are deleted only after the cut-over, but producers still write."""
CHANGING_SECONDS = 0
"""While sources are deleted or restored, an answer is valid for one read."""
MALFORMED_SECONDS = 86_400

_TAKEN_AWAY = "another writer deleted the object at this key; an object at its old key is not what this name means"
_AFTER_CUT_OVER = (Stage.CUT_OVER, Stage.CLEANING, Stage.DONE)
_CHANGING = (Stage.CLEANING, Stage.ROLLING_BACK)


class ResolveFault(StrEnum):
    """Why there is no answer."""

    MALFORMED = "malformed"
    FOREIGN_BUCKET = "foreign-bucket"
    UNMAPPED = "unmapped"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer for one URI, valid for ``good_for`` seconds.

    ``location`` is where the bytes are, in the form of ``uri``. ``legacy_uri`` and ``new_uri`` are its two names, where
    both are known. With a ``fault`` there is no location, and ``reason`` gives the cause.
    """

    uri: str
    is_legacy: bool | None = None
    legacy_uri: str | None = None
    new_uri: str | None = None
    location: str | None = None
    state: State | None = None
    good_for: int = 0
    fault: ResolveFault | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What the rules give for one URI: its place before and after the move, as far as the rules determine them."""

    uri: ObjectUri
    legacy: tuple[Location, ...]
    new: Location | None

    @property
    def is_legacy(self) -> bool:
        """Whether the URI is written in the old layout."""
        return self.uri.location in self.legacy


def names_of(text: str, rules: CompiledRules) -> Names | Resolution:
    """The names of the object that ``text`` means.

    Otherwise the answer that needs no read: malformed, another bucket, unmapped.
    """
    uri = read_uri(text)
    if uri is None:
        return Resolution(
            text,
            good_for=MALFORMED_SECONDS,
            fault=ResolveFault.MALFORMED,
            reason="it is not a valid S3 URI; give s3://bucket/key or an https URL of S3",
        )
    if isinstance(uri, UnusableUri):
        return Resolution(text, good_for=MALFORMED_SECONDS, fault=ResolveFault.MALFORMED, reason=uri.reason)
    place = uri.location
    if place.bucket not in (rules.source_bucket, rules.target_bucket):
        reason = f"{place.bucket} is not a bucket of this migration: {rules.source_bucket}, {rules.target_bucket}"
        return Resolution(text, good_for=MALFORMED_SECONDS, fault=ResolveFault.FOREIGN_BUCKET, reason=reason)
    why = f"{place.bucket} is the source of nothing and the target of no rule at this key"
    if place.bucket == rules.source_bucket:
        mapped = rules.map_key(place.key)
        if mapped.outcome is MapOutcome.MOVE:
            return Names(uri, (place,), mapped.target)
        why = mapped.reason or why
        if mapped.outcome is MapOutcome.REJECTED:
            return Resolution(text, good_for=MALFORMED_SECONDS, fault=ResolveFault.MALFORMED, reason=why)
        if mapped.outcome is MapOutcome.KEEP and place.bucket != rules.target_bucket:
            return Names(uri, (), place)
    if place.bucket == rules.target_bucket:
        turned = rules.unmap_key(place.key)
        sources = tuple(Location(rules.source_bucket, key.key) for key in turned.keys)
        why = turned.reason or why
        kept = place.bucket == rules.source_bucket and rules.map_key(place.key).outcome is MapOutcome.KEEP
        if sources or kept or place.bucket != rules.source_bucket:
            return Names(uri, sources, place)
    return Resolution(
        text, good_for=MOVING_SECONDS, fault=ResolveFault.UNMAPPED, reason=f"no rule knows its key: {why}"
    )


def resolve(
    names: Names, *, rules: CompiledRules, records: Mapping[str, Record], stage: Stage, look: Look
) -> Resolution:
    """Where the bytes are: the first of the places that the manifest allows at which S3 has an object.

    ``records`` are those of ``names.legacy``, by id. A read that fails raises its error: it is never "absent".
    """
    for place, legacy in _candidates(names, records, stage, look):
        written = write_uri(names.uri, place, region=rules.target.region)
        record = records.get(legacy.record_id) if legacy is not None else None
        uri = written if isinstance(written, str) else place.uri
        return _Answer(names, legacy, record, stage).at(uri, is_new=place == names.new)
    legacy = names.legacy[0] if len(names.legacy) == 1 else None
    record = records.get(legacy.record_id) if legacy is not None else None
    answer = _Answer(names, legacy, record, stage)
    return answer.nowhere(_TAKEN_AWAY if _taken_away(names, records) else answer.why_nowhere())


def _candidates(
    names: Names, records: Mapping[str, Record], stage: Stage, look: Look
) -> Iterator[tuple[Location, Location | None]]:
    """Places that hold the bytes, the best first, each with the legacy key that it stands for."""
    if not names.is_legacy and names.new is not None and look(names.new) is not None:
        yield names.new, names.legacy[0] if len(names.legacy) == 1 else None
    elif _taken_away(names, records):
        return
    for legacy in names.legacy:
        record = records.get(legacy.record_id)
        new = record.target if record is not None and record.target.key else names.new
        if not names.is_legacy and record is not None and record.state in (State.CONFLICT, State.TOMBSTONE):
            continue  # the new key's writer deleted it; this name does not mean the old bytes
        sides = [legacy]
        if new is not None and names.is_legacy and _serves(record):
            new_first = record is not None and (
                record.state is State.CLEANED or (stage in _AFTER_CUT_OVER and record.mode is Mode.FORWARD)
            )
            sides = [new, legacy] if new_first else [legacy, new]
        for side in sides:
            seen = look(side)
            if seen is not None:
                yield side, legacy


def _taken_away(names: Names, records: Mapping[str, Record]) -> bool:
    """Whether keyshift's copy was at the new name and another writer has deleted it.

    The name then does not mean the old bytes. During a rollback it does.
    """
    if names.is_legacy or names.new is None:
        return False
    known = [records[one.record_id] for one in names.legacy if one.record_id in records]
    return any(one.target == names.new and one.target_etag is not None and one.mode is Mode.FORWARD for one in known)


def _serves(record: Record | None) -> bool:
    """Whether the object at the target may stand for the legacy object."""
    return (
        record is not None
        and record.state
        in (
            State.COPIED,
            State.CLEANED,
            State.GONE,
            State.ROLLED_BACK,
        )
        and record.target_etag is not None
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """The known facts about one URI, without the place of its bytes."""

    names: Names
    legacy: Location | None
    record: Record | None
    stage: Stage

    def at(self, uri: str, *, is_new: bool) -> Resolution:
        """The answer that the bytes are there."""
        return self._resolution(uri, good_for=_good_for(self.record, self.stage, is_new=is_new))

    def nowhere(self, why: str) -> Resolution:
        """The answer that no key has the bytes."""
        return self._resolution(None, good_for=0, fault=ResolveFault.VANISHED, reason=why)

    def why_nowhere(self) -> str:
        """Why the object is at neither key, by the manifest and the rules."""
        if not self.names.is_legacy and not self.names.legacy:
            return "there is no object at this key, and the rules cannot be reversed to find an older one"
        about = "the manifest has no record of it"
        if self.record is not None:
            about = f"the manifest says {self.record.state.value}"
        return f"there is no object at its old or its new key; {about}"

    def _resolution(self, location: str | None, **more: Any) -> Resolution:
        record, names = self.record, self.names
        return Resolution(
            names.uri.text,
            names.is_legacy,
            self.legacy.uri if self.legacy is not None else None,
            _same_form(names.uri, record.target if record is not None and record.target.key else names.new),
            location,
            record.state if record is not None else None,
            **more,
        )


def _same_form(uri: ObjectUri, place: Location | None) -> str | None:
    if place is None:
        return None
    written = write_uri(uri, place)
    return written if isinstance(written, str) else place.uri


def _good_for(record: Record | None, stage: Stage, *, is_new: bool) -> int:
    is_cleaned = record is not None and record.state is State.CLEANED
    if stage is Stage.DONE or (stage is not Stage.ROLLING_BACK and is_cleaned):
        return SETTLED_SECONDS
    if is_new and stage in _AFTER_CUT_OVER:
        return CUT_OVER_SECONDS
    return CHANGING_SECONDS if stage in _CHANGING else MOVING_SECONDS
