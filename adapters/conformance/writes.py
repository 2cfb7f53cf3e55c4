"""Conditional writes of single objects, and what reads show after them (aws-facts.md §2.1, §2.6, §2.8)."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from adapters.conformance.bench import BODY, OTHER_ETAG, Bench, NotOfferedError, wait_until
from adapters.conformance.trial import Holds, Trial, answer_to, answer_to_denied, trial
from domain.lifecycle.conformance import Fact

TRIALS: list[Trial] = []
TAKEN, FAILED, ABSENT = "the key is taken", "412 PreconditionFailed", "404 NoSuchKey"
RACERS = 16
_POLICY_SECONDS = 15.0
"""Until a new bucket policy counts everywhere."""
ONE_WINS = "one 200, the others 409 or 412"
_CONDITIONAL_ONLY = {
    "Action": "s3:PutObject",
    "Condition": {
        "Null": {"s3:if-none-match": "true", "s3:if-match": "true"},
        "Bool": {"s3:ObjectCreationOperation": "true"},
    },
}


def copy_of(bench: Bench, key: str | None = None, **more: Any) -> dict[str, Any]:
    """A CopyObject request in the plain bucket: of a new source to ``key``, or to a new one; without annotations."""
    source, _ = bench.put(bench.plain)
    origin = {"Bucket": bench.plain, "Key": source}
    return {
        "Bucket": bench.plain,
        "Key": key or bench.new_key(),
        "CopySource": origin,
        "AnnotationDirective": "EXCLUDE",
    } | more


def winner_of(answers: list[str]) -> str | Holds:
    """Of requests at the same time, each on the condition that the key is absent."""
    counts = Counter(answers)
    seen = ", ".join(f"{number} x {answer}" for answer, number in sorted(counts.items()))
    losers = {answer.partition(" ")[0] for answer in counts if answer != "200"}
    return Holds(seen) if counts["200"] == 1 and losers <= {"409", "412"} else seen


def denied_there(bench: Bench, ask: Callable[[], str]) -> None:
    """Wait until the bucket's new policy denies the request; raises NotOfferedError where it never does."""
    told = ""

    def is_denied() -> bool:
        nonlocal told
        told = ask()
        return told.startswith("403")

    if not wait_until(is_denied, seconds=min(bench.options.wait, _POLICY_SECONDS), pause=1.0):
        raise NotOfferedError(f"the server keeps the bucket policy, and answers {told} to a request that it denies")


@trial(TRIALS, "2.1", f"PutObject, If-None-Match, {TAKEN}", FAILED, vital=True)
def _put_over(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    return answer_to(bench.s3.put_object, Bucket=bench.plain, Key=key, Body=BODY, IfNoneMatch="*")


@trial(TRIALS, "2.1", "PutObject, If-None-Match, the key is absent", "200", vital=True)
def _put_new(bench: Bench) -> str:
    return answer_to(bench.s3.put_object, Bucket=bench.plain, Key=bench.new_key(), Body=BODY, IfNoneMatch="*")


@trial(TRIALS, "2.1", "PutObject, If-Match, another etag", FAILED, vital=True)
def _put_over_another(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    return answer_to(bench.s3.put_object, Bucket=bench.plain, Key=key, Body=BODY, IfMatch=OTHER_ETAG)


@trial(TRIALS, "2.1", "PutObject, If-Match, the key is absent", ABSENT)
def _put_over_nothing(bench: Bench) -> str:
    return answer_to(bench.s3.put_object, Bucket=bench.plain, Key=bench.new_key(), Body=BODY, IfMatch=OTHER_ETAG)


@trial(TRIALS, "2.1", "CopyObject, If-Match on the source, another etag", FAILED, vital=True)
def _copy_of_another(bench: Bench) -> str:
    return answer_to(bench.s3.copy_object, **copy_of(bench, CopySourceIfMatch=OTHER_ETAG))


@trial(TRIALS, "2.1", f"CopyObject, If-None-Match, {TAKEN}", FAILED, vital=True)
def _copy_over(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    return answer_to(bench.s3.copy_object, **copy_of(bench, key, IfNoneMatch="*"))


@trial(TRIALS, "2.1", "CopyObject, If-None-Match, the key is absent", "200", vital=True)
def _copy_new(bench: Bench) -> str:
    return answer_to(bench.s3.copy_object, **copy_of(bench, IfNoneMatch="*"))


@trial(TRIALS, "2.1", "CopyObject, If-Match on the target, another etag", FAILED, vital=True)
def _copy_over_another(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    return answer_to(bench.s3.copy_object, **copy_of(bench, key, IfMatch=OTHER_ETAG))


@trial(TRIALS, "2.1", "CopyObject, If-Match on the target, its etag", "200", vital=True)
def _copy_over_known(bench: Bench) -> str:
    key, etag = bench.put(bench.plain, body=b"before")
    return answer_to(bench.s3.copy_object, **copy_of(bench, key, IfMatch=etag))


@trial(TRIALS, "2.1", "CopyObject, If-Match on the target, the key is absent", ABSENT)
def _copy_over_nothing(bench: Bench) -> str:
    return answer_to(bench.s3.copy_object, **copy_of(bench, IfMatch=OTHER_ETAG))


@trial(TRIALS, "2.1", f"{RACERS} PutObject with If-None-Match at the same time", ONE_WINS, vital=True)
def _puts_at_once(bench: Bench) -> str | Holds:
    request = {"Bucket": bench.plain, "Key": bench.new_key(), "Body": BODY, "IfNoneMatch": "*"}
    with ThreadPoolExecutor(RACERS) as pool:
        return winner_of(list(pool.map(lambda _: answer_to(bench.s3.put_object, **request), range(RACERS))))


@trial(TRIALS, "2.1", f"{RACERS} CopyObject with If-None-Match at the same time", ONE_WINS, vital=True)
def _copies_at_once(bench: Bench) -> str | Holds:
    request = copy_of(bench, IfNoneMatch="*")
    with ThreadPoolExecutor(RACERS) as pool:
        return winner_of(list(pool.map(lambda _: answer_to(bench.s3.copy_object, **request), range(RACERS))))


@trial(TRIALS, "2.1", "CopyObject, If-None-Match, where a policy enforces conditions", "501 NotImplemented")
def _copy_where_enforced(bench: Bench) -> str:
    bucket = bench.denying("enforced", _CONDITIONAL_ONLY)
    request: dict[str, Any] = {"Bucket": bucket, "Key": bench.new_key(), "Body": BODY}
    denied_there(bench, lambda: answer_to_denied(bench.s3.put_object, **request))
    origin = {"Bucket": bucket, "Key": "source"}
    copy = {"Bucket": bucket, "Key": bench.new_key(), "CopySource": origin, "AnnotationDirective": "EXCLUDE"}
    return answer_to_denied(bench.s3.copy_object, **copy, IfNoneMatch="*")


TRIALS.append(
    Trial(
        Fact("2.1", "200 with an error in the body", "an error, by its code"),
        None,
        "it cannot be provoked; the stand-in makes it",
    )
)


@trial(TRIALS, "2.7", "A key is listed once its PutObject is answered", "listed", vital=True)
def _listed(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    listed = bench.s3.list_objects_v2(Bucket=bench.plain, Prefix=key).get("Contents", [])
    return "listed" if key in [one["Key"] for one in listed] else "not listed"


@trial(TRIALS, "2.7", "A key is listed once its DeleteObject is answered", "not listed", vital=True)
def _not_listed(bench: Bench) -> str:
    key, _ = bench.put(bench.plain)
    bench.s3.delete_object(Bucket=bench.plain, Key=key)
    listed = bench.s3.list_objects_v2(Bucket=bench.plain, Prefix=key).get("Contents", [])
    return "listed" if key in [one["Key"] for one in listed] else "not listed"


@trial(TRIALS, "2.6", "HeadObject of an absent key, with s3:ListBucket", "404", vital=True)
def _head_of_nothing(bench: Bench) -> str:
    return answer_to(bench.s3.head_object, Bucket=bench.plain, Key=bench.new_key())


@trial(TRIALS, "2.6", "HeadObject counts the tags", "TagCount 2")
def _tags_are_counted(bench: Bench) -> str:
    key, _ = bench.put(bench.plain, Tagging="a=1&b=2")
    return f"TagCount {bench.s3.head_object(Bucket=bench.plain, Key=key).get('TagCount', 'missing')}"


@trial(TRIALS, "2.8", "Keys with a leading slash, and with two", "stored and listed")
def _slashes(bench: Bench) -> str:
    keys = {"a leading slash": f"/{bench.new_key()}", "two slashes": f"double//{bench.new_key()}"}
    for key in keys.values():
        bench.s3.put_object(Bucket=bench.plain, Key=key, Body=BODY)
    listed = bench.s3.list_objects_v2(Bucket=bench.plain, EncodingType="url").get("Contents", [])
    found = {one["Key"] for one in listed}
    missing = [name for name, key in keys.items() if key not in found]
    return f"not listed: {', '.join(missing)}" if missing else "stored and listed"
