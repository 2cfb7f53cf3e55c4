"""What changes of an object after its copy goes along, if the rules file follows late changes."""

from pathlib import Path
from typing import Any

import pytest

from adapters.s3.notification_filters import captured_events
from adapters.s3.notifications import send_bucket_events
from domain.keys import Location
from domain.protocol.record import Record, State
from tests.servers import Server
from tests.worlds.presence import present
from tests.worlds.site import Site, deliver

OLD, NEW = "old/a", "new/a"


def copied(site: Site) -> Any:
    """A client of the site, whose one object is copied."""
    s3 = site.clients.s3
    site.put(OLD, b"bytes", Tagging="stage=raw")
    deliver(site)
    assert record_of(site).state is State.COPIED
    assert tags_of(site, NEW) == {"stage": "raw"}
    return s3


def record_of(site: Site) -> Record:
    """The object's record."""
    return present(site.dependencies.ports.manifest.read_record(Location(site.name, OLD).record_id))


def tags_of(site: Site, key: str) -> dict[str, str]:
    """As S3 tells them."""
    answer = site.clients.s3.get_object_tagging(Bucket=site.name, Key=key)
    return {one["Key"]: one["Value"] for one in answer["TagSet"]}


def annotations_of(site: Site, key: str) -> set[str]:
    """Their names."""
    store = present(site.dependencies.ports.annotations)
    return set(store.list_annotations(Location(site.name, key)) or {})


def late_site(standin: Server, folder: Path, *, through_eventbridge: bool = False) -> Site:
    """A site whose live capture follows late changes."""
    site = Site(standin, folder, captured=False, through_eventbridge=through_eventbridge)
    if not through_eventbridge:
        send_bucket_events(site.clients, site.name, site.events, events=captured_events(late=True))
    return site


@pytest.mark.parametrize("through_eventbridge", [False, True])
def test_changed_and_deleted_tags_follow(standin: Server, tmp_path: Path, *, through_eventbridge: bool) -> None:
    """By another copy on the condition of the first one."""
    site = late_site(standin, tmp_path, through_eventbridge=through_eventbridge)
    s3 = copied(site)
    s3.put_object_tagging(Bucket=site.name, Key=OLD, Tagging={"TagSet": [{"Key": "stage", "Value": "done"}]})
    deliver(site)
    assert tags_of(site, NEW) == {"stage": "done"}
    s3.delete_object_tagging(Bucket=site.name, Key=OLD)
    deliver(site)
    assert (tags_of(site, NEW), site.read(NEW)) == ({}, b"bytes")


def test_a_late_annotation_follows_without_another_copy(standin: Server, tmp_path: Path) -> None:
    """It is put at the copy, whose etag and date stay."""
    site = late_site(standin, tmp_path)
    s3 = copied(site)
    before = s3.head_object(Bucket=site.name, Key=NEW)
    s3.put_object_annotation(Bucket=site.name, Key=OLD, AnnotationName="label", AnnotationPayload=b"cat")
    deliver(site)
    assert annotations_of(site, NEW) == {"label"}
    after = s3.head_object(Bucket=site.name, Key=NEW)
    assert [after[name] for name in ("ETag", "LastModified")] == [before[name] for name in ("ETag", "LastModified")]


def test_without_them_a_late_change_waits_for_a_verification(standin: Server, tmp_path: Path) -> None:
    """S3 sends what live capture asks for, and no more."""
    site = Site(standin, tmp_path)
    s3 = copied(site)
    s3.put_object_tagging(Bucket=site.name, Key=OLD, Tagging={"TagSet": [{"Key": "stage", "Value": "done"}]})
    deliver(site)
    assert tags_of(site, NEW) == {"stage": "raw"}


def test_a_late_event_of_a_key_that_is_gone_does_nothing(standin: Server, tmp_path: Path) -> None:
    """Its producer deleted the object, and the copy with it."""
    site = late_site(standin, tmp_path)
    s3 = copied(site)
    s3.put_object_tagging(Bucket=site.name, Key=OLD, Tagging={"TagSet": []})
    s3.delete_object(Bucket=site.name, Key=OLD)
    deliver(site)
    assert (record_of(site).state, site.keys("")) == (State.TOMBSTONE, [])
