"""What pause, resume and throttle write, on which conditions, and what the audit is told."""

from collections.abc import Sequence

import pytest

from domain.audit.item_events import control_event
from domain.errors import InputError, UnavailableError
from domain.steering.control import BREAKER, Control, Limits, paused, resumed, throttled
from domain.steering.learned import Learned, LearnedLimit
from domain.steering.places import Place, Service
from handlers.operations.control import TRIES, forget_limits, pause_migration, resume_migration, throttle_migration
from tests.fakes.panel import InMemoryControlPanel
from tests.fakes.steering import InMemoryMappings

NOW = 1_790_000_000.0


def pause(panel: InMemoryControlPanel, mappings: InMemoryMappings, reason: str = "lunch") -> bool:
    """Pause as an operator; whether anything changed."""
    return pause_migration(panel, mappings, reason=reason, by="me", now=lambda: NOW).changed


def test_resume_switches_on_exactly_what_pauses_switched_off() -> None:
    """A mapping that somebody else had switched off stays off."""
    panel, mappings = InMemoryControlPanel(), InMemoryMappings(a=True, b=False, c=True)
    assert pause(panel, mappings)
    assert mappings.enabled == {"a": False, "b": False, "c": False}
    assert panel.control.mappings == ("a", "c")
    done = resume_migration(panel, mappings, by="me", now=lambda: NOW)
    assert done.switched == ("a", "c")
    assert mappings.enabled == {"a": True, "b": False, "c": True}
    assert panel.control == Control(fence=2, by="me", changed_at=NOW, mappings=("a", "c"))


class Overtaken(InMemoryMappings):
    """A pause is so slow that somebody resumes before it switches anything off."""

    def __init__(self, panel: InMemoryControlPanel, *, dies: bool) -> None:
        super().__init__(a=True)
        self._panel, self._dies = panel, dies

    def disable_mappings(self, ids: Sequence[str]) -> None:
        """Resumed just before."""
        resume_migration(self._panel, self, by="you", now=lambda: NOW)
        super().disable_mappings(ids)
        if self._dies:
            raise UnavailableError("killed")


def test_a_pause_that_a_resume_overtakes_leaves_everything_running() -> None:
    """Who paused is told; without it the pollers stayed off for ever in a migration that is not paused."""
    panel = InMemoryControlPanel()
    mappings = Overtaken(panel, dies=False)
    with pytest.raises(UnavailableError, match="while it was being paused"):
        pause(panel, mappings)
    assert not panel.control.paused
    assert mappings.enabled == {"a": True}


def test_the_next_resume_mends_what_a_pause_that_died_switched_off_too_late() -> None:
    """What pauses switched off stays remembered, also of a migration that is not paused."""
    panel = InMemoryControlPanel()
    mappings = Overtaken(panel, dies=True)
    with pytest.raises(UnavailableError, match="killed"):
        pause(panel, mappings)
    assert mappings.enabled == {"a": False}
    assert not resume_migration(panel, mappings, by="me", now=lambda: NOW).changed
    assert mappings.enabled == {"a": True}


def test_a_pause_dying_half_way_is_completed_by_the_next() -> None:
    """The names are durable before anything is switched, so that resume finds them."""
    panel, mappings = InMemoryControlPanel(), InMemoryMappings(a=True)
    mappings.fail_next(UnavailableError("time-out"), call="disable_mappings")
    with pytest.raises(UnavailableError):
        pause(panel, mappings)
    assert panel.control.paused
    assert panel.control.mappings == ("a",)
    pause(panel, mappings)
    assert mappings.enabled == {"a": False}
    resume_migration(panel, mappings, by="me", now=lambda: NOW)
    assert mappings.enabled == {"a": True}


def test_a_second_pause_changes_nothing_and_keeps_the_reason() -> None:
    """Nor does a resume of what runs."""
    panel, mappings = InMemoryControlPanel(), InMemoryMappings()
    assert pause(panel, mappings, "breaker")
    assert not pause(panel, mappings, "me too")
    assert panel.control.reason == "breaker"
    assert resume_migration(panel, mappings, by="me", now=lambda: NOW).changed
    assert not resume_migration(panel, mappings, by="me", now=lambda: NOW).changed
    assert panel.control.fence == 2


def test_a_word_spoken_meanwhile_is_not_lost() -> None:
    """The change is made again on what is there now."""

    class Busy(InMemoryControlPanel):
        def read_control(self) -> Control:
            seen = super().read_control()
            if seen.fence < 2:
                self.control = throttled(seen, Limits(objects_per_second=5), by="them", now=NOW)
            return seen

    panel = Busy()
    pause(panel, InMemoryMappings())
    assert panel.control.paused
    assert panel.control.objects_per_second == 5


def test_endless_changes_by_others_are_an_error_with_a_remedy() -> None:
    """It is said, not tried for ever."""

    class Restless(InMemoryControlPanel):
        reads = 0

        def read_control(self) -> Control:
            self.reads += 1
            seen = super().read_control()
            self.control = throttled(seen, Limits(concurrency=seen.fence + 1), by="them", now=NOW)
            return seen

    panel = Restless()
    with pytest.raises(UnavailableError, match="control item each time"):
        throttle_migration(panel, lambda _: Limits(1.0), by="me", now=lambda: NOW)
    assert panel.reads == TRIES


def test_limits_that_are_there_already_are_not_written() -> None:
    """The fence grows only when something changes: it empties the line of reserved time."""
    panel = InMemoryControlPanel()
    for changed in (True, False):
        done = throttle_migration(panel, lambda _: Limits(10.0), by="me", now=lambda: NOW)
        assert done.changed is changed
    assert panel.control.fence == 1


LEARNED = Learned(
    7,
    (
        LearnedLimit(Place(Service.S3, "b", "new/"), 1.0, 2.0, NOW, NOW, "SlowDown"),
        LearnedLimit(Place(Service.DYNAMODB, "t"), 1.0, 2.0, NOW, NOW, "ThrottlingException"),
    ),
)


def test_forgetting_drops_one_learned_limit_and_nothing_else() -> None:
    """The operator's own limits are another thing: neither touches the other."""
    panel = InMemoryControlPanel(Control(objects_per_second=5.0, fence=3, learned=LEARNED))
    forget_limits(panel, ["s3://b/new/"])
    assert panel.control.learned == Learned(8, LEARNED.limits[1:])
    assert panel.control == Control(objects_per_second=5.0, fence=3)
    throttle_migration(panel, lambda _: Limits(), by="me", now=lambda: NOW)
    assert panel.control.learned == Learned(8, LEARNED.limits[1:])


def test_a_place_that_is_not_limited_is_not_forgotten() -> None:
    """A mistyped name is told, and changes nothing."""
    panel = InMemoryControlPanel(Control(learned=LEARNED))
    with pytest.raises(InputError, match="s3://b/old/ has no learned limit: `keyshift throttle`"):
        forget_limits(panel, ["s3://b/new/", "s3://b/old/"])
    assert panel.control.learned == LEARNED


RUNNING = Control(fence=3, changed_at=1.0)


@pytest.mark.parametrize(
    ("before", "after", "detail_type"),
    [
        (None, paused(Control(), reason="x", by=BREAKER, now=NOW), "Migration Paused"),
        (RUNNING, paused(RUNNING, reason="x", by="me", now=NOW), "Migration Paused"),
        (paused(RUNNING, reason="x", by="me", now=NOW), resumed(RUNNING, by="me", now=NOW), "Migration Resumed"),
        (RUNNING, throttled(RUNNING, Limits(1.0), by="me", now=NOW), "Migration Throttled"),
        (RUNNING, RUNNING, "Control Changed"),
        (RUNNING, None, "Control Removed"),
    ],
)
def test_every_change_is_an_audit_event(before: Control | None, after: Control | None, detail_type: str) -> None:
    """With who, why and the limits; its id is the fence's, so that a repeat is recognised."""
    event = control_event(before, after, migration="m")
    told = after or before
    assert told is not None
    assert detail_type == event.detail_type
    assert event.event_id.startswith(f"keyshift#control:{told.fence}")
    assert (event.detail["by"], event.detail["reason"], event.detail["paused"]) == (told.by, told.reason, told.paused)
    assert event.detail["limits"] == {
        "objects_per_second": told.objects_per_second,
        "bytes_per_second": None,
        "concurrency": None,
    }


def test_a_change_of_nothing_is_a_mistake() -> None:
    """The stream never tells of one."""
    with pytest.raises(ValueError, match="image"):
        control_event(None, None, migration="m")


def test_a_pause_says_who_and_when_and_keeps_the_first_moment() -> None:
    """A second pause changes the reason and the name, not since when nothing runs."""
    first = paused(Control(), reason="a", by="me", now=NOW)
    assert (first.by, first.paused_by, first.paused_at, first.changed_at, first.fence) == ("me", "me", NOW, NOW, 1)
    second = paused(first, reason="b", by="you", now=NOW + 9)
    assert (second.by, second.paused_by, second.paused_at, second.changed_at) == ("you", "you", NOW, NOW + 9)
    running = resumed(second, by="them", now=NOW + 10)
    assert (running.by, running.changed_at, running.fence) == ("them", NOW + 10, 3)
    assert (running.paused_by, running.paused_at, running.reason) == ("", 0.0, "")
    slow = throttled(running, Limits(1.0, 2.0, 3), by="us", now=NOW + 11)
    assert (slow.limits, slow.by, slow.changed_at, slow.fence) == (Limits(1.0, 2.0, 3), "us", NOW + 11, 4)
