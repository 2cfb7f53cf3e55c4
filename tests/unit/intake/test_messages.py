"""Every body that AWS documents becomes the right notices, and every other one a clear refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import MalformedMessageError
from domain.keys import Location, Sequencer
from domain.objects import ListedObject
from domain.protocol.notices import Notice, NoticeKind
from handlers.intake.messages import BackfillRow, decode_message, encode_backfill

EVENTS = Path(__file__).parents[2] / "events"
BUCKET = "manufacturing-line-1"


def recorded(name: str) -> str:
    """One recorded body."""
    return (EVENTS / f"{name}.json").read_text(encoding="ascii")


def changed(name: str, **fields: Any) -> str:
    """A recorded direct notification with some fields of its record replaced."""
    body = json.loads(recorded(name))
    body["Records"][0] |= fields
    return json.dumps(body)


def the_notice(body: str) -> Notice:
    """The only notice in a body."""
    (notice,) = decode_message(body).notices
    return notice


def test_a_direct_key_is_decoded_once_as_a_form() -> None:
    """A plus sign is a space, %2B is a plus sign."""
    expected = Notice(
        NoticeKind.CREATED,
        Location(BUCKET, "datasets//training-output/red flower+1/output/model.tar.gz"),
        etag="d41d8cd98f00b204e9800998ecf8427e",
        size=1024,
        sequencer=Sequencer("0055AED6DCD90281E5"),
    )
    assert expected == the_notice(recorded("direct_created_v2_1"))


def test_a_later_minor_version_and_unknown_fields_are_fine() -> None:
    """Version 2.6 with fields of tomorrow is read; a percent sign in the key survives."""
    notice = the_notice(recorded("direct_created_v2_6"))
    assert Location(BUCKET, "café/100%.bin") == notice.source
    assert notice.version_id == "096fKKXTRTtl3on89fVO.nfljtsv6qko"
    assert notice.etag == "9b2cf535f27731c974343645a3985328-2"


def test_an_eventbridge_key_is_never_decoded() -> None:
    """EventBridge carries the raw key, and spells etag and version-id its own way."""
    expected = Notice(
        NoticeKind.CREATED,
        Location(BUCKET, "datasets//training-output/a+b%20c/output/model.tar.gz"),
        etag="b1946ac92492d2347c6235b4d2611184",
        version_id="IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
        size=5,
        sequencer=Sequencer("617f08299329d189"),
    )
    assert expected == the_notice(recorded("eventbridge_created"))


@pytest.mark.parametrize("wrapped", ["direct_created_v2_1", "eventbridge_created"])
def test_an_sns_envelope_changes_nothing(wrapped: str) -> None:
    """What is in the envelope is read as if it had come without (raw delivery is the event itself)."""
    envelope = {"direct_created_v2_1": "sns_direct_created", "eventbridge_created": "sns_eventbridge_created"}[wrapped]
    assert decode_message(recorded(wrapped)) == decode_message(recorded(envelope))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("direct_removed", NoticeKind.REMOVED),
        ("direct_delete_marker", NoticeKind.REMOVED),
        ("direct_lifecycle_expiration", NoticeKind.REMOVED),
        ("direct_restore_completed", NoticeKind.LISTED),
        ("eventbridge_deleted", NoticeKind.REMOVED),
        ("eventbridge_lifecycle_deleted", NoticeKind.REMOVED),
        ("eventbridge_restore_completed", NoticeKind.LISTED),
    ],
)
def test_each_family_of_events_has_its_kind(name: str, kind: NoticeKind) -> None:
    """Deletes, delete markers and expirations are removals; a restore that ended is a reason to look."""
    notice = the_notice(recorded(name))
    assert kind is notice.kind
    assert (notice.sequencer is None) == (kind is NoticeKind.LISTED or "lifecycle" in name)


LATE = ["ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAnnotation:Put", "ObjectAnnotation:Delete"]
LATE += ["ObjectRetention:Put", "LifecycleTransition", "ObjectRestore:Completed"]
LATE_ON_THE_BUS = [
    "Object Tags Added",
    "Object Tags Deleted",
    "Object Storage Class Changed",
    "Object Restore Completed",
]
LOOK_AGAIN = Notice(NoticeKind.LISTED, Location(BUCKET, "training-output/cookie/model.tar.gz"))


@pytest.mark.parametrize("name", LATE)
def test_a_change_that_leaves_the_etag_is_a_reason_to_look_again(name: str) -> None:
    """By the key alone: its etag is the one that was copied, and would make the notice old news."""
    assert the_notice(changed("direct_tagging", eventName=name)) == LOOK_AGAIN


@pytest.mark.parametrize("detail_type", LATE_ON_THE_BUS)
def test_the_bus_tells_of_the_same_changes(detail_type: str) -> None:
    """It has no event for an annotation."""
    body = json.loads(recorded("eventbridge_tags_added"))
    assert the_notice(json.dumps(body | {"detail-type": detail_type})) == LOOK_AGAIN


@pytest.mark.parametrize(
    "body",
    [
        *map(recorded, ("test_event", "sns_test_event")),
        changed("direct_tagging", eventName="ObjectAcl:Put"),
        recorded("eventbridge_tags_added").replace("Object Tags Added", "Object ACL Updated"),
    ],
)
def test_what_moves_nothing_is_ignored_with_a_reason(body: str) -> None:
    """A test event, or a changed ACL, which no copy has, is no error and no work."""
    decoded = decode_message(body)
    assert decoded.notices == ()
    assert decoded.ignored[0]
    assert decoded.faults == ()


def test_several_records_in_one_message_are_all_read() -> None:
    """The shape is a list, so every entry counts."""
    decoded = decode_message(recorded("direct_several_records"))
    assert [notice.source.key for notice in decoded.notices] == [
        "training-output/one/model.tar.gz",
        "training-output/two/model.tar.gz",
        "training-output/one/model.tar.gz",
    ]
    assert [notice.kind for notice in decoded.notices[1:]] == [NoticeKind.CREATED, NoticeKind.LISTED]


def test_one_bad_record_does_not_hide_the_good_ones() -> None:
    """The good records are notices, the bad one is a fault that names its place."""
    body = json.loads(recorded("direct_several_records"))
    del body["Records"][1]["s3"]["object"]["key"]
    decoded = decode_message(json.dumps(body))
    assert len(decoded.notices) == 2
    assert decoded.faults[0] == "record 2 of 3: s3.object.key: Field required"


@pytest.mark.parametrize("text", ["0x12", "12_34", " 12", "", "xyz", "12\n"])
def test_an_unreadable_sequencer_counts_as_missing(text: str) -> None:
    """No order is better than a wrong one: then both keys are looked at."""
    body = json.loads(recorded("direct_created_v2_1"))
    body["Records"][0]["s3"]["object"]["sequencer"] = text
    assert the_notice(json.dumps(body)).sequencer is None


def test_quotes_around_an_etag_are_taken_off() -> None:
    """The rest of the program knows etags without quotes only."""
    body = json.loads(recorded("direct_created_v2_1"))
    body["Records"][0]["s3"]["object"]["eTag"] = '"abc"'
    assert the_notice(json.dumps(body)).etag == "abc"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an object"),
        ("{}", "its fields: none"),
        ('{"Records": []}', "at least one entry"),
        ('{"Records": [7]}', "record 1 of 1"),
        ('{"Type": "Notification"}', "Message is not text"),
        ('{"hello": 1}', "its fields: 'hello'"),
        ('{"detail-type": "Order Placed", "source": "shop"}', "'shop'"),
        ('{"v": 2, "kind": "backfill"}', "v: Input should be 1"),
        (changed("direct_created_v2_1", eventVersion="3.0"), "eventVersion '3.0'"),
        (changed("direct_created_v2_1", eventSource="aws:sqs"), "aws:sqs"),
    ],
)
def test_a_malformed_body_says_what_is_wrong(body: str, reason: str) -> None:
    """Whoever finds it in the dead-letter queue reads why."""
    with pytest.raises(MalformedMessageError) as refused:
        decode_message(body)
    assert reason in str(refused.value)


def test_an_unconfirmed_subscription_names_topic_and_remedy() -> None:
    """Until it is confirmed no event arrives, so it must not vanish quietly."""
    with pytest.raises(MalformedMessageError, match="SubscribeURL"):
        decode_message(recorded("sns_subscription_confirmation"))


@pytest.mark.parametrize("key", ["%ff", "%c3%28"])
def test_a_direct_key_that_is_not_utf_8_is_refused(key: str) -> None:
    """Replacing the bytes would silently name another object."""
    body = json.loads(recorded("direct_created_v2_1"))
    body["Records"][0]["s3"]["object"]["key"] = key
    with pytest.raises(MalformedMessageError, match="not UTF-8"):
        decode_message(json.dumps(body))


def test_a_lone_surrogate_is_refused() -> None:
    """No S3 key has one, and no request could carry it."""
    body = json.loads(recorded("eventbridge_created"))
    body["detail"]["object"]["key"] = "a\ud800"
    with pytest.raises(MalformedMessageError, match="unicode string"):
        decode_message(json.dumps(body))


@pytest.mark.parametrize("own", ["AWS:AIDAJDPLRKLG7UEXAMPLE", "AIDAJDPLRKLG7UEXAMPLE"])
def test_a_delete_by_one_of_our_principals_is_ignored(own: str) -> None:
    """A session name after the role does not hide it; without the setting the record decides."""
    assert decode_message(recorded("direct_removed"), own_principals={own}).ignored == ("keyshift's own delete",)
    assert len(decode_message(recorded("direct_removed")).notices) == 1
    assert len(decode_message(recorded("direct_created_v2_1"), own_principals={own}).notices) == 1


@pytest.mark.parametrize("own", ["AWS", "AWS:AIDAJDPLRKLG7", "AWS:AIDAJDPLRKLG7UEXAMPLE:line", "line-1"])
def test_a_principal_is_compared_whole(own: str) -> None:
    """A part of a principal id, or the name of its session alone, is another principal."""
    assert len(decode_message(recorded("direct_removed"), own_principals={own}).notices) == 1


def test_an_account_makes_no_delete_ours() -> None:
    """EventBridge names the requester's account only, in which owners delete too."""
    decoded = decode_message(recorded("eventbridge_deleted"), own_principals={"123456789012"})
    assert [notice.kind for notice in decoded.notices] == [NoticeKind.REMOVED]


@given(
    rows=st.lists(
        st.builds(
            BackfillRow,
            key=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
            etag=st.none() | st.just("abc"),
            size=st.none() | st.integers(0, 2**45),
            version_id=st.none() | st.just("v1"),
            storage_class=st.none() | st.just("STANDARD"),
            sequencer=st.none() | st.just("0055AED6DCD90281E5"),
        ),
        max_size=30,
    ),
    limit=st.integers(200, 2_000),
)
def test_backfill_rows_come_back_as_they_were(rows: list[BackfillRow], limit: int) -> None:
    """Any key survives, in order, and every body is ASCII and within the limit unless one row alone exceeds it."""
    bodies = list(encode_backfill(rows, migration="m", bucket=BUCKET, at_most_bytes=limit, at_most_rows=7))
    decoded = [notice for body in bodies for notice in decode_message(body).notices]
    assert [row.notice(BUCKET) for row in rows] == decoded
    for body in bodies:
        assert body.isascii()
        count = len(decode_message(body).notices)
        assert count <= 7
        assert len(body) <= limit or count == 1


def test_a_notice_handed_on_keeps_its_order() -> None:
    """A created event continued in another attempt still says when it happened."""
    notice = the_notice(recorded("direct_created_v2_1"))
    (body,) = encode_backfill([BackfillRow.of_notice(notice)], migration="m", bucket=BUCKET)
    assert notice == the_notice(body)


def test_a_delete_handed_on_is_only_a_reason_to_look() -> None:
    """Its source was there when the copy began, so nothing says that the owner deleted it."""
    notice = the_notice(recorded("direct_removed"))
    handed_on = BackfillRow.of_notice(notice).notice(BUCKET)
    assert (handed_on.kind, handed_on.sequencer) == (NoticeKind.LISTED, None)


def test_a_listed_object_becomes_a_row_with_its_storage_class() -> None:
    """A row that knows the storage class saves a HEAD."""
    row = BackfillRow.of_listed(ListedObject("k", "e", 3, "STANDARD_IA"))
    assert Notice(NoticeKind.LISTED, Location(BUCKET, "k"), "e", None, 3, None, "STANDARD_IA") == row.notice(BUCKET)


def test_our_own_shape_allows_nothing_extra() -> None:
    """A misspelt field in a row would be lost without a word."""
    body = {"v": 1, "kind": "backfill", "migration": "m", "bucket": "b", "rows": [{"key": "k", "etga": "x"}]}
    with pytest.raises(MalformedMessageError, match=r"rows\.0\.etga: Extra inputs"):
        decode_message(json.dumps(body))
