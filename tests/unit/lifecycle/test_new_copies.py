"""A copy that is made while ``verify`` runs is not taken for another writer's object."""

from dataclasses import replace

import pytest

from domain.errors import AccessDeniedError
from domain.keys import Location
from domain.lifecycle.verification import Difference, Remark
from domain.protocol.record import Record
from handlers.operations.verify import CLOCKS_DIFFER_SECONDS, Verifier
from tests.fakes.buckets import Versioning
from tests.fakes.lifecycle import InMemoryKeyBook
from tests.worlds.gates import Place
from tests.worlds.handlers import BUCKET
from tests.worlds.presence import present

NEW = Location(BUCKET, "new/late")


@pytest.fixture
def here() -> Place:
    """A migration whose records a verification has read."""
    return Place()


def verifier(place: Place) -> Verifier:
    """One that begins now, and whose book holds no record."""
    return Verifier(place.dependencies, book=InMemoryKeyBook(), reader=None, marks=False)


def remarks(verifying: Verifier) -> tuple[Remark, ...] | None:
    """Of the key; ``None`` where it is not a finding."""
    finding = verifying.verify_key(NEW)
    return None if finding is None else finding.remarks


def test_a_copy_made_meanwhile_is_not_foreign(here: Place) -> None:
    """Its record was not there when the records were read."""
    verifying = verifier(here)
    here.move("late")
    assert remarks(verifying) is None


def test_an_object_of_another_writer_is_foreign(here: Place) -> None:
    """No record names it, or one that never got a copy there."""
    verifying = verifier(here)
    here.store.put(NEW, b"another writer's")
    assert remarks(verifying) == (Remark.FOREIGN,)
    assert here.manifest.write_record(Record(Location(BUCKET, "old/late"), NEW), before=None)
    assert remarks(verifying) == (Remark.FOREIGN,)


def test_an_older_object_is_not_searched_for(here: Place) -> None:
    """Its record would have been read; to reverse the rules for each object of a new layout would take too long."""
    here.move("late")
    here.clock.advance(CLOCKS_DIFFER_SECONDS + 1)
    assert remarks(verifier(here)) == (Remark.FOREIGN,)


def test_a_record_that_cannot_be_read_is_said(here: Place) -> None:
    """It is not "foreign"."""
    verifying = verifier(here)
    here.move("late")
    here.manifest.fail_next(AccessDeniedError("denied"), call="read_record")
    finding = present(verifying.verify_key(NEW))
    assert finding.remarks == ()
    assert finding.detail == "denied"


def test_a_deleted_key_without_a_record_is_not_migrated_where_every_version_is_carried(here: Place) -> None:
    """Its versions are to be carried; without them nothing is left of it to move."""
    place = Location(BUCKET, "old/deleted")
    here.store.set_versioning(BUCKET, Versioning.ENABLED)
    here.store.put(place, b"a")
    here.store.remove(place)
    assert verifier(here).verify_key(place) is None
    here.dependencies = replace(here.dependencies, ports=replace(here.dependencies.ports, history=here.store))
    finding = present(verifier(here).verify_key(place))
    assert finding.differences == (Difference.NOT_MIGRATED,)
    [version] = [one for one in here.store.list_versions(place) if not one.is_marker]
    here.store.destroy(place, version.version_id)
    assert verifier(here).verify_key(place) is None
