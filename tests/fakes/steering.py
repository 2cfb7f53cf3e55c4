"""Rates, figures, event source mappings and dead letters in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from domain.queues import DeadLetter, Message, MoveTask
from domain.steering.pulse import Tally, Window
from tests.fakes.faults import ScriptedFaults
from tests.fakes.queue import InMemoryQueue


class InMemoryRateLedger(ScriptedFaults):
    """RateLedger in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, tuple[int, float]] = {}

    def reserve_stretch(self, line: str, seconds: float, *, earliest: float, latest: float, fence: int) -> float | None:
        """See the port."""
        with self._faulty("reserve_stretch"):
            known, ends_at = self.lines.get(line, (fence, earliest))
            if known > fence:
                return None
            begins = max(ends_at, earliest) if known == fence else earliest
            if begins <= latest:
                self.lines[line] = (fence, begins + seconds)
            return begins


class InMemoryPulseBook(ScriptedFaults):
    """PulseBook in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.newest: tuple[Window, Tally] | None = None

    def add_tally(self, tally: Tally, *, window: Window) -> Tally | None:
        """See the port."""
        with self._faulty("add_tally"):
            if self.newest is not None and self.newest[0] > window:
                return None
            before = self.newest[1] if self.newest is not None and self.newest[0] == window else Tally()
            self.newest = (window, before.plus(tally))
            return self.newest[1]

    def read_tally(self) -> tuple[Window, Tally] | None:
        """See the port."""
        with self._faulty("read_tally"):
            return self.newest


class InMemoryMappings(ScriptedFaults):
    """EventSourceMappings in memory; ``enabled`` by id."""

    def __init__(self, **enabled: bool) -> None:
        super().__init__()
        self.enabled = enabled

    def list_enabled(self) -> Sequence[str]:
        """See the port."""
        with self._faulty("list_enabled"):
            return sorted(name for name, enabled in self.enabled.items() if enabled)

    def disable_mappings(self, ids: Sequence[str]) -> None:
        """See the port."""
        with self._faulty("disable_mappings"):
            self.enabled |= dict.fromkeys(ids, False)

    def enable_mappings(self, ids: Sequence[str]) -> None:
        """See the port."""
        with self._faulty("enable_mappings"):
            self.enabled |= {one: True for one in ids if one in self.enabled}


class InMemoryDeadLetterQueue(ScriptedFaults):
    """DeadLetterQueue in memory, of one source queue."""

    def __init__(self, source: InMemoryQueue, *, now: Callable[[], float]) -> None:
        super().__init__()
        self._source = source
        self._now = now
        self._hidden_until: dict[str, float] = {}
        self._moves: list[MoveTask] = []

    def count_letters(self) -> int:
        """See the port."""
        with self._faulty("count_letters"):
            return len(self._source.dead)

    def receive_letters(self, *, visibility: int) -> Sequence[DeadLetter]:
        """See the port."""
        with self._faulty("receive_letters"):
            now = self._now()
            seen = [one for one in self._source.dead if self._hidden_until.get(one.message_id, 0.0) <= now][:10]
            self._hidden_until |= {one.message_id: now + visibility for one in seen}
            taken = [replace(one, receive_count=one.receive_count + 1) for one in seen]
            counted = {one.message_id: one for one in taken}
            self._source.dead[:] = [counted.get(one.message_id, one) for one in self._source.dead]
            return [DeadLetter(one) for one in taken]

    def release_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See the port."""
        with self._faulty("release_letters"):
            for one in letters:
                self._hidden_until.pop(one.message.message_id, None)

    def delete_letters(self, letters: Sequence[DeadLetter]) -> None:
        """See the port."""
        with self._faulty("delete_letters"):
            self._drop({one.message.message_id for one in letters})

    def send_back(self, letters: Sequence[DeadLetter]) -> None:
        """See the port."""
        with self._faulty("send_back"):
            self._source.send_messages([one.message.body for one in letters])
            self._drop({one.message.message_id for one in letters})

    def move_all(self, *, rate: int | None) -> None:
        """See the port; done at once."""
        with self._faulty("move_all"):
            bodies = [one.body for one in self._source.dead]
            self._source.send_messages(bodies)
            self._source.dead.clear()
            self._moves.append(MoveTask("COMPLETED", len(bodies), len(bodies)))

    def newest_move(self) -> MoveTask | None:
        """See the port."""
        with self._faulty("newest_move"):
            return self._moves[-1] if self._moves else None

    def _drop(self, ids: set[str]) -> None:
        self._source.dead[:] = [one for one in self._source.dead if one.message_id not in ids]


def letter_of(body: str, *, message_id: str = "d1", sent_at: float = 0.0) -> DeadLetter:
    """A dead letter with that body."""
    return DeadLetter(Message(message_id, f"r-{message_id}", body, receive_count=1, sent_at=sent_at))
