"""Pause, resume and throttle a running migration: the control item, and Lambda's pollers of its queues."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from domain.errors import InputError, UnavailableError
from domain.lifecycle.ports import StageBook
from domain.lifecycle.stages import Stage, standstill
from domain.steering.control import Control, Limits, paused, resumed, throttled
from domain.steering.learned import Learned
from domain.steering.ports import ControlPanel, EventSourceMappings

TRIES = 5


@dataclass(frozen=True, slots=True)
class Steered:
    """The control item before and after, and the event source mappings that were switched."""

    before: Control
    after: Control
    switched: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return self.before != self.after


def pause_migration(
    panel: ControlPanel, mappings: EventSourceMappings, *, reason: str, by: str, now: Callable[[], float]
) -> Steered:
    """Pause the migration; event source mappings that poll are stored before they are switched off.

    A crash between the two leaves too many names in the item; to resume a running mapping is harmless. Raises
    UnavailableError when an operator resumed before the mappings were off; they are on again then.
    """
    polling = tuple(mappings.list_enabled())

    def change(before: Control) -> Control:
        if before.paused and set(polling) <= set(before.mappings):
            return before
        why, who = (before.reason, before.paused_by) if before.paused else (reason, by)
        return paused(before, reason=why, by=who, now=now(), mappings=polling)

    before, after = _written(panel, change)
    mappings.disable_mappings(polling)
    if polling and not panel.read_control().paused:
        mappings.enable_mappings(polling)
        raise UnavailableError("the migration was resumed while it was being paused")
    return Steered(before, after, polling)


def resume_migration(
    panel: ControlPanel,
    mappings: EventSourceMappings,
    *,
    by: str,
    now: Callable[[], float],
    stages: StageBook | None = None,
) -> Steered:
    """Resume the migration, and switch on exactly the mappings that this pause or an earlier one switched off.

    Raises InputError while the migration is rolled back or after it: then nothing moves whatever the control item
    holds.
    """
    stage = stages.read_stage().stage if stages is not None else Stage.LIVE
    if stage in (Stage.ROLLING_BACK, Stage.ROLLED_BACK):
        raise InputError(f"it stays paused: {standstill(stage)}")
    seen = panel.read_control()
    # The mappings come before the control item: a crash here leaves the migration paused, and resume can be repeated.
    mappings.enable_mappings(seen.mappings)

    def change(before: Control) -> Control:
        return resumed(before, by=by, now=now()) if before.paused else before

    before, after = _written(panel, change)
    late = tuple(mapping for mapping in before.mappings if mapping not in seen.mappings)
    mappings.enable_mappings(late)
    return Steered(before, after, (*seen.mappings, *late))


def throttle_migration(
    panel: ControlPanel, choose: Callable[[Limits], Limits], *, by: str, now: Callable[[], float]
) -> Steered:
    """Set the limits that ``choose`` makes of the present ones."""

    def change(before: Control) -> Control:
        limits = choose(before.limits)
        return before if limits == before.limits else throttled(before, limits, by=by, now=now())

    return Steered(*_written(panel, change))


def forget_limits(panel: ControlPanel, places: Collection[str]) -> None:
    """Drop the learned limits of these places; a place that throttles again is limited again.

    Raises InputError for a place that has no learned limit.
    """
    for _ in range(TRIES):
        before = panel.read_control().learned
        unknown = sorted(set(places) - {limit.place.uri for limit in before.limits})
        if unknown:
            raise InputError(f"{unknown[0]} has no learned limit: `keyshift throttle` shows those that there are")
        left = tuple(limit for limit in before.limits if limit.place.uri not in places)
        if panel.write_learned(Learned(before.revision + 1, left), before=before):
            return
    raise _overtaken()


def _written(panel: ControlPanel, change: Callable[[Control], Control]) -> tuple[Control, Control]:
    for _ in range(TRIES):
        before = panel.read_control()
        after = change(before)
        if after == before or panel.write_control(after, before=before):
            return before, after
    raise _overtaken()


def _overtaken() -> UnavailableError:
    return UnavailableError("other commands changed the control item each time: look at `keyshift status`")
