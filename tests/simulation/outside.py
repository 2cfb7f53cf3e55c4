"""What the producer, his lifecycle rules, the new-layout writer and the queue may do next."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.buckets import NULL, Versioning
from tests.simulation.histories import MARKER, History, Stored, with_deleted, with_written, without
from tests.simulation.replay import Look
from tests.simulation.world import Change, Message, Scenario, World, added, is_dead, removed, replaced, with_doubt

EVENTS = ("C", "D", "E", "d")
LIFECYCLE = ("expire", "clear", "unmark")


def outside_changes(world: World, scenario: Scenario) -> Iterator[Change]:
    """All of it."""
    yield from _producer(world, scenario)
    yield from _foreign_writer(world, scenario)
    yield from _delivery(world, scenario)


def is_quiet(world: World) -> bool:
    """Whether all events are worked off and nobody works."""
    idle = all(worker is None or is_dead(worker) for worker in world.workers)
    claim = world.record.claim if world.record is not None else None
    is_held = claim is not None and claim.deadline >= 0
    waiting = any(message.kind in EVENTS for message in world.messages)
    return idle and not world.in_flight and not is_held and not waiting


def _producer(world: World, scenario: Scenario) -> Iterator[Change]:
    if world.produced == len(scenario.producer):
        return
    word = scenario.producer[world.produced]
    # A lifecycle rule counts days: whatever was to be done is done by then.
    if word in LIFECYCLE and not is_quiet(world):
        return
    after = world._replace(produced=world.produced + 1, time=world.time + scenario.pace)
    after = after._replace(said_at=moment(after, scenario))
    spoken: dict[str, Callable[[], World]] = {
        "enable": lambda: after._replace(versioning=Versioning.ENABLED),
        "suspend": lambda: after._replace(versioning=Versioning.SUSPENDED),
        "del": lambda: _deleted(after, scenario),
        "destroy": lambda: _destroyed(after),
        ">": lambda: _put_at_target(after, scenario, after.source.value) if after.source else after,
        "expire": lambda: _expired(after),
        "clear": lambda: _without_versions(after, after.at_source[:-1]),
        "unmark": lambda: _unmarked(after),
    }
    speak = spoken.get(word, lambda: _put(after, scenario, word))
    yield f"owner: {word} (word {len(world.versions)})", _later(speak(), scenario), ()


def moment(world: World, scenario: Scenario) -> int:
    """When something happens: the time, or the number of words where it stands still."""
    return world.time if scenario.pace else len(world.versions)


def _later(world: World, scenario: Scenario) -> World:
    return world._replace(time=world.time + scenario.pace)


def _living(world: World) -> Iterator[Any]:
    return (worker for worker in world.workers if worker is not None and not is_dead(worker))


def _said(world: World, word: str | None) -> World:
    return world._replace(versions=(*world.versions, word), owner=len(world.versions))


def _put(world: World, scenario: Scenario, word: str) -> World:
    number = len(world.versions)
    stored = Stored(word, number, "owner", date=world.time + (0 if scenario.pace else number))
    history = with_written(world.at_source, stored, world.versioning, new_id=str(number))
    event = Message("C", number, word, history[-1].id if world.versioning is Versioning.ENABLED else "")
    after = world._replace(at_source=history, messages=added(world.messages, event))
    return _said(after, word)._replace(is_traceless=False, is_too_late=False)


def _deleted(world: World, scenario: Scenario) -> World:
    number = len(world.versions)
    history = with_deleted(world.at_source, "owner", world.versioning, new_id=world.next_marker)
    marks = world.versioning is not Versioning.OFF
    # Whose delete it was cannot be known of one in the very moment of a cleanup, which has seen the source.
    cleaning = any(worker[0].kind == "K" and _has_seen_source(worker[1]) for worker in _living(world))
    if cleaning or any(request[:2] == ("delete", True) for _, request in world.in_flight):
        world = with_doubt(world)
    after = _said(world, None)._replace(
        at_source=history,
        markers=world.markers + marks,
        is_too_late=False,
        # A marker null in the place of ours looks like ours.
        is_traceless=world.is_traceless or (world.cleaned and world.versioning is not Versioning.ENABLED),
    )
    if not scenario.delete_events:
        return after
    return after._replace(messages=added(after.messages, Message("D", number, "", history[-1].id if marks else "")))


def _has_seen_source(history: Any) -> bool:
    return any(isinstance(one, Look) and one.at_source and one.stored is not None for one, _ in history)


def _destroyed(world: World) -> World:
    """Of a version that is not current this says nothing about the object.

    He does not destroy what he put over a marker of ours: whether the object is to be what lies under it, or to be
    deleted as S3 then shows it, he alone could say.
    """
    newest = next((one for one in reversed(world.at_source) if one.value != MARKER), None)
    if newest is None:
        return world
    number, history = len(world.versions), without(world.at_source, newest.id)
    below = history[-1] if history else None
    if world.source is not None and below is not None and (below.value, below.author) == (MARKER, "us"):
        return world
    word = world.truth if world.source is None else (below.value or None) if below is not None else None
    event = Message("D", number, "", newest.id)
    return _said(world, word)._replace(at_source=history, messages=added(world.messages, event))


def _expired(world: World) -> World:
    """The event of an expiry has a sequencer as old as the object."""
    there = world.source
    if there is None:
        return world
    history = with_deleted(world.at_source, "owner", world.versioning, new_id=world.next_marker)
    marks = world.versioning is not Versioning.OFF
    event = Message("E", there.number, "", history[-1].id if marks else "")
    after = _said(world, None)._replace(at_source=history, markers=world.markers + marks)
    return after._replace(messages=added(after.messages, event))


def _unmarked(world: World) -> World:
    is_alone = len(world.at_source) == 1 and world.at_source[0].value == MARKER
    return _without_versions(world, world.at_source) if is_alone else world


def _without_versions(world: World, gone: History) -> World:
    after = world
    for one in gone:
        event = Message("E", one.number, "", one.id)
        after = after._replace(
            at_source=without(after.at_source, one.id),
            messages=added(after.messages, event),
        )
    return after


def _put_at_target(world: World, scenario: Scenario, value: str) -> World:
    stored = Stored(value, -1, "foreign", date=world.time)
    history = with_written(world.at_target, stored, scenario.at_target, new_id=f"t{world.copies + 1}")
    return world._replace(at_target=history, copies=world.copies + scenario.target_versioned, last_author="foreign")


def _foreign_writer(world: World, scenario: Scenario) -> Iterator[Change]:
    if world.foreign == len(scenario.foreign):
        return
    word = scenario.foreign[world.foreign]
    after = world._replace(foreign=world.foreign + 1, time=world.time + scenario.pace)
    if word != "del":
        yield f"new-layout writer puts {word}", _later(_put_at_target(after, scenario, word), scenario), ()
        return
    if world.target is not None:
        new_id = f"t{world.copies + 1}"
        after = after._replace(
            at_target=with_deleted(after.at_target, "foreign", scenario.at_target, new_id=new_id),
            copies=world.copies + scenario.target_versioned,
            last_author="foreign",
        )
        # Before keyshift said that a copy is there, nobody could mean it.
        if world.was_announced:
            after = after._replace(foreign_delete=max(world.seen_at_target, default=0))
    yield "new-layout writer deletes", _later(after, scenario), ()


def _delivery(world: World, scenario: Scenario) -> Iterator[Change]:
    idle = next((slot for slot, worker in enumerate(world.workers) if worker is None), None)
    busy = sum(worker is not None and not is_dead(worker) for worker in world.workers)
    if idle is None or busy >= scenario.workers:
        return
    for message in sorted(set(world.messages)):
        if message.kind == "K" and scenario.fenced_cleanup and world.produced < len(scenario.producer):
            continue
        if scenario.jobs_last and message.kind not in EVENTS and not _is_due(world, scenario, message):
            continue
        begun = (None, moment(world, scenario) if message.kind == "R" else world.time)
        started = world._replace(workers=replaced(world.workers, idle, (message, (begun,))))
        yield f"w{idle} receives {_text(message)}", started._replace(messages=removed(world.messages, message)), ()
        if world.duplicates:
            twice = started._replace(duplicates=world.duplicates - 1)
            yield f"w{idle} receives {_text(message)}, which stays in the queue too", twice, ()


def _is_due(world: World, scenario: Scenario, message: Message) -> bool:
    jobs = [job for job in scenario.jobs if job in world.messages]
    said = world.produced == len(scenario.producer) or scenario.producer[world.produced] in LIFECYCLE
    return said and is_quiet(world) and message == jobs[0]


def _text(message: Message) -> str:
    shown = message.version_id if message.version_id in ("", NULL) else f"version {message.version_id}"
    return " ".join(part for part in (message.kind, str(message.number), message.value, shown) if part)
