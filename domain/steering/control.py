"""The control item: what the operator or the circuit breaker has set for every process."""

from dataclasses import dataclass, field, replace

from domain.steering.learned import Learned

BREAKER = "circuit-breaker"
_NOTHING_LEARNED = Learned()


@dataclass(frozen=True, slots=True)
class Limits:
    """Rates per second for the whole migration, ``None``: no limit; ``concurrency`` counts in one process."""

    objects_per_second: float | None = None
    bytes_per_second: float | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """The control item; rates are per second for the whole migration, ``None`` means no limit.

    ``concurrency`` counts in each worker process or function instance. ``fence`` grows by one with every change,
    ``changed_at`` is seconds since 1970, ``by`` changed it last; ``paused_by`` and ``paused_at`` are the pause's.
    ``mappings`` are the event source mappings that pauses switched off, and that resume switches on again. They stay in
    the item: a slow or killed pause may switch one off after a resume, and the next resume repairs that.
    ``learned`` are the limits that the processes learned. They change without the fence, and do not count where two
    controls are compared.
    """

    paused: bool = False
    reason: str = ""
    objects_per_second: float | None = None
    bytes_per_second: float | None = None
    concurrency: int | None = None
    fence: int = 0
    changed_at: float = 0.0
    by: str = ""
    mappings: tuple[str, ...] = ()
    paused_by: str = ""
    paused_at: float = 0.0
    learned: Learned = field(default=_NOTHING_LEARNED, compare=False)

    @property
    def limits(self) -> Limits:
        """The limits that throttle sets."""
        return Limits(self.objects_per_second, self.bytes_per_second, self.concurrency)


def paused(before: Control, *, reason: str, by: str, now: float, mappings: tuple[str, ...] = ()) -> Control:
    """Nothing new begins; mappings that an earlier pause switched off stay in the item."""
    known = tuple(sorted({*before.mappings, *mappings}))
    begun = before.paused_at if before.paused else now
    pause = replace(before, paused=True, reason=reason, mappings=known, paused_by=by, paused_at=begun)
    return _changed(pause, by=by, now=now)


def resumed(before: Control, *, by: str, now: float) -> Control:
    """Work continues within the same limits; the circuit breaker counts from zero."""
    return _changed(replace(before, paused=False, reason="", paused_by="", paused_at=0.0), by=by, now=now)


def throttled(before: Control, limits: Limits, *, by: str, now: float) -> Control:
    """Exactly these limits from now on."""
    rates = replace(before, objects_per_second=limits.objects_per_second, bytes_per_second=limits.bytes_per_second)
    return _changed(replace(rates, concurrency=limits.concurrency), by=by, now=now)


def _changed(control: Control, *, by: str, now: float) -> Control:
    return replace(control, by=by, changed_at=now, fence=control.fence + 1)
