"""Which place the resolver names for each state of an object, and for how long that is good."""

from collections.abc import Collection
from dataclasses import replace
from functools import cache

import pytest

from domain.keys import Location
from domain.lifecycle.stages import Stage
from domain.objects import ObjectState
from domain.protocol.record import Mode, Record, State
from domain.references.resolver import Names, Resolution, ResolveFault, names_of, resolve
from domain.rules.compiled import CompiledRules
from handlers.config.rules_file import read_rules

HEAD = "version: 1\nmigration: m\nsource: {bucket: src-bucket}\ntarget: {bucket: src-bucket}\n"
MOVE = "rules: [{name: move, from: 'old/{n...}', to: 'new/{n...}'}]\n"
ONE_BUCKET = HEAD + MOVE + "keep: ['new/{n...}', 'stays']\n"
NO_KEEP = HEAD + MOVE
TWO_BUCKETS = ONE_BUCKET.replace("target: {bucket: src-bucket}", "target: {bucket: dst-bucket, region: eu-central-1}")
LOSSY = HEAD + "kinds: {d: [u, v]}\nrules: [{name: move, from: 'old/{d:d}/{n}', to: 'new/{n}'}]\nkeep: ['new/{n}']\n"
ONE_WAY = TWO_BUCKETS.replace("'old/{n...}', to: 'new/{n...}'", "'old/{d}/{n}', to: 'new/{n}'")
OLD, NEW = "s3://src-bucket/old/a", "s3://src-bucket/new/a"
RECORD = Record(
    Location("src-bucket", "old/a"), Location("src-bucket", "new/a"), State.COPIED, source_etag="e", target_etag="e"
)
DAY, HOUR = 86_400, 3_600


@cache
def rules(text: str) -> CompiledRules:
    """Reading them takes longer than a test."""
    return read_rules(text)


def named(text: str, written: str = ONE_BUCKET) -> Names | Resolution:
    """What the rules alone say."""
    return names_of(text, rules(written))


def resolved(
    text: str,
    there: Collection[str],
    *records: Record,
    stage: Stage = Stage.LIVE,
    written: str = ONE_BUCKET,
) -> Resolution:
    """The answer, with objects at these URIs and these records."""
    names = named(text, written)
    assert isinstance(names, Names)

    def look(location: Location) -> ObjectState | None:
        return ObjectState("e", 1) if location.uri in there else None

    known = {record.record_id: record for record in records}
    return resolve(names, rules=rules(written), records=known, stage=stage, look=look)


@pytest.mark.parametrize(
    ("text", "written", "fault", "good_for", "reason"),
    [
        (
            "hello",
            ONE_BUCKET,
            ResolveFault.MALFORMED,
            DAY,
            "it is not a valid S3 URI; give s3://bucket/key or an https URL of S3",
        ),
        ("s3://src-bucket", ONE_BUCKET, ResolveFault.MALFORMED, DAY, "it names a bucket, not an object"),
        (
            "s3://other/a",
            ONE_BUCKET,
            ResolveFault.FOREIGN_BUCKET,
            DAY,
            "other is not a bucket of this migration: src-bucket, src-bucket",
        ),
        ("s3://src-bucket/stray", ONE_BUCKET, ResolveFault.UNMAPPED, 60, "no rule knows its key: no rule matches it"),
        ("s3://src-bucket/stray", TWO_BUCKETS, ResolveFault.UNMAPPED, 60, "no rule knows its key: no rule matches it"),
        (
            f"s3://src-bucket/old/{'z' * 1019}",
            TWO_BUCKETS.replace("to: 'new/", "to: 'newer/"),
            ResolveFault.MALFORMED,
            DAY,
            "its new key would not be a valid S3 key: it has 1025 bytes of UTF-8, S3 allows 1024",
        ),
    ],
)
def test_what_the_rules_alone_refuse(text: str, written: str, fault: ResolveFault, good_for: int, reason: str) -> None:
    """No look at S3, the words say why, and only what can change soon is asked again soon."""
    assert named(text, written) == Resolution(text, good_for=good_for, fault=fault, reason=reason)


@pytest.mark.parametrize(
    ("text", "written", "legacy", "new"),
    [
        (OLD, ONE_BUCKET, [OLD], NEW),
        (NEW, ONE_BUCKET, [OLD], NEW),
        (NEW, NO_KEEP, [OLD], NEW),
        ("s3://src-bucket/stays", ONE_BUCKET, [], "s3://src-bucket/stays"),
        ("s3://src-bucket/stays", TWO_BUCKETS, [], "s3://src-bucket/stays"),
        ("s3://dst-bucket/new/a", TWO_BUCKETS, [OLD], "s3://dst-bucket/new/a"),
        ("s3://dst-bucket/new/a", ONE_WAY, [], "s3://dst-bucket/new/a"),
        (NEW, LOSSY, ["s3://src-bucket/old/u/a", "s3://src-bucket/old/v/a"], NEW),
    ],
)
def test_the_rules_give_a_place_its_names(text: str, written: str, legacy: list[str], new: str) -> None:
    """Old and new ones; what stays has one name, and a new one stands for every old one that leads to it."""
    names = named(text, written)
    assert isinstance(names, Names)
    assert names.new is not None
    assert ([one.uri for one in names.legacy], names.new.uri) == (legacy, new)


@pytest.mark.parametrize(
    ("text", "changes", "stage", "there", "found"),
    [
        (OLD, {}, Stage.LIVE, (OLD, NEW), OLD),
        (OLD, {}, Stage.LIVE, (NEW,), NEW),
        (OLD, {}, Stage.CUT_OVER, (OLD, NEW), NEW),
        (OLD, {"mode": Mode.ROLLED_BACK}, Stage.CUT_OVER, (OLD, NEW), OLD),
        (OLD, {"state": State.CLEANED}, Stage.LIVE, (OLD, NEW), NEW),
        (OLD, {"state": State.CONFLICT}, Stage.CUT_OVER, (NEW,), None),
        (OLD, {"state": State.PARKED}, Stage.CUT_OVER, (OLD, NEW), OLD),
        (OLD, {"state": State.GONE, "target_etag": None}, Stage.LIVE, (NEW,), None),
        (OLD, {"state": State.GONE}, Stage.LIVE, (NEW,), NEW),
        (NEW, {}, Stage.LIVE, (OLD, NEW), NEW),
        (NEW, {"state": State.PARKED, "target_etag": None}, Stage.LIVE, (OLD,), OLD),
        (NEW, {"state": State.CONFLICT}, Stage.LIVE, (OLD,), None),
        (NEW, {"state": State.TOMBSTONE}, Stage.LIVE, (OLD,), None),
        (
            NEW,
            {"target": Location("src-bucket", "new/elsewhere")},
            Stage.LIVE,
            ("s3://src-bucket/new/elsewhere",),
            None,
        ),
    ],
)
def test_the_manifest_says_which_place_comes_first(
    text: str, changes: dict[str, object], stage: Stage, there: tuple[str, ...], found: str | None
) -> None:
    """What is at the target stands for the old object only where the record says that it is its copy."""
    assert resolved(text, there, replace(RECORD, **changes), stage=stage).location == found  # type: ignore[arg-type]


def test_one_source_that_is_gone_does_not_hide_the_next() -> None:
    """Two old keys lead to one new name: the first was deleted by its owner, the second is still to be copied."""
    first, second = (Location("src-bucket", f"old/{d}/a") for d in "uv")
    gone = Record(first, Location("src-bucket", "new/a"), State.TOMBSTONE)
    answer = resolved(NEW, (second.uri,), gone, written=LOSSY)
    assert (answer.location, answer.legacy_uri) == (second.uri, second.uri)


def test_a_new_name_tells_its_old_one_only_where_there_is_one() -> None:
    """Two sources, and nobody knows which of them the bytes came from."""
    assert resolved(NEW, (NEW,), RECORD).legacy_uri == OLD
    assert resolved(NEW, (NEW,), RECORD).state is State.COPIED
    assert resolved(NEW, (NEW,), written=LOSSY).legacy_uri is None
    assert resolved(NEW, (), written=LOSSY).legacy_uri is None
    assert resolved(NEW, ()).legacy_uri == OLD


def test_a_record_that_never_knew_its_target_leaves_the_name_to_the_rules() -> None:
    """Parked when no rule could map it; the rules of today can."""
    parked = replace(RECORD, target=Location("src-bucket", ""), state=State.PARKED, target_etag=None)
    assert resolved(OLD, (OLD,), parked).new_uri == NEW


def test_places_are_written_in_the_form_of_the_question() -> None:
    """Also in another region, when the rules file says which."""
    host = "https://{}.s3.{}.amazonaws.com/{}"
    asked = host.format("src-bucket", "us-east-1", "old/a")
    here = resolved(asked, (OLD,))
    assert (here.location, here.new_uri) == (asked, host.format("src-bucket", "us-east-1", "new/a"))
    moved = replace(RECORD, target=Location("dst-bucket", "new/a"), state=State.CLEANED)
    there = resolved(asked, ("s3://dst-bucket/new/a",), moved, written=TWO_BUCKETS)
    assert there.location == host.format("dst-bucket", "eu-central-1", "new/a")


@pytest.mark.parametrize(
    ("changes", "stage", "there", "good_for"),
    [
        ({}, Stage.LIVE, OLD, 60),
        ({}, Stage.LIVE, NEW, 60),
        ({}, Stage.CUT_OVER, NEW, 300),
        ({}, Stage.CUT_OVER, OLD, 60),
        ({}, Stage.CLEANING, NEW, 300),
        ({}, Stage.CLEANING, OLD, 0),
        ({}, Stage.DONE, NEW, HOUR),
        ({"state": State.CLEANED}, Stage.CLEANING, NEW, HOUR),
        ({"state": State.CLEANED}, Stage.ROLLING_BACK, NEW, 0),
        ({}, Stage.CUT_OVER, "", 0),
    ],
)
def test_how_long_an_answer_is_good(changes: dict[str, object], stage: Stage, there: str, good_for: int) -> None:
    """As long as nothing of ours can move the bytes; nothing at all is good for no time."""
    assert resolved(OLD, (there,), replace(RECORD, **changes), stage=stage).good_for == good_for  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "written", "record", "reason"),
    [
        (OLD, ONE_BUCKET, None, "there is no object at its old or its new key; the manifest has no record of it"),
        (OLD, ONE_BUCKET, RECORD, "there is no object at its old or its new key; the manifest says COPIED"),
        (
            "s3://dst-bucket/new/a",
            ONE_WAY,
            None,
            "there is no object at this key, and the rules cannot be reversed to find an older one",
        ),
    ],
)
def test_what_has_vanished_says_what_is_known(text: str, written: str, record: Record | None, reason: str) -> None:
    """The manifest's word, or that the rules lead to no older name."""
    answer = resolved(text, (), *([record] if record is not None else []), written=written)
    assert (answer.fault, answer.reason) == (ResolveFault.VANISHED, reason)
