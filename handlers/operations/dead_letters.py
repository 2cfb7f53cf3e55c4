"""Dead-letter messages: why each is there, by its body and the manifest, and how to hide them during a read."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from domain.errors import MalformedMessageError
from domain.protocol.claims import is_incorporated, may_go_along
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.record import Mode, Record, State
from domain.queues import DeadLetter, DeadLetterQueue
from domain.rules.routing import InOtherBucket, InTargetBucket, Kept, Probe, Unmapped, is_refused, route_of
from handlers.engine.dependencies import Dependencies
from handlers.intake.inventory_tasks import task_of
from handlers.intake.messages import decode_message
from handlers.intake.stage_tasks import StageTask, stage_task_of

VISIBILITY_SECONDS = 120
"""If the command dies during the read, the messages become visible again after this many seconds."""
OVERTAKEN, STAGE_WORK = "overtaken", "stage-work"
_EMPTY_ANSWERS = 2
"""SQS may return nothing although it counts more messages; after so many empty receives in a row it is believed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One object that a message names; ``settled`` means that a worker would have nothing to do for it."""

    key: str
    rule: str
    cause: str
    settled: bool
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead-letter message with its cause; messages are grouped by ``cause``, and ``why`` adds to it."""

    queue: str
    dead: DeadLetter
    cause: str
    why: str
    seen: tuple[Seen, ...] = ()

    @property
    def message_id(self) -> str:
        """SQS's id of the message."""
        return self.dead.message.message_id

    @property
    def is_overtaken(self) -> bool:
        """Whether everything that the message requires is done already: a replay would do nothing."""
        return self.cause == OVERTAKEN


@dataclass(frozen=True, slots=True)
class Wanted:
    """Selects messages; a field that is ``None`` or empty does not narrow. ``key`` ending in ``*`` is a prefix."""

    message_ids: frozenset[str] = frozenset()
    cause: str | None = None
    key: str | None = None
    since: float | None = None
    rule: str | None = None

    @property
    def narrows(self) -> bool:
        """Whether any field narrows the selection."""
        return self != Wanted()

    def fits(self, letter: Letter) -> bool:
        """Whether the message is selected."""
        if self.message_ids and letter.message_id not in self.message_ids:
            return False
        if self.since is not None and letter.dead.message.sent_at < self.since:
            return False
        if self.cause is not None and self.cause not in {letter.cause, *(one.cause for one in letter.seen)}:
            return False
        if self.rule is not None and self.rule not in {one.rule for one in letter.seen}:
            return False
        return self.key is None or any(_is_key(one.key, self.key) for one in letter.seen)


def _is_key(key: str, wanted: str) -> bool:
    return key.startswith(wanted[:-1]) if wanted.endswith("*") else key == wanted


class HeldLetters:
    """Dead-letter messages invisible to others while the command reads them.

    At the end those that were not deleted become visible again.
    """

    def __init__(self, queue: DeadLetterQueue, *, limit: int, visibility: int = VISIBILITY_SECONDS) -> None:
        self._queue = queue
        self._limit = limit
        self._visibility = visibility
        self._held: dict[str, DeadLetter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.release_letters(list(self._held.values()))

    def letters(self) -> Iterator[DeadLetter]:
        """Each message once, at most ``limit``."""
        empty, found = 0, 0
        while found < self._limit and (not empty or (empty < _EMPTY_ANSWERS and found < self._queue.count_letters())):
            received = self._queue.receive_letters(visibility=self._visibility)
            fresh = [one for one in received if one.message.message_id not in self._held]
            # A message appears again when the read took longer than its time-out; its newest receipt handle is the
            # valid one.
            self._held |= {one.message.message_id: one for one in received}
            empty = 0 if fresh else empty + 1
            for one in fresh[: self._limit - found]:
                found += 1
                yield one

    def current(self, letter: DeadLetter) -> DeadLetter:
        """The message with its newest receipt handle."""
        return self._held.get(letter.message.message_id, letter)

    def gone(self, letters: Sequence[DeadLetter]) -> None:
        """Note that these messages were deleted or sent back."""
        for letter in letters:
            self._held.pop(letter.message.message_id, None)


def read_letter(dead: DeadLetter, queue: str, dependencies: Dependencies) -> Letter:
    """Why the message is there: the fault of its body, or the state of its objects in the manifest."""
    body = dead.message.body
    try:
        task = task_of(body)
        if task is not None:
            seen = Seen(task["manifest"], "", "inventory-task", settled=False)
            return Letter(
                queue, dead, seen.cause, f"data file {task['file']}: see the inventory function's log", (seen,)
            )
        stage_task = stage_task_of(body)
        if stage_task is not None:
            return Letter(queue, dead, STAGE_WORK, _about(stage_task))
        decoded = decode_message(body, own_principals=dependencies.settings.own_principals)
    except MalformedMessageError as error:
        return Letter(queue, dead, error.cause, str(error))
    ours = dependencies.rules.migration
    if decoded.migration not in (None, ours):
        return Letter(queue, dead, "other-migration", f"its rows are of {decoded.migration!r}, this is {ours!r}")
    seen_ones = tuple(_seen(notice, dependencies) for notice in decoded.notices)
    if decoded.faults:
        return Letter(queue, dead, MalformedMessageError.cause, "; ".join(decoded.faults), seen_ones)
    open_ones = [one for one in seen_ones if not one.settled]
    if not open_ones:
        why = "everything it asks for is incorporated" if seen_ones else "; ".join(decoded.ignored)
        return Letter(queue, dead, OVERTAKEN, why, seen_ones)
    ((cause, _), *_) = Counter(one.cause for one in open_ones).most_common()
    record = next((one.record for one in open_ones if one.cause == cause), None)
    left = f"{len(open_ones)} of {len(seen_ones)} objects are not done"
    said = record.why if record is not None else ""
    return Letter(queue, dead, cause, f"{left}: {said}" if said else left, seen_ones)


def _about(task: StageTask) -> str:
    """What a message of stage work says of itself."""
    if task.lost_slice is None:
        return f"a part of the run {task.run_id} of {task.work}: see the function's log"
    where = f"slice {task.lost_slice} of the run {task.run_id} of {task.work}"
    return f"{where}, after {task.cursor!r}: {task.why}; a replay has it tried again"


def _seen(notice: Notice, dependencies: Dependencies) -> Seen:
    key, route = notice.source.key, route_of(dependencies.rules, notice.source)
    if isinstance(route, InTargetBucket | InOtherBucket | Probe):
        return Seen(key, "", route.kind.value, settled=not isinstance(route, InOtherBucket))
    if isinstance(route, Kept | Unmapped) and notice.kind is not NoticeKind.REMOVED:
        return Seen(key, "", route.kind.value, settled=not is_refused(route))
    record = dependencies.ports.manifest.read_record(notice.source.record_id)
    if isinstance(route, Kept | Unmapped):
        settled = not is_refused(route) and not may_go_along(record, notice)
        return Seen(key, "", route.kind.value, settled=settled, record=record)
    cause, settled = _cause(notice, record)
    return Seen(key, route.rule, cause, settled=settled, record=record)


def _cause(notice: Notice, record: Record | None) -> tuple[str, bool]:
    if record is None:
        return "never-attempted", False
    if record.mode is not Mode.FORWARD:
        return "rolled-back", True
    if record.is_unfinished and record.state is not State.PARKED:
        return "unfinished", False
    if not record.is_unfinished and is_incorporated(record, notice):
        return OVERTAKEN, True
    if record.state is State.PARKED:
        return record.cause.value if record.cause is not None else "parked", False
    if record.state is State.CONFLICT:
        return "conflict", False
    return "not-incorporated", False


@dataclass(frozen=True, slots=True)
class Group:
    """Messages of one queue with one cause; times in seconds since 1970."""

    queue: str
    cause: str
    letters: int
    oldest: float
    newest: float
    example: str
    why: str


def grouped(letters: Sequence[Letter]) -> list[Group]:
    """The groups, the largest first."""
    together: dict[tuple[str, str], list[Letter]] = {}
    for letter in letters:
        together.setdefault((letter.queue, letter.cause), []).append(letter)
    groups = [
        Group(
            queue=queue,
            cause=cause,
            letters=len(those),
            oldest=min(one.dead.message.sent_at for one in those),
            newest=max(one.dead.message.sent_at for one in those),
            example=next((seen.key for one in those for seen in one.seen), those[0].message_id),
            why=those[0].why,
        )
        for (queue, cause), those in together.items()
    ]
    return sorted(groups, key=lambda group: (-group.letters, group.queue, group.cause))


def letter_json(letter: Letter, *, whole: bool = False) -> Mapping[str, Any]:
    """As JSON; with ``whole``, the body is included."""
    message = letter.dead.message
    told: dict[str, Any] = {
        "message_id": message.message_id,
        "queue": letter.queue,
        "cause": letter.cause,
        "why": letter.why,
        "sent_at": message.sent_at,
        "receives": message.receive_count,
        "objects": [
            {"key": one.key, "rule": one.rule, "cause": one.cause, "settled": one.settled} for one in letter.seen
        ],
    }
    return told | {"body": message.body} if whole else told
