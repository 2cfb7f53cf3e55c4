"""What one step of a worker, of S3 and of DynamoDB does to the world."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from domain.protocol.claims import ClaimRequest, Refusal, claimed, refusal
from domain.protocol.intents import Intent
from domain.protocol.ports import ClaimAnswer, HiddenVersion, Refused, StoredVersion, TopMarker
from domain.protocol.record import Record
from tests.fakes.buckets import Versioning
from tests.simulation.effects import Copied, Sight, apply_request
from tests.simulation.histories import MARKER, Stored, digest, noncurrent, version
from tests.simulation.outside import moment, outside_changes
from tests.simulation.replay import DENIED, LOST, THROTTLED, Call, Listed, Look, Marked, next_call
from tests.simulation.world import (
    OBJECT_BYTES,
    Change,
    Scenario,
    World,
    added,
    expired,
    is_dead,
    replaced,
    with_doubt,
    without_history,
)

SENT = ("copy", "complete", "delete", "undelete", "forget")
"""Requests that take effect some time after they were sent, perhaps after their sender died."""
TO_S3 = (*SENT, "look", "marker", "list", "create", "part", "parts", "abort")
CLEANS = ("K", "F")
NOBODY = "nobody"
"""The token of a claim whose holder is gone."""


class Explorer:
    """All next worlds of a world; remembers what the real code does next for a message and a history."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._calls: dict[Any, Call] = {}

    def changes(self, world: World) -> Iterator[Change]:
        """Every step that anybody can take, with the invariants that it breaks."""
        yield from outside_changes(world, self.scenario)
        yield from self._expiry(world)
        yield from self._effects(world)
        for slot, worker in enumerate(world.workers):
            if worker is not None and not is_dead(worker):
                yield from self._worker(world, slot)

    def _ablated(self, condition: str) -> bool:
        return condition in self.scenario.ablations

    # ------------------------------------------------------------------ time
    def _expiry(self, world: World) -> Iterator[Change]:
        record = world.record
        if record is None or record.claim is None or record.claim.deadline < 0:
            return
        token = record.claim.token
        holder_gone = token == NOBODY or is_dead(world.workers[int(token[1:])])
        pending = any(request[0] == token for request in world.in_flight)
        # The timing rule: a claim outlives its holder and every request that the holder may have in flight.
        if (holder_gone and not pending) or self.scenario.early_expiry:
            yield f"the claim of {token} ends", world._replace(record=expired(record)), ()

    # ------------------------------------------------------------------ requests in flight
    def _effects(self, world: World) -> Iterator[Change]:
        for index, (token, request) in enumerate(world.in_flight):
            broken: list[str] = []
            after, answer = apply_request(world, request, broken, self.scenario)
            after = after._replace(in_flight=world.in_flight[:index] + world.in_flight[index + 1 :])
            slot = int(token[1:]) if token != NOBODY else -1
            waiting = slot >= 0 and not is_dead(world.workers[slot])
            if waiting and world.doubled:
                twice = after._replace(doubled=world.doubled - 1)
                yield f"w{slot} {request[0]} takes effect and is sent again", self._again(twice, slot), tuple(broken)
            if waiting:
                yield f"w{slot} {request[0]} takes effect: {answer}", self._answered(after, slot, answer), tuple(broken)
                if world.lost_answers:
                    lost = self._lost(after, slot)
                    yield f"w{slot} {request[0]} takes effect, the answer is lost", lost, tuple(broken)
            else:
                yield f"late {request[0]} of {token} takes effect: {answer}", after, tuple(broken)
            if waiting and world.lost_answers:
                # The client gives up while the request is still on its way.
                late = list(world.in_flight)
                late[index] = (token, request)
                gone = self._lost(world, slot)
                yield f"w{slot} times out waiting for {request[0]}", gone._replace(in_flight=tuple(late)), ()

    def _again(self, world: World, slot: int) -> World:
        """The request that this worker waits for reaches S3 once more, and the answer will be that one's."""
        message, history = world.workers[slot]
        request, answer = self._prepared(world, self._calls[message, slot, history])
        if request is None:
            return self._answered(world, slot, answer)
        flying = (*world.in_flight, (f"w{slot}", (*request, _sight(history), len(history))))
        return world._replace(in_flight=tuple(sorted(flying, key=repr)))

    def _lost(self, world: World, slot: int) -> World:
        before = with_doubt(world) if world.workers[slot][0].kind in CLEANS else world
        return self._answered(before, slot, LOST)._replace(lost_answers=world.lost_answers - 1)

    def _answered(self, world: World, slot: int, answer: Any) -> World:
        message, history = world.workers[slot]
        when = moment(world, self.scenario) if message.kind == "R" else world.time
        entry = (answer, when if _tells_of_s3(answer) else history[-1][1])
        return world._replace(workers=replaced(world.workers, slot, (message, (*history, entry))))

    # ------------------------------------------------------------------ workers
    def _worker(self, world: World, slot: int) -> Iterator[Change]:
        message, history = world.workers[slot]
        token = f"w{slot}"
        waiting = any(sender == token for sender, _ in world.in_flight) and len(history) < self._asked(world, slot)
        if world.crashes:
            before = with_doubt(world) if message.kind in CLEANS and has_written(history) else world
            killed = before._replace(workers=replaced(world.workers, slot, "dead"), crashes=world.crashes - 1)
            yield f"w{slot} is killed", killed._replace(messages=added(world.messages, message)), ()
        if waiting:
            return
        key = (message, slot, history)
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = next_call(message, slot, history, self.scenario)
        if call[0] in ("ack", "nack"):
            freed = self._orphaned(world._replace(workers=replaced(world.workers, slot, None)), token)
            if call[0] == "nack":
                freed = freed._replace(messages=added(freed.messages, message))
            yield f"w{slot} {call[0]}s {message}", freed, ()
            return
        if world.refusals and call[0] in TO_S3 and message.kind in CLEANS:
            for refused in (THROTTLED, DENIED):
                spoilt = self._answered(world, slot, refused)._replace(refusals=world.refusals - 1)
                yield f"w{slot} {_short(call)} is {refused[0]}", spoilt, ()
        if call[0] in SENT:
            yield from self._send(world, slot, call)
            return
        broken: list[str] = []
        after, answer = self._at_once(world, call, token, broken)
        yield f"w{slot} {_short(call)}: {_short(answer)}", self._answered(after, slot, answer), tuple(broken)
        if world.lost_answers and call[0] in ("claim", "write") and after.record != world.record:
            lost = self._lost(after, slot)
            yield f"w{slot} {call[0]}, the answer is lost", lost, tuple(broken)
            again, answer = self._at_once(after._replace(lost_answers=world.lost_answers - 1), call, token, broken)
            yield f"w{slot} {call[0]} twice by the SDK: {_short(answer)}", self._answered(again, slot, answer), ()

    def _asked(self, world: World, slot: int) -> int:
        """How many answers the worker will have once the request that it waits for is answered."""
        _, history = world.workers[slot]
        token = f"w{slot}"
        pending = [request for sender, request in world.in_flight if sender == token]
        return len(history) + 1 if any(request[-1] == len(history) for request in pending) else len(history)

    def _orphaned(self, world: World, token: str) -> World:
        """A worker that ends with its claim standing, or a request on its way, will not be this slot's next one."""
        in_flight = tuple((NOBODY if sender == token else sender, request) for sender, request in world.in_flight)
        record = world.record
        if record is not None and record.claim is not None and record.claim.token == token:
            record = replace(record, claim=replace(record.claim, token=NOBODY))
        return world._replace(record=record, in_flight=in_flight)

    def _send(self, world: World, slot: int, call: Call) -> Iterator[Change]:
        request, answer = self._prepared(world, call)
        if request is None:
            yield f"w{slot} {_short(call)}: {answer}", self._answered(world, slot, answer), ()
            return
        history = world.workers[slot][1]
        flying = (*world.in_flight, (f"w{slot}", (*request, _sight(history), len(history))))
        yield f"w{slot} sends {_short(call)}", world._replace(in_flight=tuple(sorted(flying, key=repr))), ()

    def _prepared(self, world: World, call: Call) -> tuple[tuple[Any, ...] | None, Any]:
        """The request with the bytes that it has read, or the answer that it gets at once."""
        if call[0] == "delete":
            condition = "delete-source-if-match" if call[1] else "delete-target-if-match"
            return ("delete", call[1], None if self._ablated(condition) else call[2]), None
        if call[0] in ("undelete", "forget"):
            return call, None
        if call[0] == "complete":
            _, upload_id, if_match = call
            parts = dict(dict(world.uploads).get(upload_id, ()))
            if not parts:
                return None, Refused.SOURCE_ABSENT
            values = [parts[number] for number in sorted(parts)]
            texts = sorted({text for text, _, _ in values})
            value = ("/".join(texts), *values[-1][1:])
            return ("complete", upload_id, value, self._target_condition(if_match)), None
        _, forward, etag, version, if_match = call
        read = self._read(world, etag, version, forward=forward)
        if isinstance(read, Refused):
            return None, read
        value = (read.value, read.number, self._shown(world, read, at_source=forward).id)
        return ("copy", forward, value, self._target_condition(if_match) if forward else if_match), None

    def _shown(self, world: World, stored: Stored, *, at_source: bool) -> Stored:
        """As S3 tells it: no version where versioning was never on."""
        status = world.versioning if at_source else self.scenario.at_target
        return stored._replace(id="") if status is Versioning.OFF else stored

    def _target_condition(self, if_match: str | None) -> str | None:
        if if_match is None:
            return "anything" if self._ablated("target-if-none-match") else None
        return "anything" if self._ablated("target-if-match") else if_match

    def _read(self, world: World, etag: str, version_id: str | None, *, forward: bool) -> Stored | Refused:
        current = world.source if forward else world.target
        if forward and version_id is not None:
            current = version(world.at_source, version_id)
        if current is None:
            return Refused.SOURCE_ABSENT
        if etag and current.etag != etag and not self._ablated("source-if-match"):
            return Refused.PRECONDITION
        return current

    # ------------------------------------------------------------------ answers at once
    def _at_once(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        steps: dict[str, Callable[[World, Call, str, list[str]], tuple[World, Any]]] = {
            "look": self._look,
            "marker": self._top_marker,
            "list": self._list,
            "create": self._create,
            "part": self._part,
            "parts": self._parts,
            "abort": self._abort,
            "claim": self._claim,
            "write": self._write,
            "read": self._read_record,
        }
        return steps[call[0]](world, call, token, broken)

    def _look(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        _, at_source, version_id = call
        found = world.source if at_source else world.target
        if version_id is not None:
            found = version(world.at_source if at_source else world.at_target, version_id)
        return world, Look(at_source, found if found is None else self._shown(world, found, at_source=at_source))

    def _top_marker(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        if not world.at_source or world.at_source[-1].value != MARKER:
            return world, Marked(None)
        hidden = noncurrent(world.at_source)
        newest = HiddenVersion(hidden[-1].id, hidden[-1].etag, hidden[-1].date) if hidden else None
        return world, Marked(TopMarker(world.at_source[-1].id, newest))

    def _list(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        return world, Listed(tuple(_as_listed(one) for one in world.at_source))

    def _create(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        uploads = dict(world.uploads) | {token: ()}
        return world._replace(uploads=tuple(sorted(uploads.items()))), token

    def _part(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        _, upload_id, number, etag, version = call
        uploads = dict(world.uploads)
        if upload_id not in uploads:
            return world, Refused.SOURCE_ABSENT
        read = world.source if self._ablated("part-if-match") else self._read(world, etag, version, forward=True)
        if read is None or isinstance(read, Refused):
            return world, read or Refused.SOURCE_ABSENT
        read_id = self._shown(world, read, at_source=True).id
        parts = dict(uploads[upload_id]) | {number: (read.value, read.number, read_id)}
        uploads[upload_id] = tuple(sorted(parts.items()))
        return world._replace(uploads=tuple(sorted(uploads.items()))), digest(read.value)

    def _parts(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        parts = dict(world.uploads).get(call[1])
        if parts is None:
            return world, None
        return world, tuple((number, digest(value)) for number, (value, _, _) in parts)

    def _abort(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        return world._replace(uploads=tuple(item for item in world.uploads if item[0] != call[1])), None

    def _read_record(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        return world, world.record

    def _claim(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        request: ClaimRequest = call[1]
        before = world.record
        why = refusal(before, request)
        if why is Refusal.BUSY and self._ablated("claim-exclusion"):
            why = None
        if why is Refusal.INCORPORATED and self._ablated("sequencer"):
            why = None
        if why is not None:
            return world, ClaimAnswer(granted=False, before=before)
        if before is not None and self._ablated("intent-kept"):
            before = replace(before, intent=None, maybe=frozenset())
        after = claimed(before, request)
        return self._recorded(world, after), ClaimAnswer(granted=True, before=before)

    def _write(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        record, before = without_history(call[1]), without_history(call[2])
        if without_history(world.record) == record:
            return world, True
        current = without_history(world.record)
        same_holder = current is not None and before is not None and current.claim == before.claim != None  # noqa: E711
        takes = record is not None and record.claim is not None and (before is None or before.claim != record.claim)
        condition = "claim-as-read" if takes else "commit-check"
        if current != before and not (same_holder or self._ablated(condition)):
            return world, False
        if record is not None and self._ablated("intent-kept"):
            record = replace(record, maybe=frozenset())
        return self._recorded(world, record), True

    def _recorded(self, world: World, record: Record | None) -> World:
        record = without_history(record)
        after = world._replace(record=record)
        if record is None:
            return after
        known = world.record.replaceable_etag if world.record is not None else None
        if record.replaceable_etag is not None and record.replaceable_etag != known:
            after = after._replace(allowed=record.replaceable_etag)
        facts = set(world.audited)
        if record.intent is not None:
            facts.add((record.intent.action.value, record.intent.etag))
        if record.claim is None:
            facts.add((record.state.value, record.source_etag or ""))
        return after._replace(audited=frozenset(facts))


def _as_listed(stored: Stored) -> StoredVersion:
    if stored.value == MARKER:
        return StoredVersion(stored.id, stored.date, is_marker=True)
    return StoredVersion(stored.id, stored.date, stored.etag, OBJECT_BYTES)


def has_written(history: Any) -> bool:
    """Whether a worker has changed the record, or may have: before that it has sent nothing to S3, either."""
    return any(answer is True or answer == LOST for answer, _ in history)


def _tells_of_s3(answer: Any) -> bool:
    """Whether the time of an answer matters; there are fewer worlds where it is not remembered."""
    return isinstance(answer, (Look, Marked, Listed, Copied))


def _sight(history: Any) -> Sight:
    """What the sender of a request can know."""
    looks = [one for one, _ in history if isinstance(one, Look) and not one.at_source]
    at_source = [
        when for one, when in history if isinstance(one, Marked | Listed) or (isinstance(one, Look) and one.at_source)
    ]
    target = looks[-1].stored if looks else None
    was_refused = any(isinstance(one, Refused) for one, _ in history)
    return Sight(target, at_source[-1] if at_source else history[0][1], history[0][1], was_refused)


def _short(thing: Any) -> str:
    if isinstance(thing, ClaimAnswer):
        return "granted" if thing.granted else "refused"
    if isinstance(thing, tuple) and thing and thing[0] in ("claim", "write"):
        record = thing[1]
        return f"{thing[0]} {record.state}" if isinstance(record, Record) else str(thing[0])
    return str(thing) if not isinstance(thing, (Record, Intent)) else type(thing).__name__
