"""What an attempt does for an object along its route."""

from domain.errors import (
    MalformedMessageError,
)
from domain.keys import Location
from domain.protocol.attempt import RULES_SECONDS, Attempt, MigrationPorts, Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.claims import may_go_along
from domain.protocol.migration import begin_attempt, migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.rules.routing import (
    InOtherBucket,
    InTargetBucket,
    Kept,
    Moved,
    Probe,
    Rejected,
    Route,
    Unmapped,
    is_refused,
)
from handlers.engine.dependencies import EngineDependencies


def follow_route(
    notice: Notice, route: Route, dependencies: EngineDependencies, limit: float, ports: MigrationPorts
) -> Outcome:
    """The outcome for the object; raises MalformedMessageError for an object of another bucket."""
    rules, policy = dependencies.rules, dependencies.policy
    match route:
        case InTargetBucket():
            return Outcome(Verdict.DONE, None, Cause(route.kind.value))
        case InOtherBucket():
            raise MalformedMessageError(
                f"{notice.source.uri} is in another bucket than {rules.source_bucket}, which this migration moves"
            )
        case Probe():
            dependencies.probes.note_arrival(notice.source.key)
            return Outcome(Verdict.DONE, None, Cause(route.kind.value))
        case Kept() | Unmapped():
            return _stay(notice, route, dependencies)
        case Rejected(rule, reason):
            nowhere = Destination(Location(rules.target_bucket, ""), rule)
            attempt = Attempt(dependencies.new_token(), limit)
            return begin_attempt(notice, destination=nowhere, attempt=attempt, ports=ports, policy=policy).park(
                Cause.IMPOSSIBLE_KEY, reason
            )
        case Moved(rule, target):
            destination = Destination(target, rule)
            attempt = Attempt(dependencies.new_token(), limit)
            return migrate_object(notice, destination=destination, attempt=attempt, ports=ports, policy=policy)


def _stay(notice: Notice, route: Kept | Unmapped, dependencies: EngineDependencies) -> Outcome:
    """The outcome for a key that the current rules do not move.

    The delete of an object that other rules had copied waits for those rules. Only a delete costs a read of the record:
    a source that exists is found again when the rules are back.
    """
    if isinstance(route, Unmapped):
        dependencies.observer.count("Unmapped")
    if notice.kind is NoticeKind.REMOVED:
        record = dependencies.ports.manifest.read_record(notice.source.record_id)
        if may_go_along(record, notice):
            state = record.state if record is not None else None
            return Outcome(Verdict.RETURN, state, Cause.DELETE_WAITS, retry_after=RULES_SECONDS)
    if is_refused(route):
        return Outcome(Verdict.RETURN, None, Cause.UNMAPPED_REFUSED)
    return Outcome(Verdict.DONE, None, Cause(route.kind.value))
