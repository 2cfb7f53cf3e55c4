"""Carry an object's annotations where S3 does not, and compare those of both keys (protocol.md §7)."""

from collections.abc import Mapping
from functools import partial

from domain.errors import AccessDeniedError, EncryptionError, RefusedRequestError
from domain.keys import Location
from domain.protocol.annotations import AnnotationsCompared
from domain.protocol.held_record import HeldRecord
from domain.protocol.ports import AnnotationStore, SourceObject

_CANNOT = (AccessDeniedError, EncryptionError, RefusedRequestError)


def compare_annotations(store: AnnotationStore, source: SourceObject, target: Location) -> AnnotationsCompared:
    """What the source has and the target lacks; the target is asked only if the source has annotations.

    A target may have more. Raises what the port raises: a failed look is not "none".
    """
    wanted = store.list_annotations(source.location, version_id=source.version_id)
    if not wanted:
        return AnnotationsCompared()
    there = store.list_annotations(target) or {}

    def is_same(name: str) -> bool:
        one, other = wanted[name], there[name]
        if one.size != other.size:
            return False
        # Etags of encrypted annotations need not be digests of their payloads, so only equal ones prove anything.
        if one.etag and one.etag == other.etag:
            return True
        return _payload(store, source, name) == store.read_annotation(target, name)

    absent = tuple(sorted(set(wanted) - set(there)))
    other = tuple(name for name in sorted(set(wanted) & set(there)) if not is_same(name))
    return AnnotationsCompared(len(wanted), absent, other)


def carry_annotations(
    held: HeldRecord, store: AnnotationStore | None, source: SourceObject, target: Location, *, etag: str
) -> bool:
    """Put the source's annotations that are absent at the target; ``False`` where it no longer has that etag.

    An annotation of the same name with other content stays: S3 has no condition on an annotation, and another writer
    may have put it.
    A copy whose annotations cannot be read or put stays a copy. Verify names what it lacks, and cleanup keeps the
    source. Raises LeaseExpiredError when the time is over: the next attempt puts the rest.
    """
    if store is None:
        return True
    try:
        for name in compare_annotations(store, source, target).absent:
            payload = _payload(store, source, name)
            if payload is not None and not put_annotations(held, store, target, {name: payload}, etag=etag):
                return False
    except _CANNOT:
        return True
    return True


def read_annotations(store: AnnotationStore | None, location: Location) -> Mapping[str, bytes]:
    """The payloads of an object whose content keyshift is about to replace, which takes its annotations away."""
    if store is None:
        return {}
    found = {name: store.read_annotation(location, name) for name in store.list_annotations(location) or {}}
    return {name: payload for name, payload in found.items() if payload is not None}


def put_annotations(
    held: HeldRecord, store: AnnotationStore, target: Location, payloads: Mapping[str, bytes], *, etag: str
) -> bool:
    """Put them; ``False`` where the target no longer has that etag."""
    put = partial(store.put_annotation, target, if_match=etag, send_before=held.lease.send_before)
    # The object is there with or without them, so they are not the effect that the intent declares.
    return all(held.send(partial(put, name, payload), is_last=False) for name, payload in payloads.items())


def _payload(store: AnnotationStore, source: SourceObject, name: str) -> bytes | None:
    return store.read_annotation(source.location, name, version_id=source.version_id)
