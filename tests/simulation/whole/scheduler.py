"""Owns time and order: every process stops at each of its calls, and goes on when the scheduler says so."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from greenlet import getcurrent, greenlet

from domain.errors import KeyshiftError, LeaseExpiredError

EPOCH = 1_790_000_000.0
QUIET = frozenset(
    {"receive_messages", "read_control", "read_stage", "scan_records", "read_page", "list_objects"}
    | {
        "read_run",
        "read_runs",
        "read_slices",
        "read_part",
        "write_slice",
        "publish_events",
        "add_progress",
        "add_tally",
        "has_arrived",
    }
)
"""Calls that fill a trace and explain nothing."""
Phases = Iterator[None]
"""What a request does at the server, one step between two yields; its return value is the answer."""


class Killed(BaseException):  # no error: like SIGKILL it passes through every except clause
    """The process that made the call is dead."""


class StuckError(AssertionError):
    """The simulated time is over and something still goes on."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of one process; ``begin`` starts it at the server."""

    name: str
    subject: str
    begin: Callable[[], Any]
    send_before: float | None = None
    object_name: str = ""
    """The last part of the key that it is about, which a source shares with its target."""
    needs: frozenset[str] = frozenset()
    """What its sender's role must be allowed beside the request itself: ``kms``, ``lock``."""

    def __str__(self) -> str:
        return f"{self.name} {self.subject}"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one request; times in seconds.

    ``kill`` is when the process dies: before it sends, after it has sent, or before it reads the answer. Without an
    ``effect`` the server never sees the request; ``gives_up`` is when the client stops to wait. A ``doubled`` one
    reaches the server twice, and the answer is the second one's: a proxy on the way sent it again.
    """

    stall: float = 0.0
    delay: float = 0.01
    gap: float = 0.01
    answer: float = 0.01
    effect: bool = True
    doubled: bool = False
    error: KeyshiftError | None = None
    gives_up: float | None = None
    kill: Literal["", "before", "sent", "after"] = ""
    word: str = ""


class Dice(Protocol):
    """Decides the fate of each request."""

    def fate(self, process: "Process", request: Request) -> Fate:
        """The fate of this request."""


@dataclass(slots=True)
class _Event:
    what: Callable[[], None] | None
    owner: "Process | None" = None


@dataclass(slots=True)
class Trace:
    """What happened, as little as it costs; formatted only when somebody asks."""

    lines: list[tuple[float, str, str, Any]] = field(default_factory=list)

    def add(self, time: float, who: str, what: str, how: Any = "") -> None:
        """Remember one step."""
        self.lines.append((time, who, what, how))

    def readable(self, word: str = "") -> str:
        """The steps that name ``word``, one a line."""
        told = (f"{time:9.2f} s  {who:12s} {what}{_told(how)}" for time, who, what, how in self.lines)
        return "\n".join(line for line in told if word in line)


def _told(how: Any) -> str:
    text = str(how)
    return f"  ->  {text[:300]}" if text else ""


class Scheduler:
    """A queue of what happens when; nothing in a simulation reads another clock."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.time = 0.0
        self.steps = 0
        self.faults: dict[str, int] = {}
        self.trace = Trace()
        self._events: list[tuple[float, int, _Event]] = []
        self._numbers = 0
        self._alive: set[Process] = set()

    def at(self, delay: float, what: Callable[[], None], owner: "Process | None" = None) -> None:
        """Let ``what`` happen in ``delay`` seconds."""
        self._numbers += 1
        heapq.heappush(self._events, (self.time + delay, self._numbers, _Event(what, owner)))

    def step(self) -> bool:
        """Let the next thing happen; ``False`` when there is none."""
        while self._events:
            time, _, event = heapq.heappop(self._events)
            if event.what is None:
                continue
            self.time = max(self.time, time)
            event.what()
            return True
        return False

    def hurry(self, process: "Process") -> bool:
        """Let the next thing of this process happen now, before whatever is due earlier."""
        mine = [entry for entry in self._events if entry[2].owner is process and entry[2].what is not None]
        if not mine:
            return False
        event = min(mine)[2]
        what, event.what = event.what, None
        if what is not None:
            what()
        return True

    def run(self, *, until: Callable[[], bool], at_most: float) -> None:
        """Go on until then; StuckError when it lasts longer than ``at_most`` seconds from now."""
        ends = self.time + at_most
        while not until():
            if not self.step() or self.time > ends:
                raise StuckError(f"nothing has settled after {at_most:.0f} s")

    def count(self, fault: str) -> None:
        """One more fault injected."""
        self.faults[fault] = self.faults.get(fault, 0) + 1

    def spawn(self, name: str, body: Callable[["Process"], None], *, skew: float = 0.0) -> "Process":
        """A new process, begun at once when its turn comes."""
        process = Process(self, name, body, skew)
        self._alive.add(process)
        self.at(0.0, lambda: process.go_on(None), process)
        return process

    def processes(self) -> list["Process"]:
        """Those alive, by name."""
        return sorted(self._alive, key=lambda process: process.name)

    def ended(self, process: "Process") -> None:
        """It has returned or is dead."""
        self._alive.discard(process)

    def close(self) -> None:
        """End every process that is left."""
        for process in list(self._alive):
            process.kill()


class Process:
    """One life of one worker or command, with clocks of its own."""

    def __init__(self, scheduler: Scheduler, name: str, body: Callable[["Process"], None], skew: float) -> None:
        self.scheduler = scheduler
        self.name = name
        self.skew = skew
        self.dead = False
        self.done = False
        self.on_death: Callable[[], None] = lambda: None
        self._body = body
        self._waiting: Request | None = None
        self._greenlet: Any = greenlet(self._live)

    def now(self) -> float:
        """Seconds since 1970 by this host's clock."""
        return EPOCH + self.scheduler.time + self.skew

    def monotonic(self) -> float:
        """Seconds since this host started."""
        return 1_000.0 + 100 * self.skew + self.scheduler.time

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self._check()
        self.scheduler.at(seconds, lambda: self.go_on(None), self)
        self._stop()

    def ask(self, request: Request) -> Any:
        """Make a call and wait for its answer; whatever else happens meanwhile happens."""
        self._check()
        scheduler = self.scheduler
        scheduler.steps += 1
        fate = scheduler.dice.fate(self, request)
        if fate.word:
            scheduler.count(fate.word)
        if fate.kill == "before":
            scheduler.trace.add(scheduler.time, self.name, f"is killed before {request}")
            self._die()
        self._waiting = request
        if fate.stall:
            scheduler.trace.add(scheduler.time, self.name, f"is stopped before {request}", f"for {fate.stall:.0f} s")
            scheduler.at(fate.stall, lambda: self._send(request, fate), self)
        else:
            self._send(request, fate)
        if fate.kill == "sent":
            scheduler.trace.add(scheduler.time, self.name, f"is killed when it has sent {request}")
            self._die()
        return self._stop()

    def kill(self) -> None:
        """SIGKILL; what it has sent goes on."""
        if self.dead or self.done:
            return
        if getcurrent() is self._greenlet:
            self._die()
        self.dead = True
        if self._greenlet:
            self._greenlet.throw(Killed)
        else:  # not begun yet
            self.scheduler.ended(self)
            self.on_death()

    def go_on(self, answer: Any, error: BaseException | None = None) -> None:
        """Continue after the call it waits in."""
        if self.dead or self.done:
            return
        if error is not None:
            self._greenlet.throw(error)
        else:
            self._greenlet.switch(answer)

    def _live(self, _: Any) -> None:
        try:
            self._body(self)
        except Killed:
            self.dead = True
        self.done = not self.dead
        self.scheduler.ended(self)
        if self.dead:
            self.on_death()

    def _check(self) -> None:
        if self.dead:
            raise Killed

    def _die(self) -> None:
        self.dead = True
        raise Killed

    def _stop(self) -> Any:
        parent = self._greenlet.parent
        return parent.switch()

    def _send(self, request: Request, fate: Fate) -> None:
        scheduler = self.scheduler
        if request.send_before is not None and self.monotonic() >= request.send_before:
            late = LeaseExpiredError(f"{request.subject}: no time left, not sent")
            scheduler.at(0.0, lambda: self._answered(request, None, late), self)
            return
        if fate.gives_up is not None:
            scheduler.at(fate.gives_up, lambda: self._answered(request, None, fate.error), self)
        if fate.effect:
            scheduler.at(fate.delay, lambda: self._work(request, request.begin(), fate), self)
        elif fate.gives_up is None:
            scheduler.at(fate.delay, lambda: self._answered(request, None, fate.error), self)

    def _work(self, request: Request, phases: Any, fate: Fate) -> None:
        """One phase at the server."""
        scheduler, answer, error = self.scheduler, None, fate.error
        try:
            next(phases)
        except StopIteration as stop:
            answer = stop.value
        except KeyshiftError as refused:
            error = refused
        else:
            scheduler.at(fate.gap, lambda: self._work(request, phases, fate), self)
            return
        if request.name not in QUIET or error is not None:
            told = error if answer is None and error else answer
            scheduler.trace.add(scheduler.time, self.name, str(request), told)
        if fate.doubled:
            scheduler.trace.add(scheduler.time, self.name, f"a proxy sends it again: {request}")
            scheduler.at(fate.gap, lambda: self._work(request, request.begin(), replace(fate, doubled=False)), self)
            return
        if error is fate.error and error is not None:
            scheduler.trace.add(scheduler.time, self.name, f"never learns of {request}")
        if fate.kill == "after" and self._waiting is request:
            scheduler.trace.add(scheduler.time, self.name, f"is killed before it knows of {request}")
            self.kill()
            return
        scheduler.at(fate.answer, lambda: self._answered(request, answer, error), self)

    def _answered(self, request: Request, answer: Any, error: KeyshiftError | None) -> None:
        if self._waiting is not request:
            return
        self._waiting = None
        if error is not None:
            self.scheduler.trace.add(self.scheduler.time, self.name, f"{request} fails", error.cause)
        self.go_on(answer, error)
