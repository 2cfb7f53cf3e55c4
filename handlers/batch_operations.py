"""Lambda: the tasks of an S3 Batch Operations job, handled like backfill rows (aws-facts.md §3.3)."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, unquote_plus

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.errors import InputError, KeyshiftError
from domain.keys import Location
from domain.protocol.attempt import Verdict
from domain.protocol.causes import Cause
from domain.protocol.notices import Notice
from domain.protocol.record import State
from domain.rules.compiled import CompiledRules
from domain.rules.routing import REFUSED, Route, is_refused, route_of
from handlers.bootstrap import dependencies_of
from handlers.engine.attempt import Ended, attempt_notice
from handlers.engine.dependencies import EngineDependencies
from handlers.intake.invocations import seconds_left_of
from handlers.intake.messages import BackfillRow

SUCCEEDED, AGAIN, FAILED = "Succeeded", "TemporaryFailure", "PermanentFailure"
RESULT_CHARACTERS = 1024
TURN_SECONDS, MOST_TURNS = 1.0, 30
LEAST_SECONDS_LEFT = 30.0
"""How a throttled object is tried again, and for how many of the last seconds it is not."""
_PLUS = "write the manifest again with %20 for a space and %2B for a plus sign, as keyshift batch-manifest does"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Task(_Model):
    task_id: str = Field(alias="taskId")
    key: str = Field(alias="s3Key")
    bucket_arn: str = Field(alias="s3BucketArn", default="")
    bucket: str = Field(alias="s3Bucket", default="")

    def bucket_name(self) -> str:
        """Schema 1.0 gives an ARN, 2.0 a name."""
        return self.bucket or self.bucket_arn.rpartition(":")[2]


class _Job(_Model):
    arguments: Mapping[str, str] | None = Field(alias="userArguments", default=None)


class _Invocation(_Model):
    version: str = Field(alias="invocationSchemaVersion")
    invocation_id: str = Field(alias="invocationId")
    job: _Job = _Job()
    tasks: tuple[_Task, ...]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Migrate the tasks' objects; the answer shows for each task whether the job may try it again."""
    dependencies = dependencies_of("batch-operations")
    dependencies.observer.begin(context)
    return respond(event, dependencies, seconds_left=seconds_left_of(context))


def respond(
    event: Mapping[str, Any], dependencies: EngineDependencies, *, seconds_left: Callable[[], float]
) -> dict[str, Any]:
    """One result for each task; InputError for an event that is not of Batch Operations.

    An exception would count as a permanent failure of every task, so passing faults are answered as temporary.
    """
    try:
        asked = _Invocation.model_validate(event)
    except ValidationError as error:
        raise InputError(f"this is not an invocation by S3 Batch Operations: {error}") from error
    results = []
    for task in asked.tasks:
        code, text = _result(task, asked.job, dependencies, seconds_left)
        results.append({"taskId": task.task_id, "resultCode": code, "resultString": text[:RESULT_CHARACTERS]})
    dependencies.observer.flush()
    return {
        "invocationSchemaVersion": asked.version,
        "treatMissingKeysAs": AGAIN,
        "invocationId": asked.invocation_id,
        "results": results,
    }


def _misdirected(task: _Task, job: _Job, rules: CompiledRules) -> str | None:
    """Why the task is not this function's, or ``None``."""
    wanted = (job.arguments or {}).get("migration", rules.migration)
    if wanted != rules.migration:
        return f"the job is for migration {wanted}, this function moves {rules.migration}"
    if task.bucket_name() != rules.source_bucket:
        return f"the task is in bucket {task.bucket_name()}, the rules move {rules.source_bucket}"
    return None


def _readings(text: str) -> tuple[str, str]:
    """The key that a batch manifest's ``text`` names, and the key that it names if its plus signs are literal.

    Inventories, which may be batch manifests, write a space as ``+`` and a plus sign as ``%2B`` (aws-facts.md §3.1).
    Other writers percent-encode both, and some do not encode a plus sign. Raises UnicodeError.
    """
    key, other = unquote_plus(text, errors="strict"), unquote(text, errors="strict")
    key.encode()  # a request cannot carry a lone surrogate
    return key, other


def _only_other_is_there(bucket: str, key: str, other: str, dependencies: EngineDependencies) -> bool:
    look = dependencies.ports.store.look_at_object
    return look(Location(bucket, key)) is None and look(Location(bucket, other)) is not None


def _attempted(
    notice: Notice, route: Route, dependencies: EngineDependencies, seconds_left: Callable[[], float]
) -> Ended:
    """How the object's attempt ended; a throttled object waits here, because a task has no queue to go back to."""
    for _ in range(MOST_TURNS):
        ended = attempt_notice(notice, route, dependencies, seconds_left=seconds_left, stopping=lambda: False)
        if ended.outcome.cause is not Cause.THROTTLED or seconds_left() < LEAST_SECONDS_LEFT:
            break
        dependencies.sleep(TURN_SECONDS)
    return ended


def _result(
    task: _Task, job: _Job, dependencies: EngineDependencies, seconds_left: Callable[[], float]
) -> tuple[str, str]:
    rules = dependencies.rules
    misdirected = _misdirected(task, job, rules)
    if misdirected is not None:
        return FAILED, misdirected
    try:
        key, other = _readings(task.key)
    except UnicodeError:
        return FAILED, f"the key {task.key!a} is not UTF-8 after URL decoding: write the manifest again"
    if not key:
        return FAILED, "the task names no key"
    # Without etag and version: the present object is moved, not the one that the batch manifest was written from.
    notice = BackfillRow(key=key).notice(rules.source_bucket)
    route = route_of(rules, notice.source)
    if is_refused(route):
        return FAILED, REFUSED
    try:
        control = dependencies.control.current()
        if control.paused:
            return AGAIN, f"the migration is paused: {control.reason}"
        if other != key and _only_other_is_there(rules.source_bucket, key, other, dependencies):
            return FAILED, f"no object has the key {key!a}, but one has {other!a}: {_PLUS}"
        ended = _attempted(notice, route, dependencies, seconds_left)
    except KeyshiftError as error:
        dependencies.observer.count("Failures")
        dependencies.observer.fail("batch operations task", cause=error.cause, why=str(error))
        return AGAIN, str(error)
    outcome = ended.outcome
    if outcome.verdict is Verdict.RETURN:
        return AGAIN, outcome.reason
    if outcome.verdict is Verdict.CONTINUE:
        return SUCCEEDED, "a large copy, or one of many versions, which continues in the backfill queue"
    said = f"{outcome.state}: {outcome.reason}" if outcome.state else outcome.reason
    return (FAILED if outcome.state in (State.CONFLICT, State.PARKED) else SUCCEEDED), said
