"""What a request that reaches S3 does to both keys, and which invariants of protocol.md §2 it breaks.

Judged by what the owner and the new-layout writer did and by what S3 holds, never by what the record says: a record
is read for I4 only, which is about the record.
"""

from typing import Any, NamedTuple

from domain.protocol.intents import Action
from domain.protocol.ports import Refused
from domain.protocol.record import Mode, State
from tests.fakes.buckets import NULL, Versioning
from tests.simulation.histories import MARKER, Stored, digest, with_deleted, with_written, without
from tests.simulation.world import Message, Scenario, World, added, is_kept

Effect = tuple[World, Any]
MARGIN = 30
"""Seconds by which clocks may differ."""


class Sight(NamedTuple):
    """What a request's sender can know: its last look at the target, when it asked about the source, when it began."""

    target: Stored | None
    source_at: int
    began: int
    was_refused: bool
    """Whether S3 refused it a write before: something on the way may have sent that twice."""


class Copied(NamedTuple):
    """The answer to a copy."""

    etag: str
    version_id: str
    read_id: str


def apply_request(world: World, request: tuple[Any, ...], broken: list[str], scenario: Scenario) -> Effect:
    """The world afterwards, and S3's answer; what it breaks is added to ``broken``."""
    after, answer = _applied(world, request, broken, scenario)
    # Who takes the target over after cleanup's look decides for himself; _delete_source judges that.
    if request[:2] != ("delete", True) and is_kept(world) and not is_kept(after):
        broken.append(f"I1 LOSS: {world.truth} is nowhere after {request[0]}")
    return after, answer


def _applied(world: World, request: tuple[Any, ...], broken: list[str], scenario: Scenario) -> Effect:
    if request[0] == "delete":
        delete = _delete_source if request[1] else _delete_target
        return delete(world, request, broken, scenario)
    if request[0] == "undelete":
        return _undelete(world, request, broken, scenario)
    if request[0] == "forget":
        return _forget(world, request[1], broken)
    if request[0] == "complete":
        upload_id = request[1]
        if upload_id not in dict(world.uploads):
            return world, Refused.SOURCE_ABSENT
        after, answer = _put_target(world, request, broken, scenario)
        if not isinstance(answer, Refused):
            after = after._replace(uploads=tuple(item for item in after.uploads if item[0] != upload_id))
        return after, answer
    if request[1]:
        return _put_target(world, request, broken, scenario)
    return _put_back(world, request, broken)


def _cannot_be_told(target: Stored, sight: Sight, world: World, scenario: Scenario) -> bool:
    """Whether nothing tells the sender that this object is not one that we put there (docs/reliability.md).

    Its bytes are those of one, and no versions are kept; or it came after the sender had looked: a condition of S3
    knows bytes only.
    """
    seen = sight.target
    is_later = seen is not None and seen.author == "us" and seen.date != target.date
    return target.etag in world.ours and (is_later or not (scenario.target_versioned or scenario.told_by_date))


def _may_be_sent_twice(target: Stored, text: str, sight: Sight, world: World, scenario: Scenario) -> bool:
    """Whether it looks like the sender's own copy, which S3 refused and a proxy may have sent twice.

    It came while the sender copied the very same bytes, which the owner has overwritten since. A refused upload in
    parts is still there, which shows that it was not sent twice.
    """
    was_copied = (Action.COPY.value, target.etag) in world.audited and digest(text) != target.etag
    return sight.was_refused and was_copied and not scenario.in_parts and target.date >= sight.began - MARGIN


def _put_target(world: World, request: tuple[Any, ...], broken: list[str], scenario: Scenario) -> Effect:
    name, _, value, condition, sight, _ = request
    text, number, read_id = value
    target = world.target
    if condition is None and target is not None:
        return world, Refused.PRECONDITION
    if condition not in (None, "anything") and (target is None or target.etag != condition):
        return world, Refused.PRECONDITION
    is_given_up = world.allowed == ("" if target is None else target.etag)
    broken += _wrongly_put(world, value, sight, scenario, is_given_up=is_given_up)
    if scenario.histories and not scenario.is_meddled:
        broken += _left_out(world, number)
    new = Stored(text, number, "us", name == "complete", date=world.time)
    history = with_written(world.at_target, new, scenario.at_target, new_id=f"t{world.copies + 1}")
    after = world._replace(
        at_target=history,
        copies=world.copies + scenario.target_versioned,
        last_author="us",
        newest=max(world.newest, number),
        seen_at_target=world.seen_at_target | {number},
        ours=world.ours | {new.etag},
        allowed=None,
        foreign_delete=None if is_given_up else world.foreign_delete,
    )
    version_id = history[-1].id if scenario.at_target is Versioning.ENABLED else ""
    return after, Copied(new.etag, version_id, read_id)


def _left_out(world: World, number: int) -> list[str]:
    """I10: every version that lies below this one at the source lies at the target before it."""
    there = {one.number for one in world.at_target if one.value != MARKER}
    below = [one.number for one in world.at_source if one.value != MARKER]
    below = below[: below.index(number)] if number in below else []
    return [f"I10 word {one} is left out before word {number}" for one in below if one not in there]


def _wrongly_put(
    world: World, value: tuple[str, int, str], sight: Sight, scenario: Scenario, *, is_given_up: bool
) -> list[str]:
    text, number, _ = value
    target, deleted, broken = world.target, world.foreign_delete, []
    if target is not None and target.author == "foreign" and not is_given_up:
        # What is the owner's object in everything is brought up to date with him.
        is_the_owners = target.value in world.versions
        is_excused = _cannot_be_told(target, sight, world, scenario)
        if not is_the_owners and not is_excused and not _may_be_sent_twice(target, text, sight, world, scenario):
            broken.append(f"I2b foreign object {target.value} overwritten by word {number}")
    is_kept_away = deleted is not None and None not in world.versions[deleted + 1 : number + 1]
    if target is None and is_kept_away and not is_given_up:
        broken.append("I2c what the new-layout owner deleted is brought back")
    if "/" in text:
        broken.append(f"I1 torn object {text}")
    # Where every version is carried, versions before the delete that was told may be written after another one.
    is_told = any(state == State.TOMBSTONE.value for state, _ in world.audited) and not scenario.histories
    if world.truth is None and is_told:
        broken.append(f"I2 word {number}={text} written after its delete was told")
    if number < world.newest and text not in (world.versions[world.newest], world.truth):
        broken.append(f"I2 word {number}={text} written over newer word {world.newest}")
    if (Action.COPY.value, digest(text)) not in world.audited:
        broken.append(f"I4 copy of {text} was not announced")
    return broken


def _put_back(world: World, request: tuple[Any, ...], broken: list[str]) -> Effect:
    (text, _, read_id), condition, sight = request[2], request[3], request[4]
    if (world.source.etag if world.source is not None else None) != condition:
        return world, Refused.PRECONDITION
    number = len(world.versions)
    history = with_written(
        world.at_source, Stored(text, number, "us", date=world.time), world.versioning, new_id=str(number)
    )
    after = world._replace(
        at_source=history,
        versions=(*world.versions, text),
        cleaned=False,
    )
    version_id = history[-1].id if world.versioning is Versioning.ENABLED else ""
    after = after._replace(messages=added(world.messages, Message("C", number, text, version_id)))
    if world.truth == text:
        after = after._replace(owner=number)
    after = _judged_back(after, sight, broken)
    return after, Copied(digest(text), version_id, read_id)


def _undelete(world: World, request: tuple[Any, ...], broken: list[str], scenario: Scenario) -> Effect:
    """Delete a delete marker; under version null there may be an object by now, and it would go."""
    _, marker_id, sight, _ = request
    gone = next((one for one in world.at_source if one.id == marker_id), None)
    if gone is None:
        return world, ""
    after = world._replace(at_source=without(world.at_source, marker_id))
    if gone.value != MARKER:
        broken.append(f"I6 instead of a marker {gone.value} was deleted")
    if gone.author != "us" and not (world.is_traceless or world.is_doubtful):
        broken.append("I6 the marker of the owner's delete was taken away")
    if scenario.delete_events:
        after = after._replace(messages=added(after.messages, Message("d", len(world.versions), "", marker_id)))
    if world.source is None and after.source is not None:
        after = _judged_back(after._replace(cleaned=False), sight, broken)
    return after, ""


def _judged_back(world: World, sight: Sight, broken: list[str]) -> World:
    """What came back to the source should be the owner's last word, as far as the sender could know it."""
    source, truth = world.source, world.truth
    if (Action.ROLL_BACK.value, "") not in world.audited:
        broken.append("I4 the restore of the source was not announced")
    if source is None or source.value == truth:
        return world
    if world.said_at > sight.source_at:
        return world._replace(is_too_late=True)
    if truth is not None:
        broken.append(f"I6 source restored as {source.value}, its owner's last word is {truth}")
    elif not (world.is_traceless or world.is_doubtful):
        broken.append(f"I6 source restored as {source.value}, its owner deleted it")
    return world


def _forget(world: World, version_id: str, broken: list[str]) -> Effect:
    gone = next((one for one in world.at_source if one.id == version_id), None)
    if gone is None:
        return world, ""
    if gone.value == world.truth and (world.target is None or world.target.value != gone.value):
        broken.append(f"I5 LOSS: version {gone.value} deleted for good, the target holds {world.target}")
    if not any(action == Action.DELETE_SOURCE.value for action, _ in world.audited):
        broken.append("I4 delete of the version was not announced")
    return world._replace(at_source=without(world.at_source, version_id)), ""


def _delete_target(world: World, request: tuple[Any, ...], broken: list[str], scenario: Scenario) -> Effect:
    if_match, sight = request[2], request[3]
    target, truth = world.target, world.truth
    if target is None:
        return world, Refused.SOURCE_ABSENT
    if if_match is not None and target.etag != if_match:
        return world, Refused.PRECONDITION
    if target.author == "foreign" and not _cannot_be_told(target, sight, world, scenario):
        broken.append(f"I2b foreign object {target.value} deleted")
    at_source = world.source is not None and world.source.value == truth
    if truth is not None and not at_source:
        broken.append(f"I1 LOSS: copy {target.value} deleted while the source does not hold {truth}")
    if not {(Action.DELETE_TARGET.value, ""), (Action.PURGE.value, "")} & world.audited:
        broken.append("I4 delete of the copy was not announced")
    newest = max(world.newest, world.owner) if truth is None else world.newest
    new_id = f"t{world.copies + 1}"
    after = world._replace(
        at_target=with_deleted(world.at_target, "us", scenario.at_target, new_id=new_id),
        copies=world.copies + scenario.target_versioned,
        last_author="us",
        newest=newest,
    )
    return after, new_id if scenario.target_versioned else ""


def _delete_source(world: World, request: tuple[Any, ...], broken: list[str], scenario: Scenario) -> Effect:
    if_match, sight = request[2], request[3]
    source, truth, record = world.source, world.truth, world.record
    if source is None:
        return world, Refused.SOURCE_ABSENT
    if if_match is not None and source.etag != if_match:
        return world, Refused.PRECONDITION
    if not any(action == Action.DELETE_SOURCE.value for action, _ in world.audited):
        broken.append("I4 delete of the source was not announced")
    # While versioning is suspended, version null is destroyed.
    stays = world.versioning is Versioning.ENABLED or (world.versioning is Versioning.SUSPENDED and source.id != NULL)
    at_target = world.target is not None and world.target.value == truth
    taken_over = world.last_author == "foreign" and sight.target is not None and sight.target.value == truth
    # Who takes the target over after cleanup's look decides for himself; what was there before, cleanup had to see.
    if truth is not None and not stays and not at_target and not taken_over:
        broken.append(f"I5 LOSS: source {source.value} deleted, the target holds {world.target}")
    if record is not None and record.mode is Mode.ROLLED_BACK and record.state in (State.ROLLED_BACK, State.PURGED):
        broken.append("I6 source deleted after rollback")
    marks = world.versioning is not Versioning.OFF
    after = world._replace(
        at_source=with_deleted(world.at_source, "us", world.versioning, new_id=world.next_marker),
        markers=world.markers + marks,
        cleaned=True,
    )
    marker_id = after.at_source[-1].id if marks else ""
    if scenario.delete_events:
        after = after._replace(messages=added(after.messages, Message("d", len(world.versions), "", marker_id)))
    return after, marker_id
