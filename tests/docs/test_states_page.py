"""docs/lifecycle.md explains every state of a record, and its pictures hold every state and step."""

import re
from itertools import permutations

from domain.lifecycle.stages import Stage, stage_fault
from domain.protocol.record import State
from tests.docs.citing import ROOT

PAGE = (ROOT / "docs" / "lifecycle.md").read_text(encoding="utf-8")


def steps_of_picture(first: str) -> set[tuple[str, str]]:
    """The arrows of the Mermaid picture that holds this state, but for its beginnings and ends."""
    (picture,) = [one for one in re.findall(r"^```mermaid\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if first in one]
    names = {short: name for name, short in re.findall(r'state "([^"]+)" as (\w+)', picture)}
    arrows = re.findall(r"^ *(\w+) --> (\w+)", picture, re.MULTILINE)
    return {(names.get(one, one), names.get(other, other)) for one, other in arrows}


def test_the_picture_of_the_stages_has_every_step() -> None:
    """And no step that keyshift refuses."""
    allowed = {(now.value, then.value) for now, then in permutations(Stage, 2) if stage_fault(now, then) is None}
    assert steps_of_picture("prepared") == allowed


def test_the_picture_of_a_record_has_every_state() -> None:
    """Beside the room in which forward events count."""
    shown = {state for step in steps_of_picture("TOMBSTONE") for state in step}
    assert shown - {"forward"} == set(State)


def test_every_state_is_explained() -> None:
    """Each that `keyshift status` can show, once."""
    section = PAGE[PAGE.index("## States of a record") : PAGE.index("## Start\n")]
    shown = re.findall(r"^\| `([A-Z_]+)` \| \S.* \| \S.* \|$", section, re.MULTILINE)
    assert sorted(shown) == sorted(State)
