"""Restores of archived sources: once each, as many as there is room for, and readable ones are sent on."""

from dataclasses import replace
from typing import Any

from domain.errors import AccessDeniedError
from domain.keys import Location
from domain.lifecycle.archives import Asked
from domain.planning.restores import ArchiveClass
from domain.protocol.causes import Cause
from domain.protocol.record import State
from domain.rules.restoring import RestoreRule, RestoreTier
from handlers.operations.archived import ArchiveDesk
from tests.fakes.buckets import Versioning
from tests.fakes.restores import RESTORE_SECONDS, InMemoryRestoreStore
from tests.worlds.gates import Place
from tests.worlds.handlers import BUCKET

BULK = RestoreRule(RestoreTier.BULK, days=3, at_most=2)


class Archive:
    """A migration with parked archived sources."""

    def __init__(self, **classes: str) -> None:
        self.place = Place()
        self.restores = InMemoryRestoreStore(self.place.store.buckets, self.place.clock)
        for name, storage_class in classes.items():
            self.place.store.put(Location(BUCKET, f"old/{name}"), b"cold", storage_class=storage_class)
            record = self.place.move(f"{name}-other")
            parked: Any = replace(
                record,
                source=Location(BUCKET, f"old/{name}"),
                target=Location(BUCKET, f"new/{name}"),
                state=State.PARKED,
                cause=Cause.ARCHIVED,
                source_etag=None,
                target_etag=None,
            )
            assert self.place.manifest.write_record(parked, before=None)
        self.desk = ArchiveDesk(self.place.operation(), self.restores, threads=1)

    def wait(self) -> None:
        """As long as S3 takes."""
        self.place.clock.advance(RESTORE_SECONDS)
        self.restores.end_restores()

    def sent(self) -> int:
        """The messages that workers got."""
        return len(self.place.backfill.receive_messages(at_most=10, wait=0))


def test_restores_wait_for_room_and_none_is_asked_for_twice() -> None:
    """Those that another pass, or another operator, began count too."""
    archive = Archive(c="GLACIER", d="GLACIER", e="GLACIER")
    first = archive.desk.look(BULK, act=True)
    assert (first.asked[ArchiveClass.GLACIER], first.left, first.restoring) == (2, 1, 0)
    assert first.asked_size[ArchiveClass.GLACIER] == 8
    again = archive.desk.look(BULK, act=True)
    assert (again.asked.total(), again.left, again.restoring) == (0, 1, 2)
    assert len(archive.restores.asked) == 2
    archive.wait()
    third = archive.desk.look(BULK, act=True)
    assert (third.asked.total(), third.left, third.readable) == (1, 0, 2)
    assert not third.is_over
    assert third.goes_on


def test_a_readable_source_is_sent_to_the_workers_once() -> None:
    """Also one that its producer deleted; without acting nothing is sent."""
    archive = Archive(c="GLACIER", d="STANDARD")
    archive.place.store.remove(Location(BUCKET, "old/c"))
    looked = archive.desk.look(None, act=False)
    assert (looked.readable, looked.gone, archive.sent()) == (1, 1, 0)
    archive.desk.look(BULK, act=True)
    assert archive.sent() == 1
    archive.desk.look(BULK, act=True)
    assert archive.sent() == 0


def test_a_deep_archive_offers_no_expedited_retrieval() -> None:
    """It is named with the line to write, before S3 is asked."""
    archive = Archive(c="DEEP_ARCHIVE", d="GLACIER")
    done = archive.desk.look(replace(BULK, tier=RestoreTier.EXPEDITED), act=True)
    assert (done.asked.total(), done.failed, done.hours) == (1, 1, 1)
    ((uri, why),) = done.failures
    assert uri == f"s3://{BUCKET}/old/c"
    assert "DEEP_ARCHIVE offers no expedited retrieval: write `restore: {tier: standard}`" in why


def test_what_cannot_be_read_or_restored_is_named_and_the_rest_goes_on() -> None:
    """A role lacks a permission for one of them."""
    archive = Archive(c="GLACIER", d="GLACIER", e="GLACIER")
    archive.place.store.fail_next(AccessDeniedError("no s3:GetObject"), call="look_at_object")
    archive.restores.fail_next(AccessDeniedError("no s3:RestoreObject"), call="restore_object")
    done = archive.desk.look(BULK, act=True)
    assert (done.asked.total(), done.failed) == (1, 2)
    assert sorted(why for _, why in done.failures) == ["no s3:GetObject", "no s3:RestoreObject"]
    assert not done.is_over
    assert done.goes_on


def test_a_wait_ends_where_everything_that_is_left_fails() -> None:
    """Else the command would print the same failure forever."""
    archive = Archive(c="DEEP_ARCHIVE")
    done = archive.desk.look(replace(BULK, tier=RestoreTier.EXPEDITED), act=True)
    assert (done.failed, done.is_over, done.goes_on) == (1, False, False)
    assert archive.desk.look(BULK, act=True).goes_on


def test_a_source_that_its_producer_replaced_after_the_look_is_not_counted() -> None:
    """Without versions S3 restores what is there now; an object that is not archived needs no restore."""
    archive = Archive(c="GLACIER")
    ask = archive.restores.restore_object

    def ask_too_late(location: Location, **given: Any) -> Asked:
        archive.place.store.put(location, b"warm")
        return ask(location, **given)

    archive.restores.restore_object = ask_too_late  # type: ignore[method-assign]
    done = archive.desk.look(BULK, act=True)
    assert (done.asked.total(), done.failed, archive.restores.asked) == (0, 0, [])
    assert archive.desk.look(BULK, act=True).readable == 1


def test_a_dry_run_says_what_it_would_begin() -> None:
    """By the longest of the restores, and asks S3 for none."""
    archive = Archive(c="GLACIER", d="DEEP_ARCHIVE")
    done = archive.desk.look(BULK, act=False)
    assert (done.asked, done.hours) == ({ArchiveClass.GLACIER: 1, ArchiveClass.DEEP_ARCHIVE: 1}, 48)
    assert archive.restores.asked == []


def test_every_archived_version_from_the_parked_one_on_is_restored_at_once() -> None:
    """A history waits once for its restores, and not once for each version; what was carried already is left alone."""
    archive = Archive(c="GLACIER", d="STANDARD")
    store, place = archive.place.store, Location(BUCKET, "old/d")
    store.set_versioning(BUCKET, Versioning.ENABLED)
    for body, storage_class in ((b"1", "GLACIER"), (b"2", "GLACIER"), (b"3", "STANDARD"), (b"4", "DEEP_ARCHIVE")):
        store.put(place, body, storage_class=storage_class)
    store.remove(place)
    ids = [one.version_id for one in store.list_versions(place) if not one.is_marker]
    archive.place.change("d", cause_detail=ids[2])
    dependencies = archive.place.dependencies
    archive.place.dependencies = replace(dependencies, ports=replace(dependencies.ports, history=store))
    desk = ArchiveDesk(archive.place.operation(), archive.restores, threads=1)
    found = desk.look(replace(BULK, at_most=9), act=True)
    assert (found.asked[ArchiveClass.GLACIER], found.asked[ArchiveClass.DEEP_ARCHIVE]) == (2, 1)
    archive.wait()
    assert desk.look(BULK, act=True).readable == 2
    assert archive.sent() == 1
    store.destroy(place, ids[2])
    archive.place.change("d", cause_detail=ids[2])
    assert ArchiveDesk(archive.place.operation(), archive.restores, threads=1).look(BULK, act=False).gone == 1
