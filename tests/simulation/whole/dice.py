"""Chance decides, from one seed, which request fails and how."""

from dataclasses import dataclass, field
from random import Random

from domain.errors import AccessDeniedError, EncryptionError, ThrottledError, UnavailableError
from tests.simulation.whole.scheduler import Fate, Process, Request

MUTATIONS = frozenset(
    {"copy_object", "delete_object", "copy_parts", "complete_upload", "create_upload", "abort_upload", "upload_part"}
    | {
        "remove_delete_marker",
        "remove_version",
        "claim_record",
        "write_record",
        "claim_new_records",
        "write_records",
        "change_item",
        "write_control",
    }
    | {"write_stage", "send_messages", "send_back", "delete_letters", "move_all", "switch_on", "restore"}
)
KINDS = (
    "denied",
    "error",
    "throttle",
    "lost",
    "time-out",
    "slow",
    "stall",
    "late",
    "doubled",
    "blind",
    "kill-before",
    "kill-sent",
    "kill-after",
)
LOOKS = frozenset({"look_at_object", "find_top_marker", "list_versions", "list_parts"})
"""Requests that tell a process what became of the one before."""


@dataclass(slots=True)
class Blindness:
    """The second half of a pair of faults: one request was refused, and the next look at the same key has no answer."""

    random: Random
    objects: dict[str, str] = field(default_factory=dict)
    """By process, the object that it will not see."""

    def begin(self, process: Process, request: Request) -> None:
        """The process is refused this request, or is told so."""
        self.objects[process.name] = request.object_name

    def fate(self, process: Process, request: Request, delay: float) -> Fate | None:
        """The failed look, if this is the one."""
        if request.name not in LOOKS or self.objects.get(process.name) != request.object_name:
            return None
        del self.objects[process.name]
        if self.random.random() < 0.5:
            return Fate(delay=delay, effect=False, error=ThrottledError("SlowDown"), word="blind")
        unknown = UnavailableError(f"{request.subject}: no answer to {request.name}")
        return Fate(delay=delay, error=unknown, word="blind")


@dataclass(slots=True)
class SeededDice:
    """Faults strike with ``rate``, one of ``kinds``; ``calm`` ends them. ``request_seconds`` is the timing rule's."""

    random: Random
    rate: float
    request_seconds: float
    longest_stall: float
    kinds: tuple[str, ...] = KINDS
    calm: bool = False
    lacking: set[tuple[str, str]] = field(default_factory=set)
    """Whose requests (by the first letters of the process) of which name are denied now."""
    usual: Fate = field(default_factory=Fate)
    blindness: Blindness = field(init=False)

    def __post_init__(self) -> None:
        self.blindness = Blindness(self.random)

    def fate(self, process: Process, request: Request) -> Fate:  # noqa: C901, PLR0912  # a case for each fault
        """See the protocol."""
        random = self.random
        delay, gap, answer = random.random() * 0.2, random.random() * 0.2, random.random() * 0.2
        lacking = [what for what in (request.name, *sorted(request.needs)) if self.lacks(process, what)]
        if lacking:
            denied = EncryptionError if lacking == ["kms"] else AccessDeniedError
            why = denied(f"{request.subject}: the role may not {lacking[0]}")
            return Fate(delay=delay, effect=False, error=why, word="denied")
        blind = None if self.calm else self.blindness.fate(process, request, delay)
        if blind is not None:
            return blind
        if self.calm or not self.kinds or random.random() >= self.rate:
            return Fate(delay=delay, gap=gap, answer=answer)
        kind = random.choice(self.kinds)
        if kind in ("slow", "time-out", "doubled", "blind") and request.name not in MUTATIONS:
            kind = "error"
        if kind == "blind":
            self.blindness.begin(process, request)
            kind = random.choice(("denied", "throttle", "doubled", ""))  # "": what S3 refuses by itself
        unknown = UnavailableError(f"{request.subject}: no answer to {request.name}")
        give_up = self.request_seconds * 0.9
        match kind:
            case "error":
                return Fate(delay=delay, effect=False, error=unknown, word=kind)
            case "denied":
                why = AccessDeniedError(f"{request.subject}: a key policy was wrong for a moment")
                return Fate(delay=delay, effect=False, error=why, word=kind)
            case "throttle":
                return Fate(delay=delay, effect=False, error=ThrottledError("SlowDown"), word=kind)
            case "lost":
                return Fate(delay=delay, gap=gap, error=unknown, word=kind)
            case "time-out":
                late = random.uniform(0, self.request_seconds - 5)
                return Fate(delay=late, gap=gap, answer=1e9, error=unknown, gives_up=give_up, word=kind)
            case "slow":
                return Fate(delay=random.uniform(0, give_up - 5), gap=gap, answer=answer, word=kind)
            case "stall":
                return Fate(stall=random.uniform(0, self.longest_stall), delay=delay, gap=gap, word=kind)
            case "doubled":
                return Fate(delay=delay, gap=gap, answer=answer, doubled=True, word=kind)
            case "late":
                return Fate(delay=delay, gap=gap, answer=random.uniform(0, self.longest_stall), word=kind)
            case "":
                return Fate(delay=delay, gap=gap, answer=answer)
        moment = kind.removeprefix("kill-")
        late = random.uniform(0, self.request_seconds - 5) if random.random() < 0.3 else delay
        if moment == "before":
            return Fate(kill="before", word=kind)
        return Fate(delay=late, gap=gap, kill="sent" if moment == "sent" else "after", word=kind)

    def lacks(self, process: Process, what: str) -> bool:
        """Whether the process may not do that now."""
        return not self.calm and any(process.name.startswith(who) and what == name for who, name in self.lacking)
