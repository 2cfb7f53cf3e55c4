"""Versions, delete markers and deletes on conditions (aws-facts.md §2.1, §2.2, §2.7)."""

from typing import Any

from adapters.conformance.bench import BODY, OTHER_ETAG, Bench
from adapters.conformance.trial import Trial, answer_to, trial
from domain.lifecycle.conformance import Fact

TRIALS: list[Trial] = []
FAILED, ABSENT, NULL = "412 PreconditionFailed", "404 NoSuchKey", "null"


def _versions(bench: Bench, bucket: str, key: str) -> tuple[list[Any], list[Any]]:
    """Versions and delete markers of the key, the newest first."""
    listed = bench.s3.list_object_versions(Bucket=bucket, Prefix=key)
    found = [[one for one in listed.get(kind, []) if one["Key"] == key] for kind in ("Versions", "DeleteMarkers")]
    return found[0], found[1]


def _marked(bench: Bench) -> tuple[dict[str, str], str]:
    """A key under a delete marker, and the marker's version id."""
    key, _ = bench.put(bench.versioned)
    place = {"Bucket": bench.versioned, "Key": key}
    return place, bench.s3.delete_object(**place).get("VersionId", "")


@trial(TRIALS, "2.7", "DeleteObject, If-Match, another etag", FAILED, vital=True)
def _delete_another(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    return answer_to(bench.s3.delete_object, Bucket=bench.plain, Key=key, IfMatch=OTHER_ETAG)


@trial(TRIALS, "2.7", "DeleteObject, If-Match, its etag", "204", vital=True)
def _delete_known(bench: Bench) -> str:
    key, etag = bench.put(bench.plain)
    return answer_to(bench.s3.delete_object, Bucket=bench.plain, Key=key, IfMatch=etag)


@trial(TRIALS, "2.7", "DeleteObject, If-Match, the key is absent", ABSENT)
def _delete_nothing(bench: Bench) -> str:
    return answer_to(bench.s3.delete_object, Bucket=bench.plain, Key=bench.new_key(), IfMatch=OTHER_ETAG)


@trial(TRIALS, "2.7", "DeleteObject, If-Match, another etag, with versions", FAILED, vital=True)
def _delete_another_version(bench: Bench) -> str:
    key, _ = bench.put(bench.versioned)
    return answer_to(bench.s3.delete_object, Bucket=bench.versioned, Key=key, IfMatch=OTHER_ETAG)


@trial(TRIALS, "2.7", "DeleteObjects with another ETag", "the entry is refused: PreconditionFailed")
def _delete_many(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    answer = bench.s3.delete_objects(Bucket=bench.plain, Delete={"Objects": [{"Key": key, "ETag": OTHER_ETAG}]})
    errors = [one.get("Code", "") for one in answer.get("Errors", [])]
    return f"the entry is refused: {errors[0]}" if errors else "it is deleted"


@trial(TRIALS, "2.7", "A delete with versions adds a marker, a second one another", "two markers", vital=True)
def _markers(bench: Bench) -> str:
    place, first = _marked(bench)
    second = bench.s3.delete_object(**place).get("VersionId", "")
    _, markers = _versions(bench, place["Bucket"], place["Key"])
    is_so = first != second and {first, second} == {one["VersionId"] for one in markers}
    return "two markers" if is_so else f"{len(markers)} markers"


@trial(TRIALS, "2.1", "PutObject, If-None-Match, under a delete marker", "200", vital=True)
def _put_under_marker(bench: Bench) -> str:
    place, _ = _marked(bench)
    return answer_to(bench.s3.put_object, **place, Body=BODY, IfNoneMatch="*")


@trial(TRIALS, "2.2", "CopyObject of a key under a delete marker", ABSENT, vital=True)
def _copy_of_marker(bench: Bench) -> str:
    place, _ = _marked(bench)
    request = {"Bucket": bench.versioned, "Key": bench.new_key(), "CopySource": place}
    return answer_to(bench.s3.copy_object, **request, AnnotationDirective="EXCLUDE")


@trial(TRIALS, "2.2", "HeadObject of a delete marker by its version id", "405")
def _head_of_marker(bench: Bench) -> str:
    place, marker = _marked(bench)
    return answer_to(bench.s3.head_object, **place, VersionId=marker)


@trial(TRIALS, "2.7", "A removed delete marker brings the version under it back", "200", vital=True)
def _unmarked(bench: Bench) -> str:
    place, marker = _marked(bench)
    bench.s3.delete_object(**place, VersionId=marker)
    return answer_to(bench.s3.head_object, **place)


@trial(TRIALS, "2.7", "A delete by version id is final", "404", vital=True)
def _deleted_for_good(bench: Bench) -> str:
    key = bench.new_key()
    place = {"Bucket": bench.versioned, "Key": key}
    version = {"VersionId": bench.s3.put_object(**place, Body=BODY)["VersionId"]}
    bench.s3.delete_object(**place, **version)
    return answer_to(bench.s3.head_object, **place, **version)


@trial(TRIALS, "2.2", "CopyObject says which version it read", "the source's version id")
def _version_read(bench: Bench) -> str:
    key = bench.new_key()
    place = {"Bucket": bench.versioned, "Key": key}
    version = bench.s3.put_object(**place, Body=BODY)["VersionId"]
    request = {"Bucket": bench.versioned, "Key": bench.new_key(), "CopySource": place}
    read = bench.s3.copy_object(**request, AnnotationDirective="EXCLUDE").get("CopySourceVersionId")
    return "the source's version id" if read == version else f"it says {read or 'none'}"


@trial(TRIALS, "2.7", "Version id of what is written while versioning is suspended", NULL, vital=True)
def _null(bench: Bench) -> str:
    key, _ = bench.put(bench.suspended)
    return str(bench.s3.head_object(Bucket=bench.suspended, Key=key).get("VersionId", "none"))


@trial(
    TRIALS,
    "2.7",
    "Delete of a key while versioning is suspended",
    "the null version is gone, a null marker is left",
    vital=True,
)
def _delete_null(bench: Bench) -> str:
    key, _ = bench.put(bench.suspended)
    bench.s3.delete_object(Bucket=bench.suspended, Key=key)
    versions, markers = _versions(bench, bench.suspended, key)
    gone = "is gone" if not versions else "is left"
    left = (
        "a null marker is left" if [one["VersionId"] for one in markers] == [NULL] else f"{len(markers)} other markers"
    )
    return f"the null version {gone}, {left}"


@trial(TRIALS, "2.7", "An older version, after a delete while versioning is suspended", "kept", vital=True)
def _kept(bench: Bench) -> str:
    place = {"Bucket": bench.suspended, "Key": "kept"}
    bench.s3.delete_object(**place)
    versions, _ = _versions(bench, bench.suspended, "kept")
    return "kept" if [one["VersionId"] != NULL for one in versions] == [True] else f"{len(versions)} versions"


TRIALS.append(
    Trial(
        Fact("1.3", "Sequencer of a lifecycle expiry", "that of the object's creation"),
        None,
        "a lifecycle rule takes a day or more",
    )
)
