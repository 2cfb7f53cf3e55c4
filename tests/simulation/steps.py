"""What one step of a worker, of S3 and of DynamoDB does to the world."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from domain.ports import ClaimAnswer, HiddenVersion, Refused, TopMarker
from domain.record import Action, ClaimRequest, Intent, Mode, Record, Refusal, State, claimed, refusal
from tests.simulation.replay import LOST, Call, next_call
from tests.simulation.world import (
    Change,
    Scenario,
    Stored,
    World,
    added,
    digest,
    expired,
    hides,
    is_dead,
    outside_changes,
    replaced,
    without_history,
)

SENT = ("copy", "complete", "delete")
"""Requests that take effect some time after they were sent, perhaps after their sender died."""
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
            after, answer = self._apply(world, request, broken)
            after = after._replace(in_flight=world.in_flight[:index] + world.in_flight[index + 1 :])
            slot = int(token[1:]) if token != NOBODY else -1
            waiting = slot >= 0 and not is_dead(world.workers[slot])
            if waiting and world.doubled:
                twice = after._replace(doubled=world.doubled - 1)
                yield f"w{slot} {request[0]} takes effect and is sent again", self._again(twice, slot), tuple(broken)
            if waiting:
                yield f"w{slot} {request[0]} takes effect: {answer}", self._answered(after, slot, answer), tuple(broken)
                if world.lost_answers:
                    lost = self._answered(after, slot, LOST)._replace(lost_answers=world.lost_answers - 1)
                    yield f"w{slot} {request[0]} takes effect, the answer is lost", lost, tuple(broken)
            else:
                yield f"late {request[0]} of {token} takes effect: {answer}", after, tuple(broken)
            if waiting and world.lost_answers:
                # The client gives up while the request is still on its way.
                late = list(world.in_flight)
                late[index] = (token, request)
                gone = self._answered(world, slot, LOST)._replace(lost_answers=world.lost_answers - 1)
                yield f"w{slot} times out waiting for {request[0]}", gone._replace(in_flight=tuple(late)), ()

    def _again(self, world: World, slot: int) -> World:
        """The request that this worker waits for reaches S3 once more, and the answer will be that one's."""
        message, history = world.workers[slot]
        request, answer = self._prepared(world, self._calls[message, slot, history])
        if request is None:
            return self._answered(world, slot, answer)
        flying = (*world.in_flight, (f"w{slot}", (*request, len(history))))
        return world._replace(in_flight=tuple(sorted(flying, key=repr)))

    def _answered(self, world: World, slot: int, answer: Any) -> World:
        message, history = world.workers[slot]
        return world._replace(workers=replaced(world.workers, slot, (message, (*history, answer))))

    # ------------------------------------------------------------------ workers
    def _worker(self, world: World, slot: int) -> Iterator[Change]:
        message, history = world.workers[slot]
        token = f"w{slot}"
        waiting = any(sender == token for sender, _ in world.in_flight) and len(history) < self._asked(world, slot)
        if world.crashes:
            killed = world._replace(workers=replaced(world.workers, slot, "dead"), crashes=world.crashes - 1)
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
        if call[0] in SENT:
            yield from self._send(world, slot, call)
            return
        broken: list[str] = []
        after, answer = self._at_once(world, call, token, broken)
        yield f"w{slot} {_short(call)}: {_short(answer)}", self._answered(after, slot, answer), tuple(broken)
        if world.lost_answers and call[0] in ("claim", "write") and after.record != world.record:
            lost = after._replace(lost_answers=world.lost_answers - 1)
            yield f"w{slot} {call[0]}, the answer is lost", self._answered(lost, slot, LOST), tuple(broken)
            again, answer = self._at_once(lost, call, token, broken)
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
        flying = (*world.in_flight, (f"w{slot}", (*request, len(history))))
        yield f"w{slot} sends {_short(call)}", world._replace(in_flight=tuple(sorted(flying, key=repr))), ()

    def _prepared(self, world: World, call: Call) -> tuple[tuple[Any, ...] | None, Any]:
        """The request with the bytes that it has read, or the answer that it gets at once."""
        if call[0] == "delete":
            condition = "delete-source-if-match" if call[1] else "delete-target-if-match"
            return ("delete", call[1], None if self._ablated(condition) else call[2]), None
        if call[0] == "complete":
            _, upload_id, if_match = call
            parts = dict(dict(world.uploads).get(upload_id, ()))
            if not parts:
                return None, Refused.SOURCE_ABSENT
            values = [parts[number] for number in sorted(parts)]
            texts = sorted({text for text, _ in values})
            value = ("/".join(texts), values[-1][1])
            return ("complete", upload_id, value, self._target_condition(if_match)), None
        _, forward, etag, version, if_match = call
        read = self._read(world, etag, version, forward=forward)
        if isinstance(read, Refused):
            return None, read
        if not forward:
            return ("copy", False, (read.value, read.version), if_match), None
        return ("copy", True, (read.value, read.version), self._target_condition(if_match)), None

    def _target_condition(self, if_match: str | None) -> str | None:
        if if_match is None:
            return "anything" if self._ablated("target-if-none-match") else None
        return "anything" if self._ablated("target-if-match") else if_match

    def _read(self, world: World, etag: str, version: str | None, *, forward: bool) -> Stored | Refused:
        current = world.source if forward else world.target
        if forward and version is not None:
            number = int(version)
            if current is not None and current.version == number:
                return current
            value = world.versions[number] if number in world.hidden else None
            return Refused.SOURCE_ABSENT if value is None else Stored(value, number, "owner")
        if current is None:
            return Refused.SOURCE_ABSENT
        if etag and current.etag != etag and not self._ablated("source-if-match"):
            return Refused.PRECONDITION
        return current

    # ------------------------------------------------------------------ answers at once
    def _at_once(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        steps: dict[str, Callable[[World, Call, str, list[str]], tuple[World, Any]]] = {
            "look": self._look,
            "hidden": self._hidden,
            "undelete": self._undelete,
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
        _, at_source, version = call
        if not at_source:
            return world, world.target
        if version is None or (world.source is not None and str(world.source.version) == version):
            return world, world.source
        value = world.versions[int(version)] if int(version) in world.hidden else None
        return world, None if value is None else Stored(value, int(version), "owner")

    def _hidden(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        if world.source is not None or not world.hidden:
            return world, None
        newest = max(world.hidden)
        marker = "marker" if world.truth is not None else "owner's marker"
        return world, TopMarker(marker, HiddenVersion(str(newest), digest(world.versions[newest] or ""), newest))

    def _undelete(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        if world.source is not None or not world.hidden or world.truth is None:
            return world, None
        newest = max(world.hidden)
        rest = tuple(number for number in world.hidden if number != newest)
        return world._replace(source=Stored(world.versions[newest] or "", newest, "owner"), hidden=rest), None

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
        parts = dict(uploads[upload_id]) | {number: (read.value, read.version)}
        uploads[upload_id] = tuple(sorted(parts.items()))
        return world._replace(uploads=tuple(sorted(uploads.items()))), digest(read.value)

    def _parts(self, world: World, call: Call, token: str, broken: list[str]) -> tuple[World, Any]:
        parts = dict(world.uploads).get(call[1])
        if parts is None:
            return world, None
        return world, tuple((number, digest(value)) for number, (value, _) in parts)

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
        after = world._replace(record=record, copy_at_claim=_copy_at_claim(world, record))
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
            newest = _reflected(record)
            return after._replace(audited=frozenset(facts), newest=max(world.newest, newest))
        return after._replace(audited=frozenset(facts))

    # ------------------------------------------------------------------ effects on S3
    def _apply(self, world: World, request: tuple[Any, ...], broken: list[str]) -> tuple[World, Any]:
        if request[0] == "delete":
            delete = self._delete_source if request[1] else self._delete_target
            return delete(world, request[2], broken)
        if request[0] == "complete":
            _, upload_id, value, condition, _ = request
            if upload_id not in dict(world.uploads):
                return world, Refused.SOURCE_ABSENT
            after, answer = self._put_target(world, value, condition, broken, parts=True)
            if not isinstance(answer, Refused):
                after = after._replace(uploads=tuple(item for item in after.uploads if item[0] != upload_id))
            return after, answer
        _, forward, value, condition, _ = request
        if forward:
            return self._put_target(world, value, condition, broken, parts=False)
        return self._put_back(world, value, condition, broken)

    def _put_target(
        self, world: World, value: tuple[str, int], condition: str | None, broken: list[str], *, parts: bool
    ) -> tuple[World, Any]:
        text, number = value
        target = world.target
        if condition is None and target is not None:
            return world, Refused.PRECONDITION
        if condition not in (None, "anything") and (target is None or target.etag != condition):
            return world, Refused.PRECONDITION
        is_given_up = world.allowed == ("" if target is None else target.etag)
        if target is not None and target.author == "foreign" and target.value not in world.versions and not is_given_up:
            broken.append(f"I2b foreign object {target.value} overwritten by version {number}")
        deleted = world.foreign_delete
        is_kept_away = deleted is not None and None not in world.versions[deleted + 1 : number + 1]
        if target is None and is_kept_away and not is_given_up:
            broken.append("I2c what the new-layout owner deleted is brought back")
        if "/" in text:
            broken.append(f"I1 torn object {text}")
        if number < world.newest and world.versions[world.newest] != text:
            broken.append(f"I2 version {number}={text} written over newer version {world.newest}")
        new = Stored(text, number, "us", parts)
        if not self._announced(world, Action.COPY, digest(text)):
            broken.append(f"I4 copy of {text} was not announced")
        after = world._replace(
            target=new,
            last_author="us",
            newest=max(world.newest, number),
            seen_at_target=world.seen_at_target | {number},
            allowed=None,
            foreign_delete=None if is_given_up else deleted,
        )
        return after, (new.etag, number)

    def _announced(self, world: World, action: Action, etag: str) -> bool:
        return (action.value, etag) in world.audited

    def _put_back(
        self, world: World, value: tuple[str, int], condition: str | None, broken: list[str]
    ) -> tuple[World, Any]:
        if world.source is not None:
            return world, Refused.PRECONDITION
        text, number = value[0], len(world.versions)
        if world.truth is not None and world.truth != text:
            broken.append(f"I6 source restored as {text}, its owner's last word is {world.truth}")
        after = world._replace(
            source=Stored(text, number, "us"),
            versions=(*world.versions, text),
            messages=added(world.messages, ("C", number, text)),
        )
        if world.truth == text:
            after = after._replace(owner=number)
        return after, (digest(text), number)

    def _delete_target(self, world: World, if_match: str | None, broken: list[str]) -> tuple[World, Any]:
        target, truth = world.target, world.truth
        if target is None:
            return world, Refused.SOURCE_ABSENT
        if if_match is not None and target.etag != if_match:
            return world, Refused.PRECONDITION
        if target.author == "foreign" and target.value not in world.versions:
            broken.append(f"I2b foreign object {target.value} deleted")
        at_source = world.source is not None and world.source.value == truth
        if truth is not None and not at_source and not hides(world, truth):
            broken.append(f"I1 LOSS: copy {target.value} deleted while the source does not hold {truth}")
        if not {(Action.DELETE_TARGET.value, ""), (Action.PURGE.value, "")} & world.audited:
            broken.append("I4 delete of the copy was not announced")
        newest = max(world.newest, world.owner) if truth is None else world.newest
        return world._replace(target=None, last_author="us", newest=newest), "deleted"

    def _delete_source(self, world: World, if_match: str | None, broken: list[str]) -> tuple[World, Any]:
        source, truth = world.source, world.truth
        if source is None:
            return world, Refused.SOURCE_ABSENT
        if if_match is not None and source.etag != if_match:
            return world, Refused.PRECONDITION
        if not self._announced(world, Action.DELETE_SOURCE, ""):
            broken.append("I4 delete of the source was not announced")
        versioned = self.scenario.versioned
        at_target = world.target is not None and world.target.value == truth
        taken_over = world.last_author == "foreign" and any(
            world.versions[number] == truth for number in world.seen_at_target
        )
        # Who takes the target over after cleanup began decides for himself; what was there before, cleanup had to see.
        if truth is not None and not versioned and not at_target and not (taken_over and world.copy_at_claim):
            broken.append(f"I5 LOSS: source {source.value} deleted, the target holds {world.target}")
        record = world.record
        if record is not None and record.mode is Mode.ROLLED_BACK and record.state in (State.ROLLED_BACK, State.PURGED):
            broken.append("I6 source deleted after rollback")
        after = world._replace(source=None)
        if versioned:
            after = after._replace(hidden=(*world.hidden, source.version))
        if self.scenario.delete_events:
            after = after._replace(messages=added(after.messages, ("d", len(world.versions), "")))
        return after, "deleted"


def _copy_at_claim(world: World, record: Record | None) -> bool:
    if record is None or record.claim is None or record.intent != Intent(Action.DELETE_SOURCE):
        return False
    if world.record is not None and world.record.claim == record.claim:
        return world.copy_at_claim
    return world.target is not None and world.target.etag == record.target_etag


def _reflected(record: Record) -> int:
    if record.sequencer is None:
        return 0
    gone = record.state is State.GONE and record.target_etag is None
    settled = record.state in (State.COPIED, State.CLEANED, State.TOMBSTONE) or gone
    return record.sequencer.value if settled else 0


def _short(thing: Any) -> str:
    if isinstance(thing, ClaimAnswer):
        return "granted" if thing.granted else "refused"
    if isinstance(thing, tuple) and thing and thing[0] in ("claim", "write"):
        record = thing[1]
        return f"{thing[0]} {record.state}" if isinstance(record, Record) else str(thing[0])
    return str(thing) if not isinstance(thing, (Record, Intent)) else type(thing).__name__
